# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libui.a
src_libui_a_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS)
src_libui_a_SOURCES = \
	src/ui/actions.c src/ui/actions.h \
	src/ui/app.c src/ui/app.h \
	src/ui/attach.c src/ui/attach.h \
	src/ui/bottom.c src/ui/bottom.h \
	src/ui/cell.c src/ui/cell.h \
	src/ui/cells.c src/ui/cells.h \
	src/ui/choice.h \
	src/ui/clipboard.c src/ui/clipboard.h \
	src/ui/complete.c src/ui/complete.h \
	src/ui/details.c src/ui/details.h \
	src/ui/details_answer.c \
	src/ui/dialog.c src/ui/dialog.h \
	src/ui/draw.c src/ui/draw.h \
	src/ui/edit.c src/ui/edit.h \
	src/ui/files.c src/ui/files.h \
	src/ui/form.c src/ui/form.h \
	src/ui/format.c src/ui/format.h \
	src/ui/header.c src/ui/header.h \
	src/ui/jobs.c src/ui/jobs.h \
	src/ui/keys.c src/ui/keys.h \
	src/ui/kept.c src/ui/kept.h \
	src/ui/layout.c src/ui/layout.h \
	src/ui/line.c src/ui/line.h \
	src/ui/listbox.c src/ui/listbox.h \
	src/ui/machines.c src/ui/machines.h \
	src/ui/main_act.c \
	src/ui/main_click.c \
	src/ui/main_draw.c src/ui/main_jobs.c src/ui/main_screen.h \
	src/ui/pager.c src/ui/pager.h \
	src/ui/pane_catalog.c \
	src/ui/pane_images.c \
	src/ui/pane_jobs.c \
	src/ui/pane_kernels.c \
	src/ui/pane_vms.c \
	src/ui/panes.c src/ui/panes.h \
	src/ui/picker.h \
	src/ui/plan.c src/ui/plan.h \
	src/ui/questions.c \
	src/ui/refusals.c src/ui/refusals.h \
	src/ui/result.c src/ui/result.h \
	src/ui/screen.h \
	src/ui/screen_choice.c \
	src/ui/screen_columns.c \
	src/ui/screen_confirm.c \
	src/ui/screen_form.c \
	src/ui/screen_main.c \
	src/ui/screen_menu.c \
	src/ui/screen_palette.c \
	src/ui/screen_picker.c \
	src/ui/screen_quit.c \
	src/ui/screen_stream.c \
	src/ui/screen_trash.c \
	src/ui/screen_undo.c \
	src/ui/screen_viewers.c \
	src/ui/screen_wait.c \
	src/ui/screens.h \
	src/ui/seat.c src/ui/seat.h \
	src/ui/stream.c src/ui/stream.h \
	src/ui/table.c src/ui/table.h \
	src/ui/table_draw.c \
	src/ui/tail.c src/ui/tail.h \
	src/ui/term.c src/ui/term.h \
	src/ui/term_key.c src/ui/term_key.h \
	src/ui/theme.c src/ui/theme.h \
	src/ui/undo.c src/ui/undo.h \
	src/ui/viewer.c src/ui/viewer.h \
	src/ui/welcome.c src/ui/welcome.h
