# SPDX-License-Identifier: MIT
# The program inside the machine: static, small, built by its own rule, because none of the flags
# for our own programs (sanitizers, PIE, hardening that wants the shared libc) apply to it.
guest_sources = \
	src/guest/agent.c \
	src/guest/boot.c \
	src/guest/command.c \
	src/guest/copy.c \
	src/guest/disks.c \
	src/guest/exec.c \
	src/guest/facts.c \
	src/guest/grow.c \
	src/guest/identity.c \
	src/guest/keys.c \
	src/guest/launch.c \
	src/guest/line.c \
	src/guest/main.c \
	src/guest/modules.c \
	src/guest/mounts.c \
	src/guest/network.c \
	src/guest/pid1.c \
	src/guest/ports.c \
	src/guest/power.c \
	src/guest/requests.c \
	src/guest/root.c \
	src/guest/stream.c \
	src/guest/stream_open.c \
	src/guest/tcp.c \
	src/guest/user.c \
	src/guest/util.c \
	src/guest/volumes.c \
	src/base/tree_entry.c \
	src/base/tree_place.c \
	src/base/tree_pack.c \
	src/base/tree_source.c \
	src/base/tree_take.c \
	src/base/wire.c \
	src/base/wire_decode.c
guest_headers = \
	src/guest/agent.h \
	src/guest/boot_parts.h \
	src/guest/command.h \
	src/guest/copy.h \
	src/guest/exec.h \
	src/guest/facts.h \
	src/guest/guest.h \
	src/guest/launch.h \
	src/guest/ports.h \
	src/guest/power.h \
	src/guest/stream.h \
	src/guest/tcp.h \
	src/guest/user.h \
	src/base/tree_parts.h \
	src/base/tree_stream.h \
	src/base/wire.h
EXTRA_DIST += $(guest_sources) $(guest_headers)

# musl-gcc knows no kernel headers: they come last, so that musl's own win.
guest_compile_flags = -std=gnu11 -Os -fno-pie -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-fstack-protector-strong -ffile-prefix-map=$(top_srcdir)/= -Wall -Wextra -Wshadow -Wvla \
	-Wno-unknown-warning-option
guest_link_flags = -static -s -Wl,--gc-sections -Wl,-z,noexecstack -Wl,--build-id=none

guest_program = src/guest/banger-guest
CLEANFILES += $(guest_program)
$(guest_program): $(guest_sources) $(guest_headers) Makefile
	@$(MKDIR_P) src/guest
	$(AM_V_GEN)case "$(GUEST_CC)" in *musl*) \
	    kernel_headers="-idirafter /usr/include -idirafter /usr/include/`$(CC) -print-multiarch`";; \
	  esac; \
	sources=; for source in $(guest_sources); do \
	    if test -f $$source; then sources="$$sources $$source"; \
	    else sources="$$sources $(srcdir)/$$source"; fi; done; \
	$(GUEST_CC) $(guest_compile_flags) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	    -DGUEST_VERSION='"$(PACKAGE_VERSION)"' -I$(top_srcdir)/src $$kernel_headers \
	    -o $@ $$sources $(guest_link_flags)
noinst_DATA += $(guest_program)

# Carried inside the engine; the object's name depends on whether its library has flags of its own.
src/engine/machine/guest_blob.$(OBJEXT) \
src/engine/machine/libengine_a-guest_blob.$(OBJEXT): $(guest_program)
