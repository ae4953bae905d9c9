# SPDX-License-Identifier: MIT
vm_tests = tests/unit/test_accel tests/unit/test_agent_client tests/unit/test_api_client \
	tests/unit/test_agent_relay tests/unit/test_cgroup tests/unit/test_console tests/unit/test_firecracker \
	tests/unit/test_host_sleep tests/unit/test_kernel_needs tests/unit/test_machine \
	tests/unit/test_machine_kill \
	tests/unit/test_monitor tests/unit/test_monitor_again tests/unit/test_net tests/unit/test_net_rules tests/unit/test_net_space tests/unit/test_pid_reuse tests/unit/test_qemu tests/unit/test_qmp \
	tests/unit/test_serial_log tests/unit/test_vmm_firecracker tests/unit/test_vmm_qemu \
	tests/unit/test_vsock_dial
check_PROGRAMS += $(vm_tests) tests/support/fake_qemu tests/support/fake_firecracker
TESTS += $(vm_tests)
tests_support_fake_qemu_SOURCES = tests/support/fake_qemu.c \
	tests/support/fake_agent.c tests/support/fake_agent.h
tests_support_fake_firecracker_SOURCES = tests/support/fake_firecracker.c \
	tests/support/fake_agent.c tests/support/fake_agent.h
tests_support_fake_qemu_CPPFLAGS = $(TEST_CPPFLAGS)
tests_support_fake_qemu_LDADD = $(LINK_BASE)
tests_support_fake_firecracker_CPPFLAGS = $(TEST_CPPFLAGS)
tests_support_fake_firecracker_LDADD = $(LINK_BASE)
tests_unit_test_api_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_api_client_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
EXTRA_DIST += tests/support/machine_world.h tests/support/tiny_guest.S

tests_unit_test_cgroup_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_cgroup_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_accel_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_accel_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_kernel_needs_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_kernel_needs_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_machine_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_machine_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_monitor_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_monitor_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_host_sleep_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_host_sleep_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_monitor_again_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_monitor_again_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_pid_reuse_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_pid_reuse_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_net_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_net_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_net_space_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_net_space_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_net_rules_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_net_rules_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_qmp_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_qmp_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_serial_log_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_serial_log_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_agent_relay_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_agent_relay_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_vmm_firecracker_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_vmm_firecracker_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_firecracker_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_firecracker_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_vsock_dial_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_vsock_dial_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_vmm_qemu_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_vmm_qemu_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_agent_client_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_agent_client_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_console_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_console_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
tests_unit_test_qemu_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_qemu_LDADD = $(LINK_VM) $(CMOCKA_LIBS)

# No header and no library: any x86 compiler makes it. Where it cannot be made the test is skipped.
check_DATA = tests/support/tiny_guest
CLEANFILES += tests/support/tiny_guest
tests/support/tiny_guest: tests/support/tiny_guest.S
	$(AM_V_GEN)$(MKDIR_P) tests/support && $(CC) -m32 -nostdlib -static -no-pie \
		-Wl,--build-id=none -Wl,-Ttext=0x100000 -o $@ $(srcdir)/tests/support/tiny_guest.S || \
		rm -f $@
tests_unit_test_machine_kill_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_machine_kill_LDADD = $(LINK_VM) $(CMOCKA_LIBS)
