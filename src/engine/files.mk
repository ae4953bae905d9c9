# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libengine.a
src_libengine_a_SOURCES = \
	src/engine/command.c src/engine/command.h \
	src/engine/command_table.c \
	src/engine/engine.h \
	src/engine/job_file.h \
	src/engine/ops.h \
	src/engine/ops_pending.c \
	src/engine/section.c src/engine/section.h \
	src/engine/snapshot.h \
	src/engine/state.h
