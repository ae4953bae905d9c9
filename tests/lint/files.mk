# SPDX-License-Identifier: MIT
# Each lint is a test of its own, so that a failing one has a name.
lint_tests = tests/lint/includes.py tests/lint/banned.py tests/lint/functions.py \
	tests/lint/text.py tests/lint/registered.py tests/lint/contract.py \
	tests/lint/headers.sh tests/lint/shellcheck.sh tests/lint/format.sh
TESTS += $(lint_tests)
EXTRA_DIST += $(lint_tests) tests/lint/source.py docs/contract.md
