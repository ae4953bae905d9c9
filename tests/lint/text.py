# SPDX-License-Identifier: MIT
"""What every source file has and has not: licence, guard, width, no leftovers."""
import re

import source

# clang-format holds code to 100 columns and lets a comment run over by a few.
WIDTH = 104

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
GENERATED = re.compile(r"src/.*/(generated|embedded)_.*")

problems = []
checked = 0
for path in source.files("src", "tests"):
    if GENERATED.match(path):
        continue
    checked += 1
    lines = source.read(path).split("\n")
    if lines[0] != "/* SPDX-License-Identifier: MIT */":
        problems.append(f"{path}:1: the first line is /* SPDX-License-Identifier: MIT */")
    if path.endswith(".h") and "#pragma once" not in lines[:4]:
        problems.append(f"{path}:2: #pragma once is missing")
    for number, line in enumerate(lines, 1):
        if len(line) > WIDTH:
            problems.append(f"{path}:{number}: {len(line)} columns, 100 are enough")
        if "\t" in line or "\r" in line or line != line.rstrip():
            problems.append(f"{path}:{number}: tab, carriage return or blank at the end")
        if LEFTOVERS.search(line):
            problems.append(f"{path}:{number}: finish it or write an issue")
    if lines[-1] != "" or lines[-2:] == ["", ""]:
        problems.append(f"{path}: ends with exactly one line end")
for path in source.files("src", "tests", "data", ends=(".mk", ".py", ".sh", ".am")):
    checked += 1
    head = source.read(path).split("\n")[:2]
    if not any("SPDX-License-Identifier: MIT" in line for line in head):
        problems.append(f"{path}:1: # SPDX-License-Identifier: MIT is missing")
source.finish(problems, checked)
