# SPDX-License-Identifier: MIT
# The guest program's code, compiled once more with the flags (and sanitizers) of everything else.
guest_tests = tests/unit/test_guest_agent tests/unit/test_guest_facts tests/unit/test_guest_line
check_PROGRAMS += $(guest_tests)
TESTS += $(guest_tests)
guest_test_flags = $(TEST_CPPFLAGS) -DGUEST_VERSION='"test"'

tests_unit_test_guest_agent_SOURCES = tests/unit/test_guest_agent.c \
	tests/support/agent_alone.c tests/support/agent_alone.h \
	tests/support/wire_peer.c tests/support/wire_peer.h \
	src/guest/agent.c src/guest/agent.h src/guest/command.c src/guest/command.h \
	src/guest/exec.c src/guest/exec.h src/guest/facts.c src/guest/facts.h \
	src/guest/copy.c src/guest/ports.c src/guest/requests.c src/guest/stream.c \
	src/guest/stream_open.c src/guest/stream.h src/guest/tcp.c src/guest/copy.h src/guest/ports.h src/guest/tcp.h \
	src/guest/user.c src/guest/user.h src/guest/util.c src/guest/guest.h
tests_unit_test_guest_agent_CPPFLAGS = $(guest_test_flags)
tests_unit_test_guest_agent_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)

# The agent in this host's world, behind the stand-in for QEMU.
check_PROGRAMS += tests/support/real_agent
tests_support_real_agent_SOURCES = tests/support/real_agent.c tests/support/agent_alone.c \
	src/guest/agent.c src/guest/command.c src/guest/copy.c src/guest/exec.c src/guest/facts.c \
	src/guest/ports.c src/guest/requests.c src/guest/stream.c src/guest/stream_open.c \
	src/guest/tcp.c src/guest/user.c src/guest/util.c
tests_support_real_agent_CPPFLAGS = $(guest_test_flags)
tests_support_real_agent_LDADD = $(LINK_BASE)

tests_unit_test_guest_facts_SOURCES = tests/unit/test_guest_facts.c \
	src/guest/keys.c src/guest/network.c src/guest/boot_parts.h src/guest/facts.c src/guest/facts.h src/guest/power.c src/guest/power.h \
	src/guest/user.c src/guest/user.h src/guest/util.c src/guest/guest.h
tests_unit_test_guest_facts_CPPFLAGS = $(guest_test_flags)
tests_unit_test_guest_facts_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)

# Where a socket and a directory of the guest's come from, the test says.
tests_unit_test_guest_line_SOURCES = tests/unit/test_guest_line.c \
	src/guest/agent.h src/guest/guest.h src/guest/line.c src/guest/util.c
tests_unit_test_guest_line_CPPFLAGS = $(guest_test_flags)
tests_unit_test_guest_line_LDFLAGS = -Wl,--wrap=socket -Wl,--wrap=bind -Wl,--wrap=opendir -Wl,--wrap=uptime_ms
tests_unit_test_guest_line_LDADD = $(LINK_BASE) $(CMOCKA_LIBS)
