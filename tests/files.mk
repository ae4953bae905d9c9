# SPDX-License-Identifier: MIT
# Each layer's unit tests are listed in tests/unit/<layer>.mk; a test links its own layer only.
AM_TESTS_ENVIRONMENT = BANGER_TUI=$(abs_builddir)/banger-tui; export BANGER_TUI; \
	SRCDIR=$(abs_srcdir); export SRCDIR; BUILDDIR=$(abs_builddir); export BUILDDIR; \
	SANITIZERS=$(SANITIZERS); export SANITIZERS; CC='$(CC)'; export CC;
TEST_EXTENSIONS = .py .sh
PY_LOG_COMPILER = $(SHELL) $(srcdir)/tests/support/python.sh
SH_LOG_COMPILER = $(SHELL)
EXTRA_DIST += tests/support/python.sh tests/support/seed.py tests/support/seed.h
TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) -I$(top_srcdir)/tests
if HAVE_CMOCKA
include tests/unit/base.mk
include tests/unit/artifact.mk
include tests/unit/store.mk
include tests/unit/vm.mk
include tests/unit/guest.mk
include tests/unit/engine.mk
include tests/unit/batch.mk
include tests/unit/ui.mk
else
check-local:
	@echo 'make check needs cmocka: install libcmocka-dev and run configure again' >&2; exit 1
endif
include tests/batch/files.mk
include tests/tui/files.mk
include tests/smoke/files.mk
include tests/fault/files.mk
include tests/fuzz/files.mk
include tests/lint/files.mk

# All tests, those first that take longest: what begins last has nothing to run beside.
long_tests = tests/tui/test_monkey_work tests/unit/flatten_sources.py \
	tests/batch/real_network.py tests/batch/real_guest.py tests/batch/real_machines.py \
	tests/batch/real_images.py tests/batch/machine_life.py tests/unit/test_kernel_store \
	tests/batch/published.py tests/batch/network.py tests/batch/machines.py
list-tests:
	@{ echo $(TESTS); echo $(long_tests); } | awk 'NR == 1 { n = split($$0, all); \
		for (i in all) there[all[i]] = 1 } \
		NR == 2 { for (i = 1; i <= NF; i++) if ($$i in there) { print $$i; \
		delete there[$$i] } for (i = 1; i <= n; i++) if (all[i] in there) print all[i] }'
.PHONY: list-tests
