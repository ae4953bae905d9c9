# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
src_libvm_a_SOURCES = \
	src/vm/accel.c src/vm/accel.h \
	src/vm/agent_client.c src/vm/agent_client.h \
	src/vm/agent_copy.c \
	src/vm/agent_exec.c \
	src/vm/agent_forward.c src/vm/agent_forward.h \
	src/vm/agent_line.h \
	src/vm/agent_relay.c src/vm/agent_relay.h \
	src/vm/agent_stream.c src/vm/agent_stream.h \
	src/vm/api_client.c src/vm/api_client.h \
	src/vm/boot_watch.c src/vm/boot_watch.h \
	src/vm/cgroup.c src/vm/cgroup.h \
	src/vm/console.c src/vm/console.h \
	src/vm/console_bell.c src/vm/console_bell.h \
	src/vm/console_log.c \
	src/vm/disk.c src/vm/disk.h \
	src/vm/exit_record.c src/vm/exit_record.h \
	src/vm/forward_table.c src/vm/forward_table.h \
	src/vm/host_sleep.c src/vm/host_sleep.h \
	src/vm/kernel_needs.c src/vm/kernel_needs.h \
	src/vm/local_socket.c src/vm/local_socket.h \
	src/vm/machine.c src/vm/machine.h \
	src/vm/machine_control.c src/vm/machine_control.h \
	src/vm/machine_figures.c src/vm/machine_figures.h \
	src/vm/machine_history.c src/vm/machine_history.h \
	src/vm/machine_identity.h \
	src/vm/machine_look.c \
	src/vm/machine_mount.c src/vm/machine_mount.h \
	src/vm/machine_orphan.c src/vm/machine_orphan.h \
	src/vm/machine_pause.c \
	src/vm/machine_record.c \
	src/vm/machine_start.c \
	src/vm/monitor.c src/vm/monitor.h \
	src/vm/monitor_adopt.c \
	src/vm/monitor_agent.c \
	src/vm/monitor_again.c \
	src/vm/monitor_client.c src/vm/monitor_client.h \
	src/vm/monitor_clients.c \
	src/vm/monitor_end.c \
	src/vm/monitor_figures.c \
	src/vm/monitor_launch.c src/vm/monitor_launch.h \
	src/vm/monitor_lines.c \
	src/vm/monitor_network.c \
	src/vm/monitor_room.c \
	src/vm/monitor_order.c src/vm/monitor_order.h \
	src/vm/monitor_publish.c \
	src/vm/monitor_start.c \
	src/vm/monitor_state.h \
	src/vm/monitor_stop.c \
	src/vm/net.c src/vm/net.h \
	src/vm/net_host.c src/vm/net_host.h \
	src/vm/net_link.c \
	src/vm/net_range.c src/vm/net_range.h \
	src/vm/net_rules.c src/vm/net_rules.h \
	src/vm/net_space.c src/vm/net_space.h \
	src/vm/net_tools.c src/vm/net_tools.h \
	src/vm/machine_save.c \
	src/vm/qemu_memory.c src/vm/qemu_memory.h \
	src/vm/qmp.c src/vm/qmp.h \
	src/vm/serial_index.c src/vm/serial_index.h \
	src/vm/serial_log.c src/vm/serial_log.h \
	src/vm/serial_view.c \
	src/vm/stream_fd.c src/vm/stream_fd.h \
	src/vm/user_manager.c src/vm/user_manager.h \
	src/vm/vmm.c src/vm/vmm.h \
	src/vm/vmm_firecracker.c \
	src/vm/vmm_host.c src/vm/vmm_host.h \
	src/vm/vmm_qemu.c \
	src/vm/vsock_dial.c src/vm/vsock_dial.h
