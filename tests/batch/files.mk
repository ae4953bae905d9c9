# SPDX-License-Identifier: MIT
# World before, commands, world after: the real program on a temporary state directory.
batch_world_tests = tests/batch/local.py tests/batch/usage.py tests/batch/scripts.py
TESTS += $(batch_world_tests)
EXTRA_DIST += $(batch_world_tests) tests/batch/world.py
tests/batch/local.log: banger
