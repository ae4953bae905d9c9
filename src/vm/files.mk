# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libvm.a
src_libvm_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
src_libvm_a_SOURCES =
