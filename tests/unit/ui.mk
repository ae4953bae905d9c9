# SPDX-License-Identifier: MIT
ui_tests = tests/unit/test_ui_cells tests/unit/test_ui_form tests/unit/test_ui_format \
	tests/unit/test_ui_table
check_PROGRAMS += $(ui_tests)
TESTS += $(ui_tests)
tests_unit_test_ui_cells_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ui_cells_LDADD = $(LINK_UI) $(CMOCKA_LIBS)
tests_unit_test_ui_form_CPPFLAGS = $(TEST_CPPFLAGS) $(NCURSES_CFLAGS)
tests_unit_test_ui_form_LDADD = $(LINK_UI) $(CMOCKA_LIBS)
tests_unit_test_ui_format_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ui_format_LDADD = $(LINK_UI) $(CMOCKA_LIBS)
tests_unit_test_ui_table_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ui_table_LDADD = $(LINK_UI) $(CMOCKA_LIBS)
