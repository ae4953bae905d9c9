# SPDX-License-Identifier: MIT
"""Functions of more than 60 lines are named, more than 100 fail; so do files past 800."""
import re

import source

NAMED = 60
FAILING = 100
FILE_NAMED = 500
FILE_FAILING = 800

NAME = re.compile(r"(\w+)\s*\(")

problems = []
checked = 0
longest = []
for path in source.files("src"):
    lines = source.code(path).split("\n")
    if len(lines) > FILE_FAILING:
        problems.append(f"{path}: {len(lines)} lines: there is a second subject in it")
    elif len(lines) > FILE_NAMED:
        print(f"{path}: {len(lines)} lines: look for the second subject")
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            checked += 1
            length = number - start + 1
            head = start
            while head > 0 and not NAME.search(lines[head]):
                head -= 1
            while head > 0 and lines[head].startswith(" "):
                head -= 1
            match = NAME.search(lines[head])
            longest.append((length, f"{path}:{head + 1}", match.group(1) if match else "?"))
            start = None
for length, place, name in sorted(longest, reverse=True):
    if length > FAILING:
        problems.append(f"{place}: {name} has {length} lines")
    elif length > NAMED:
        print(f"{place}: {name} has {length} lines")
source.finish(problems, checked)
