# SPDX-License-Identifier: MIT
base_tests = \
	tests/unit/test_base64 \
	tests/unit/test_behind \
	tests/unit/test_clock \
	tests/unit/test_error \
	tests/unit/test_file \
	tests/unit/test_json \
	tests/unit/test_json_text \
	tests/unit/test_name \
	tests/unit/test_process \
	tests/unit/test_text \
	tests/unit/test_tree_stream \
	tests/unit/test_units \
	tests/unit/test_wire
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_test_base64_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_base64_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_behind_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_behind_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_clock_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_clock_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_error_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_error_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_file_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_file_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_json_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_json_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_json_text_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_json_text_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_name_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_name_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_process_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_process_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_text_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_text_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_tree_stream_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_tree_stream_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_units_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_units_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
tests_unit_test_wire_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_wire_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
