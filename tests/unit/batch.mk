# SPDX-License-Identifier: MIT
batch_tests = tests/unit/test_words tests/unit/test_request tests/unit/test_listing \
	tests/unit/test_grid tests/unit/test_report tests/unit/test_gauge tests/unit/test_help
check_PROGRAMS += $(batch_tests)
TESTS += $(batch_tests)
tests_unit_test_words_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_words_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_request_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_request_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_grid_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_grid_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_listing_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_listing_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_report_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_report_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_gauge_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_gauge_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
tests_unit_test_help_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_help_LDADD = $(LINK_BATCH) $(CMOCKA_LIBS)
