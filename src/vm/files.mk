# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
src_libvm_a_SOURCES = \
	src/vm/accel.h \
	src/vm/agent_client.h \
	src/vm/console.h \
	src/vm/disk.h \
	src/vm/machine.h \
	src/vm/machine_control.h \
	src/vm/monitor.h \
	src/vm/net.h \
	src/vm/qmp.h \
	src/vm/vmm.h
