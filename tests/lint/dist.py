#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every file of the repository is in the release's tarball, so that what was tested can be built."""

import os
import subprocess
import sys

top = os.environ.get("SRCDIR", ".")
# What only a repository needs.
OUTSIDE = {".gitignore", ".ci/run"}
# Folders that are listed whole.
WHOLE = ("docs/screens/", "m4/", "tests/fuzz/corpus/")

listing = subprocess.run(["git", "-C", top, "ls-files"], capture_output=True, text=True)
if listing.returncode != 0:
    print("not a git checkout: nothing to compare")
    sys.exit(77)
makefile = os.path.join(os.environ.get("BUILDDIR", "."), "Makefile")
with open(makefile, encoding="utf-8") as file:
    mentioned = file.read()
missing = [
    name for name in listing.stdout.split()
    if name not in OUTSIDE and not name.endswith(".mk") and name not in mentioned
    and name not in ("configure.ac", "Makefile.am") and not name.startswith(WHOLE)
]
for name in missing:
    print(f"{name}: in the repository but in no Makefile list: the tarball lacks it")
print(f"{len(listing.stdout.split())} files, {len(missing)} missing")
sys.exit(1 if missing else 0)
