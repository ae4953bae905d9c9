# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libstore.a
src_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
src_libstore_a_SOURCES =
