# SPDX-License-Identifier: MIT
check_PROGRAMS += tests/tui/fake_console
tests_tui_fake_console_CPPFLAGS = $(AM_CPPFLAGS)
tests_tui_fake_console_LDADD = $(LINK_UI)
