# SPDX-License-Identifier: MIT
# Each lint is a test of its own, so that a failing one has a name.
lint_tests = \
	tests/lint/banned.py \
	tests/lint/console.py \
	tests/lint/contract.py \
	tests/lint/format.sh \
	tests/lint/functions.py \
	tests/lint/hardening.py \
	tests/lint/headers.sh \
	tests/lint/includes.py \
	tests/lint/readme.py tests/lint/dist.py \
	tests/lint/registered.py \
	tests/lint/shellcheck.sh \
	tests/lint/text.py
TESTS += $(lint_tests)
EXTRA_DIST += $(lint_tests) tests/lint/source.py docs/console.md docs/contract.md
