# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libstore.a
src_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
src_libstore_a_SOURCES = \
	src/store/catalog.c src/store/catalog.h \
	src/store/catalog_build.h \
	src/store/catalog_copy.c \
	src/store/catalog_document.c src/store/catalog_document.h \
	src/store/catalog_load.c \
	src/store/catalog_reference.c \
	src/store/catalog_trust.c \
	src/store/catalog_url.c src/store/catalog_url.h \
	src/store/config.c src/store/config.h \
	src/store/config_keys.c src/store/config_keys.h \
	src/store/embedded_catalog.c src/store/embedded_catalog.h \
	src/store/entries.c src/store/entries.h \
	src/store/entries_document.c \
	src/store/entry_index.c src/store/entry_index.h \
	src/store/entry_listing.c src/store/entry_listing.h \
	src/store/image_store.c src/store/image_store.h \
	src/store/kept.c src/store/kept.h \
	src/store/kernel_store.c src/store/kernel_store.h \
	src/store/layout.c src/store/layout.h \
	src/store/lock.c src/store/lock.h \
	src/store/publish.c src/store/publish.h \
	src/store/sweep.c \
	src/store/sync_tree.c src/store/sync_tree.h \
	src/store/trash.c src/store/trash.h \
	src/store/usage.c src/store/usage.h \
	src/store/vm_snapshot.c src/store/vm_snapshot.h \
	src/store/vm_store.c src/store/vm_store.h

# The built-in catalog: checked by the program's own parser, then compiled in. Editing it rebuilds
# the program; a malformed one stops the build here.
noinst_PROGRAMS += src/store/embed_catalog
src_store_embed_catalog_SOURCES = src/store/embed_catalog.c src/store/catalog_document.c \
	src/store/catalog_url.c
src_store_embed_catalog_LDADD = $(LINK_BASE)
CLEANFILES += src/store/embedded_catalog.inc
BUILT_SOURCES += src/store/embedded_catalog.inc
src/store/embedded_catalog.inc: data/catalog.json src/store/embed_catalog$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) src/store && \
	src/store/embed_catalog$(EXEEXT) $(top_srcdir)/data/catalog.json > $@.tmp && \
	mv -f $@.tmp $@ || { rm -f $@.tmp; exit 1; }
src/store/libstore_a-embedded_catalog.$(OBJEXT): src/store/embedded_catalog.inc
