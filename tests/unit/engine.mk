# SPDX-License-Identifier: MIT
engine_tests = \
	tests/unit/test_command \
	tests/unit/test_engine \
	tests/unit/test_image_pull \
	tests/unit/test_job \
	tests/unit/test_job_file \
	tests/unit/test_job_queue \
	tests/unit/test_kernel_elf \
	tests/unit/test_leave \
	tests/unit/test_meter \
	tests/unit/test_news \
	tests/unit/test_ops \
	tests/unit/test_section \
	tests/unit/test_state \
	tests/unit/test_watcher \
	tests/unit/test_workers
check_PROGRAMS += $(engine_tests)
TESTS += $(engine_tests)
tests_unit_test_command_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_command_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_engine_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_engine_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_image_pull_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_image_pull_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_job_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_job_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_job_queue_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_job_queue_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_job_file_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_job_file_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_kernel_elf_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_kernel_elf_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_leave_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_leave_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_meter_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_meter_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_news_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_news_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_ops_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_ops_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_section_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_section_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_state_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_state_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_watcher_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_watcher_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)
tests_unit_test_workers_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_workers_LDADD = $(LINK_ENGINE) $(CMOCKA_LIBS)

# Whole layers, each with what it may call and nothing else: see test_link.c.
link_tests = tests/unit/link_base tests/unit/link_artifact tests/unit/link_store \
	tests/unit/link_vm tests/unit/link_engine
check_PROGRAMS += $(link_tests)
TESTS += $(link_tests)
LINK_ARTIFACT_LIBS = $(CURL_LIBS) $(ARCHIVE_LIBS) $(ZSTD_LIBS) $(LZMA_LIBS) $(ZLIB_LIBS) $(ISAL_LIBS) \
	$(EXT2FS_LIBS) $(COMERR_LIBS) $(OPENSSL_LIBS)
tests_unit_link_base_SOURCES = tests/unit/test_link.c
tests_unit_link_base_DEPENDENCIES = src/libbase.a
tests_unit_link_base_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--whole-archive,src/libbase.a,--no-whole-archive
tests_unit_link_base_LDADD = $(CJSON_LIBS) -lm
tests_unit_link_artifact_SOURCES = tests/unit/test_link.c
tests_unit_link_artifact_DEPENDENCIES = src/libartifact.a src/libbase.a
tests_unit_link_artifact_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--whole-archive,src/libartifact.a,src/libbase.a,--no-whole-archive
tests_unit_link_artifact_LDADD = $(LINK_ARTIFACT_LIBS) $(CJSON_LIBS) -lm
tests_unit_link_store_SOURCES = tests/unit/test_link.c
tests_unit_link_store_DEPENDENCIES = src/libstore.a src/libbase.a
tests_unit_link_store_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--whole-archive,src/libstore.a,src/libbase.a,--no-whole-archive
tests_unit_link_store_LDADD = $(INIH_LIBS) $(CJSON_LIBS) -lm
tests_unit_link_vm_SOURCES = tests/unit/test_link.c
tests_unit_link_vm_DEPENDENCIES = src/libvm.a src/libbase.a
tests_unit_link_vm_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--whole-archive,src/libvm.a,src/libbase.a,--no-whole-archive
tests_unit_link_vm_LDADD = $(CURL_LIBS) $(CJSON_LIBS) -lm
tests_unit_link_engine_SOURCES = tests/unit/test_link.c
tests_unit_link_engine_DEPENDENCIES = src/libengine.a src/libartifact.a src/libstore.a \
	src/libvm.a src/libbase.a
tests_unit_link_engine_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--whole-archive,src/libengine.a,src/libartifact.a,src/libstore.a,src/libvm.a,src/libbase.a,--no-whole-archive
tests_unit_link_engine_LDADD = $(LINK_ARTIFACT_LIBS) $(INIH_LIBS) $(CJSON_LIBS) -lm
EXTRA_DIST += tests/support/engine_world.h tests/support/bzimage_maker.h
