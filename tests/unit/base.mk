# SPDX-License-Identifier: MIT
base_tests =
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
