# SPDX-License-Identifier: MIT
store_tests = tests/unit/test_layout tests/unit/test_lock tests/unit/test_publish \
	tests/unit/test_kernel_store
check_PROGRAMS += $(store_tests)
TESTS += $(store_tests)
EXTRA_DIST += tests/support/scratch.h

tests_unit_test_layout_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_layout_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_lock_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_lock_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_publish_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_publish_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_kernel_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_kernel_store_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
