# SPDX-License-Identifier: MIT
store_tests = \
	tests/unit/test_layout \
	tests/unit/test_lock \
	tests/unit/test_publish \
	tests/unit/test_kernel_store \
	tests/unit/test_image_store \
	tests/unit/test_vm_snapshot \
	tests/unit/test_vm_store \
	tests/unit/test_catalog \
	tests/unit/test_config \
	tests/unit/test_trash
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
tests_unit_test_image_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_image_store_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_vm_snapshot_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_vm_snapshot_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_vm_store_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_vm_store_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_catalog_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_catalog_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_config_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_config_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
tests_unit_test_trash_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_trash_LDADD = $(LINK_STORE) $(CMOCKA_LIBS)
dist_check_SCRIPTS += tests/unit/embed_catalog.sh
TESTS += tests/unit/embed_catalog.sh

# Needs strace; skipped without it.
check_PROGRAMS += tests/support/store_driver
tests_support_store_driver_LDADD = $(LINK_STORE)
dist_check_SCRIPTS += tests/unit/store_faults.py
TESTS += tests/unit/store_faults.py
dist_check_SCRIPTS += tests/unit/store_stress.py
TESTS += tests/unit/store_stress.py
