# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libbase.a
src_libbase_a_CPPFLAGS = $(AM_CPPFLAGS) $(CJSON_CFLAGS)
src_libbase_a_SOURCES = \
	src/base/base64.c src/base/base64.h \
	src/base/behind.c src/base/behind.h \
	src/base/cancel.c src/base/cancel.h \
	src/base/clock.c src/base/clock.h \
	src/base/digest.c src/base/digest.h \
	src/base/error.c src/base/error.h \
	src/base/file.c src/base/file.h \
	src/base/file_copy.c \
	src/base/file_draft.c src/base/file_draft.h \
	src/base/file_tree.c \
	src/base/json.c src/base/json.h \
	src/base/json_scan.c src/base/json_scan.h \
	src/base/json_text.c src/base/json_text.h \
	src/base/limits.c src/base/limits.h \
	src/base/log.c src/base/log.h \
	src/base/memory.c src/base/memory.h \
	src/base/name.c src/base/name.h \
	src/base/parallel.c src/base/parallel.h \
	src/base/process.c src/base/process.h \
	src/base/process_identity.c \
	src/base/progress.c src/base/progress.h \
	src/base/sync_ahead.c src/base/sync_ahead.h \
	src/base/text.c src/base/text.h \
	src/base/text_safe.c \
	src/base/tree_entry.c src/base/tree_parts.h \
	src/base/tree_place.c \
	src/base/tree_pack.c src/base/tree_stream.h \
	src/base/tree_source.c \
	src/base/tree_take.c \
	src/base/units.c src/base/units.h \
	src/base/unread.c src/base/unread.h \
	src/base/wire.c src/base/wire.h \
	src/base/wire_decode.c
