# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/tui/fake_console
tests_tui_fake_console_CPPFLAGS = $(AM_CPPFLAGS)
# Its own door stands in front of the engine's.
tests_tui_fake_console_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,muldefs
tests_tui_fake_console_LDADD = $(LINK_UI)
