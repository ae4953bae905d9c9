# SPDX-License-Identifier: MIT
engine_tests = tests/unit/test_command
check_PROGRAMS += $(engine_tests)
TESTS += $(engine_tests)
tests_unit_test_command_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_command_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
