# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libartifact.a
src_libartifact_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(ZSTD_CFLAGS) \
	$(LZMA_CFLAGS) $(ZLIB_CFLAGS) $(ISAL_CFLAGS) $(EXT2FS_CFLAGS) $(COMERR_CFLAGS) $(OPENSSL_CFLAGS)
src_libartifact_a_SOURCES =
src_libartifact_a_SOURCES += \
	src/artifact/archive.c src/artifact/archive.h \
	src/artifact/bundle.c src/artifact/bundle.h \
	src/artifact/bundle_child.c src/artifact/bundle_child.h \
	src/artifact/bundle_frame.h \
	src/artifact/bundle_run.c \
	src/artifact/bundle_write.c src/artifact/bundle_write.h \
	src/artifact/bzimage.c src/artifact/bzimage.h \
	src/artifact/compress.c src/artifact/compress.h \
	src/artifact/confine.c src/artifact/confine.h \
	src/artifact/deb.c src/artifact/deb.h \
	src/artifact/deb_unpack.c \
	src/artifact/flatten.c src/artifact/flatten.h \
	src/artifact/flatten_directory.c \
	src/artifact/flatten_write.c src/artifact/flatten_write.h \
	src/artifact/kernel_config.c src/artifact/kernel_config.h \
	src/artifact/kernel_dir.c src/artifact/kernel_dir.h \
	src/artifact/kernel_find.c src/artifact/kernel_find.h \
	src/artifact/kernel_modules.c \
	src/artifact/kernel_probe.c src/artifact/kernel_probe.h \
	src/artifact/layer.c src/artifact/layer.h \
	src/artifact/layer_link.c \
	src/artifact/layer_newest.c \
	src/artifact/layer_order.c \
	src/artifact/layer_path.c src/artifact/layer_path.h \
	src/artifact/layer_read.c src/artifact/layer_read.h \
	src/artifact/layer_stack.h \
	src/artifact/layer_walked.c src/artifact/layer_walked.h \
	src/artifact/tar_block.c src/artifact/tar_block.h \
	src/artifact/tar_header.c src/artifact/tar_header.h \
	src/artifact/tar_member.c \
	src/artifact/tar_pax.c src/artifact/tar_pax.h \
	src/artifact/tar_sparse.c src/artifact/tar_sparse.h \
	src/artifact/tar_writer.c src/artifact/tar_writer.h \
	src/artifact/tree.c src/artifact/tree.h \
	src/artifact/unpack.c src/artifact/unpack.h
src_libartifact_a_SOURCES += \
	src/artifact/apt.c src/artifact/apt.h \
	src/artifact/apt_cache.c src/artifact/apt_cache.h \
	src/artifact/apt_search.c src/artifact/apt_search.h \
	src/artifact/apt_text.c src/artifact/apt_text.h \
	src/artifact/decompress.c src/artifact/decompress.h \
	src/artifact/decompress_ahead.c src/artifact/decompress_ahead.h \
	src/artifact/decompress_codec.h \
	src/artifact/decompress_stream.c \
	src/artifact/hash.c src/artifact/hash.h \
	src/artifact/http.c src/artifact/http.h \
	src/artifact/http_download.c \
	src/artifact/http_exchange.h \
	src/artifact/http_file.c src/artifact/http_file.h \
	src/artifact/http_parse.c src/artifact/http_parse.h \
	src/artifact/http_reply.c \
	src/artifact/http_small.c \
	src/artifact/http_url.c src/artifact/http_url.h \
	src/artifact/lz4_legacy.c src/artifact/lz4_legacy.h \
	src/artifact/part.c src/artifact/part.h \
	src/artifact/signature.c src/artifact/signature.h
src_libartifact_a_SOURCES += \
	src/artifact/cpio.c src/artifact/cpio.h \
	src/artifact/ext4.c src/artifact/ext4.h \
	src/artifact/ext4_dir.c \
	src/artifact/ext4_finish.c \
	src/artifact/ext4_fs.h \
	src/artifact/ext4_inode.c \
	src/artifact/ext4_lift.c \
	src/artifact/ext4_open.h \
	src/artifact/ext4_read.c src/artifact/ext4_read.h \
	src/artifact/ext4_writer.c src/artifact/ext4_writer.h \
	src/artifact/initrd.c src/artifact/initrd.h \
	src/artifact/modinfo.c src/artifact/modinfo.h \
	src/artifact/module_set.c src/artifact/module_set.h \
	src/artifact/work_seed.c src/artifact/work_seed.h
src_libartifact_a_SOURCES += \
	src/artifact/blob_cache.c src/artifact/blob_cache.h \
	src/artifact/oci_auth.c src/artifact/oci_auth.h \
	src/artifact/oci_auth_file.c \
	src/artifact/oci_challenge.c src/artifact/oci_challenge.h \
	src/artifact/oci_config.c src/artifact/oci_config.h \
	src/artifact/oci_credentials.c src/artifact/oci_credentials.h \
	src/artifact/oci_descriptor.c src/artifact/oci_descriptor.h \
	src/artifact/oci_image.c src/artifact/oci_image.h \
	src/artifact/oci_layers.c src/artifact/oci_layers.h \
	src/artifact/oci_manifest.c src/artifact/oci_manifest.h \
	src/artifact/oci_fetch.c src/artifact/oci_fetch.h \
	src/artifact/oci_pull.c src/artifact/oci_pull.h \
	src/artifact/oci_registry.c src/artifact/oci_registry.h \
	src/artifact/oci_ref.c src/artifact/oci_ref.h
if HAVE_ISAL
src_libartifact_a_SOURCES += src/artifact/decompress_isal.c
endif
