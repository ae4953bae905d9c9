# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
src_libvm_a_SOURCES = \
	src/vm/accel.c src/vm/accel.h \
	src/vm/agent_client.h \
	src/vm/console.h \
	src/vm/disk.c src/vm/disk.h \
	src/vm/local_socket.c src/vm/local_socket.h \
	src/vm/machine.c src/vm/machine.h \
	src/vm/machine_control.h \
	src/vm/machine_record.c \
	src/vm/monitor.h \
	src/vm/net.c src/vm/net.h \
	src/vm/qmp.c src/vm/qmp.h \
	src/vm/vmm.c src/vm/vmm.h \
	src/vm/vmm_qemu.c
