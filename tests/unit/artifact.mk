# SPDX-License-Identifier: MIT
artifact_tests =
artifact_tests += tests/unit/test_tar_header
tests_unit_test_tar_header_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_tar_header_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
artifact_tests += tests/unit/test_archive
tests_unit_test_archive_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_archive_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
check_PROGRAMS += $(artifact_tests)
TESTS += $(artifact_tests)
EXTRA_DIST += tests/support/hostile_http.py

artifact_net_tests = tests/unit/test_hash tests/unit/test_http
check_PROGRAMS += $(artifact_net_tests)
TESTS += $(artifact_net_tests)
tests_unit_test_hash_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_hash_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
tests_unit_test_http_SOURCES = tests/unit/test_http.c \
	tests/support/web_server.c tests/support/web_server.h
tests_unit_test_http_CPPFLAGS = $(TEST_CPPFLAGS)
tests_unit_test_http_LDADD = $(LINK_ARTIFACT) $(CMOCKA_LIBS)
