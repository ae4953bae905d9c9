# SPDX-License-Identifier: MIT
artifact_tests =
artifact_tests += tests/unit/test_tar_header
tests_unit_test_tar_header_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_tar_header_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
check_PROGRAMS += $(artifact_tests)
TESTS += $(artifact_tests)
