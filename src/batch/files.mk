# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libbatch.a
src_libbatch_a_SOURCES =
