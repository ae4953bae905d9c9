# SPDX-License-Identifier: MIT
# What goes wrong outside: kills, power cuts, failing calls. The real program, one worker; a sample
# of the points in each run, all of them with BANGER_CHECK_ALL=yes.
check_PROGRAMS += tests/fault/at_call
tests_fault_at_call_LDADD = $(LINK_BASE)
fault_tests = \
	tests/fault/crowd.py \
	tests/fault/disk_full.py \
	tests/fault/failing.py \
	tests/fault/kill.py \
	tests/fault/kill_images.py \
	tests/fault/kill_machine.py \
	tests/fault/kill_snapshots.py \
	tests/fault/late_start.py \
	tests/fault/mutations.py \
	tests/fault/power_cut.py \
	tests/fault/publishing.py \
	tests/fault/sync_order.py \
	tests/fault/unread_machine.py
TESTS += $(fault_tests)
EXTRA_DIST += $(fault_tests) tests/fault/faults.py tests/fault/mutants.py
