# SPDX-License-Identifier: MIT
# Parsers over kept inputs, in every run and without a fuzzer; fuzz.py is the long run with one.
fuzz_sources = tests/fuzz/fuzz.c tests/fuzz/fuzz.h tests/fuzz/targets_base.c \
	tests/fuzz/targets_archive.c tests/fuzz/targets_disk.c tests/fuzz/targets_registry.c \
	tests/fuzz/targets_store.c tests/fuzz/targets_vm.c
check_PROGRAMS += tests/fuzz/replay
tests_fuzz_replay_SOURCES = tests/fuzz/replay.c $(fuzz_sources)
tests_fuzz_replay_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_fuzz_replay_LDADD = $(LINK_BATCH)
TESTS += tests/fuzz/fuzz.py
EXTRA_DIST += tests/fuzz/fuzz.py tests/fuzz/fuzz_driver.c tests/fuzz/corpus
