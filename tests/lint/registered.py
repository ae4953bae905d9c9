# SPDX-License-Identifier: MIT
"""Every test that lies in the tree runs, and every source is part of the program."""
import re

import source


def words(top):
    found = set()
    for path in source.files(top, ends=(".mk",)):
        found.update(re.split(r"[\s\\=]+", source.read(path)))
    return found


problems = []
listed = words("tests") | words("src") | words("data") | words("scripts") | words("bench") | set(
    re.split(r"[\s\\=]+", source.read("Makefile.am")))
checked = 0
for path in source.files("tests/unit", "tests/tui", "tests/smoke", "tests/fault", "tests/fuzz", ends=(".c",)):
    checked += 1
    if path[:-2] not in listed and path not in listed:
        problems.append(f"{path}: no .mk file lists it")
for path in source.files("tests/batch", "tests/fault", "tests/fuzz", "tests/lint", "tests/smoke", ends=(".py", ".sh")):
    checked += 1
    if path not in listed:
        problems.append(f"{path}: no .mk file lists it")
for path in source.files("tests/support", "data", "scripts", ends=(".h", ".c", ".py", ".sh", ".json")):
    checked += 1
    program = path[:-len(".c")] if path.endswith(".c") else path  # its source by automake's rule
    if not {path, program} & listed and not path.startswith("data/written/"):
        problems.append(f"{path}: no .mk file lists it, so it is not in the distribution")
for path in source.files("src"):
    checked += 1
    if path not in listed:
        problems.append(f"{path}: no files.mk lists it, so it is not in the distribution")
source.finish(problems, checked)
