# SPDX-License-Identifier: MIT
"""docs/console.md names tests that exist."""
import re

import source

problems = []
rows = re.findall(r"^\| (T\d+) \|.*\| `([^`]+)` `([^`]+)` \|$", source.read("docs/console.md"), re.M)
for number, path, name in rows:
    try:
        text = source.read(path)
    except OSError:
        problems.append(f"docs/console.md: {number}: {path} is not there")
        continue
    if not re.search(rf"\b{name}\b", text):
        problems.append(f"docs/console.md: {number}: {path} has no {name}")
if len(rows) < 50:
    problems.append(f"docs/console.md: {len(rows)} rows are too few")
source.finish(problems, len(rows))
