# SPDX-License-Identifier: MIT
engine_tests = \
	tests/unit/test_command \
	tests/unit/test_engine \
	tests/unit/test_job \
	tests/unit/test_job_file \
	tests/unit/test_leave \
	tests/unit/test_meter \
	tests/unit/test_ops \
	tests/unit/test_section \
	tests/unit/test_state \
	tests/unit/test_watcher \
	tests/unit/test_workers
check_PROGRAMS += $(engine_tests)
TESTS += $(engine_tests)
tests_unit_test_command_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_command_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_engine_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_engine_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_job_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_job_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_job_file_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_job_file_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_leave_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_leave_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_meter_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_meter_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_ops_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ops_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_section_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_section_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_state_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_state_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_watcher_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_watcher_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_workers_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_workers_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
