# SPDX-License-Identifier: MIT
artifact_tests =
artifact_tests += tests/unit/test_tar_header
tests_unit_test_tar_header_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_tar_header_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_archive
tests_unit_test_archive_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_archive_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_bundle
tests_unit_test_bundle_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_bundle_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_bundle_write
tests_unit_test_bundle_write_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_bundle_write_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_bzimage
tests_unit_test_bzimage_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_bzimage_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_kernel_config
tests_unit_test_kernel_config_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_kernel_config_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_kernel_dir
tests_unit_test_kernel_dir_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_kernel_dir_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_confine
tests_unit_test_confine_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_confine_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_deb
tests_unit_test_deb_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_deb_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_must_fail
tests_unit_test_must_fail_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_must_fail_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
EXTRA_DIST += tests/support/no_openat2.h tests/support/make_bundle.py tests/support/tar_maker.h \
	tests/data/must-fail/corpus.py
check_PROGRAMS += $(artifact_tests)
TESTS += $(artifact_tests)
EXTRA_DIST += tests/support/hostile_http.py

artifact_net_tests = tests/unit/test_apt tests/unit/test_decompress tests/unit/test_hash \
	tests/unit/test_http tests/unit/test_http_parse tests/unit/test_signature
check_PROGRAMS += $(artifact_net_tests)
TESTS += $(artifact_net_tests)
tests_unit_test_apt_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_apt_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_decompress_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_decompress_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_signature_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_signature_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_hash_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_hash_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_http_SOURCES = tests/unit/test_http.c \
	tests/support/web_server.c tests/support/web_server.h
tests_unit_test_http_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_http_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)

artifact_machine_tests = tests/unit/test_ext4 tests/unit/test_initrd tests/unit/test_modinfo
check_PROGRAMS += $(artifact_machine_tests)
TESTS += $(artifact_machine_tests)
tests_unit_test_ext4_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ext4_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_modinfo_SOURCES = tests/unit/test_modinfo.c \
	tests/support/module_maker.c tests/support/module_maker.h
tests_unit_test_modinfo_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_modinfo_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_initrd_SOURCES = tests/unit/test_initrd.c \
	tests/support/module_maker.c tests/support/module_maker.h
tests_unit_test_initrd_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_initrd_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_http_parse_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_http_parse_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)

artifact_oci_tests = tests/unit/test_blob_cache tests/unit/test_oci_auth \
	tests/unit/test_oci_manifest tests/unit/test_oci_pull tests/unit/test_oci_real \
	tests/unit/test_oci_ref
EXTRA_DIST += tests/support/real_registry.py tests/support/registry.py
check_PROGRAMS += $(artifact_oci_tests)
TESTS += $(artifact_oci_tests)
tests_unit_test_blob_cache_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_blob_cache_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_oci_manifest_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_oci_manifest_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_oci_ref_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_oci_ref_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_oci_pull_SOURCES = tests/unit/test_oci_pull.c \
	tests/support/web_server.c tests/support/web_server.h
tests_unit_test_oci_pull_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_oci_pull_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_oci_auth_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_oci_auth_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_oci_real_SOURCES = tests/unit/test_oci_real.c \
	tests/support/web_server.c tests/support/web_server.h
tests_unit_test_oci_real_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_oci_real_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)

check_PROGRAMS += tests/support/flatten_driver
tests_support_flatten_driver_LDADD = $(LINK_ARTIFACT)
dist_check_SCRIPTS += tests/unit/flatten_stacks.py
TESTS += tests/unit/flatten_stacks.py
EXTRA_DIST += tests/support/ext4_tree.py tests/support/layers.py
dist_check_SCRIPTS += tests/unit/flatten_sources.py tests/unit/flatten_umoci.py
TESTS += tests/unit/flatten_sources.py tests/unit/flatten_umoci.py
dist_check_SCRIPTS += tests/unit/flatten_hostile.py
TESTS += tests/unit/flatten_hostile.py
