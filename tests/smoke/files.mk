# SPDX-License-Identifier: MIT
# Real machines. The program inside their images is built like the guest's own.
smoke_probe = tests/smoke/probe
CLEANFILES += $(smoke_probe)
smoke_net_probe = tests/smoke/net_probe
CLEANFILES += $(smoke_net_probe)
EXTRA_DIST += tests/smoke/probe.c tests/smoke/net_probe.c tests/smoke/test_kernel.sh tests/smoke/test_image.sh
$(smoke_net_probe): tests/smoke/net_probe.c Makefile
	@$(MKDIR_P) tests/smoke
	$(AM_V_GEN)$(GUEST_CC) -std=gnu11 -D_GNU_SOURCE -Os -s -static -o $@ \
	    `test -f tests/smoke/net_probe.c || echo $(srcdir)/`tests/smoke/net_probe.c
slept = tests/support/slept.so
CLEANFILES += $(slept)
EXTRA_DIST += tests/support/slept.c
$(slept): tests/support/slept.c Makefile
	@$(MKDIR_P) tests/support
	$(AM_V_GEN)$(CC) -std=gnu11 -D_GNU_SOURCE -Os -shared -fPIC -o $@ \
	    `test -f tests/support/slept.c || echo $(srcdir)/`tests/support/slept.c
$(smoke_probe): tests/smoke/probe.c Makefile
	@$(MKDIR_P) tests/smoke
	$(AM_V_GEN)$(GUEST_CC) -std=gnu11 -D_GNU_SOURCE -Os -s -static -o $@ \
	    `test -f tests/smoke/probe.c || echo $(srcdir)/`tests/smoke/probe.c

if HAVE_CMOCKA
smoke_tests = tests/smoke/boot
check_PROGRAMS += $(smoke_tests)
check_DATA += $(smoke_probe) $(smoke_net_probe) $(slept)
TESTS += $(smoke_tests)
tests_smoke_boot_SOURCES = tests/smoke/boot.c \
	tests/support/wire_peer.c tests/support/wire_peer.h tests/support/scratch.h
tests_smoke_boot_CPPFLAGS = $(TEST_CPPFLAGS)
tests_smoke_boot_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
endif
