#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a test that is written in Python; skips it where there is none.
command -v python3 >/dev/null || { echo 'python3 is not installed'; exit 77; }
exec python3 -B "$@"
