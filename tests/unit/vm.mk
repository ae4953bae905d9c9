# SPDX-License-Identifier: MIT
vm_tests = tests/unit/test_monitor
check_PROGRAMS += $(vm_tests) tests/support/fake_qemu
TESTS += $(vm_tests)
tests_support_fake_qemu_CPPFLAGS = $(TEST_CPPFLAGS)
tests_support_fake_qemu_LDADD = $(LINK_BASE)
tests_unit_test_monitor_SOURCES = tests/unit/test_monitor.c tests/support/machine_world.h
tests_unit_test_monitor_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_monitor_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
