# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libartifact.a
src_libartifact_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(ZSTD_CFLAGS) \
	$(LZMA_CFLAGS) $(ZLIB_CFLAGS) $(EXT2FS_CFLAGS) $(COMERR_CFLAGS) $(OPENSSL_CFLAGS)
src_libartifact_a_SOURCES =
