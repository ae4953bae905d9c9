# SPDX-License-Identifier: MIT
base_tests = tests/unit/test_wire
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_test_wire_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_wire_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
