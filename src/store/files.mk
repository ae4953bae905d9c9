# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libstore.a
src_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
src_libstore_a_SOURCES = \
	src/store/catalog.h \
	src/store/config.h \
	src/store/entries.c src/store/entries.h \
	src/store/image_store.h \
	src/store/kernel_store.c src/store/kernel_store.h \
	src/store/layout.c src/store/layout.h \
	src/store/lock.c src/store/lock.h \
	src/store/publish.c src/store/publish.h \
	src/store/sweep.c \
	src/store/sync_tree.c src/store/sync_tree.h \
	src/store/trash.h \
	src/store/vm_store.h
