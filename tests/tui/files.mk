# SPDX-License-Identifier: MIT
# The console on a pty, read through a terminal emulator.
if HAVE_CMOCKA
if HAVE_VTERM
check_PROGRAMS += tests/tui/fake_console
tests_tui_fake_console_SOURCES = tests/tui/fake_console.c tests/tui/fake_answers.h \
	tests/tui/fake_hostile.h tests/tui/fake_rest.c tests/tui/fake_rest.h
tests_tui_fake_console_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
# Its own door stands in front of the engine's.
tests_tui_fake_console_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,muldefs
tests_tui_fake_console_LDADD = $(LINK_UI)

tui_tests = tests/tui/test_screens tests/tui/test_manners tests/tui/test_console \
	tests/tui/test_lists tests/tui/test_newcomer tests/tui/test_forms \
	tests/tui/test_jobs tests/tui/test_hostile \
	tests/tui/test_machine tests/tui/test_monkey tests/tui/test_monkey_work \
	tests/tui/test_seats tests/tui/test_hung
check_PROGRAMS += $(tui_tests)
TESTS += $(tui_tests)
TUI_CPPFLAGS = $(TEST_CPPFLAGS) $(VTERM_CFLAGS)
TUI_LIBS = $(LINK_BASE) $(CMOCKA_LIBS) $(VTERM_LIBS) -lutil
tui_support = tests/support/pty_vterm.c tests/support/pty_vterm.h
at_rest = tests/tui/at_rest.h tests/tui/fake_rest.h tests/support/scratch.h

tests_tui_test_screens_SOURCES = tests/tui/test_screens.c $(tui_support)
tests_tui_test_screens_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_screens_LDADD = $(TUI_LIBS)

tui_world = $(tui_support) tests/tui/console_world.h \
	tests/support/web_server.c tests/support/web_server.h
tests_tui_test_manners_SOURCES = tests/tui/test_manners.c $(tui_world)
tests_tui_test_manners_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_manners_LDADD = $(TUI_LIBS)

tests_tui_test_console_SOURCES = tests/tui/test_console.c tests/tui/catalog_world.h $(tui_world)
tests_tui_test_console_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_console_LDADD = $(TUI_LIBS)

tests_tui_test_lists_SOURCES = tests/tui/test_lists.c $(tui_support)
tests_tui_test_lists_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_lists_LDADD = $(TUI_LIBS)

tests_tui_test_jobs_SOURCES = tests/tui/test_jobs.c tests/tui/catalog_world.h $(tui_world)
tests_tui_test_jobs_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_jobs_LDADD = $(TUI_LIBS)

tests_tui_test_hostile_SOURCES = tests/tui/test_hostile.c tests/tui/own_bytes.h $(at_rest) \
	$(tui_support)
tests_tui_test_hostile_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_hostile_LDADD = $(TUI_LIBS)

tests_tui_test_forms_SOURCES = tests/tui/test_forms.c $(tui_world)
tests_tui_test_forms_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_forms_LDADD = $(TUI_LIBS)

tests_tui_test_newcomer_SOURCES = tests/tui/test_newcomer.c $(tui_support)
tests_tui_test_newcomer_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_newcomer_LDADD = $(TUI_LIBS)

tests_tui_test_monkey_SOURCES = tests/tui/test_monkey.c tests/tui/monkey.h tests/tui/own_bytes.h \
	$(at_rest) $(tui_support)
tests_tui_test_monkey_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_monkey_LDADD = $(TUI_LIBS)

tests_tui_test_monkey_work_SOURCES = tests/tui/test_monkey_work.c tests/tui/monkey.h \
	tests/tui/monkey_world.h tests/tui/own_bytes.h tests/tui/catalog_world.h \
	tests/tui/guest_world.h $(tui_world)
tests_tui_test_monkey_work_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_monkey_work_LDADD = $(TUI_LIBS)

tests_tui_test_machine_SOURCES = tests/tui/test_machine.c tests/tui/guest_world.h $(tui_world)
tests_tui_test_machine_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_machine_LDADD = $(TUI_LIBS)

tests_tui_test_hung_SOURCES = tests/tui/test_hung.c tests/tui/guest_world.h \
	tests/tui/catalog_world.h tests/support/hung_disk.c tests/support/hung_disk.h $(tui_world)
tests_tui_test_hung_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_hung_LDADD = $(TUI_LIBS)

tests_tui_test_seats_SOURCES = tests/tui/test_seats.c tests/tui/guest_world.h $(tui_world)
tests_tui_test_seats_CPPFLAGS = $(TUI_CPPFLAGS)
tests_tui_test_seats_LDADD = $(TUI_LIBS)

# Renders docs/screens anew: look at what changed before it is committed.
screens: tests/tui/fake_console$(EXEEXT) tests/tui/test_screens$(EXEEXT)
	SCREENS_WRITE=$(abs_srcdir)/docs/screens BUILDDIR=$(abs_builddir) SRCDIR=$(abs_srcdir) \
		tests/tui/test_screens

# The pictures of README.md, from the same cells; needs python3-pil and fonts-dejavu-core.
readme_pictures = busy-120x40 run-80x24 mismatch-why-80x24 log-80x24
python_of_docs = /usr/bin/python3
pictures: tests/tui/fake_console$(EXEEXT) tests/tui/test_screens$(EXEEXT)
	rm -rf tests/tui/cells && $(MKDIR_P) tests/tui/cells
	SCREENS_CELLS=$(abs_builddir)/tests/tui/cells BUILDDIR=$(abs_builddir) \
		SRCDIR=$(abs_srcdir) tests/tui/test_screens
	$(python_of_docs) $(srcdir)/scripts/draw-screens.py tests/tui/cells $(srcdir)/docs/screens \
		$(readme_pictures)
	rm -rf tests/tui/cells
endif
endif
.PHONY: screens pictures
EXTRA_DIST += docs/screens scripts/draw-screens.py
