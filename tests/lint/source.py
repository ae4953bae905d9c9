# SPDX-License-Identifier: MIT
"""The source tree as the lints see it."""
import os
import re
import sys

ROOT = os.environ.get("SRCDIR") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def files(*tops, ends=(".c", ".h")):
    """Paths below the folders, relative to the root, sorted."""
    found = []
    for top in tops:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith(ends):
                    found.append(os.path.relpath(os.path.join(folder, name), ROOT))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def code(path):
    """The text with comments, strings and characters blanked, every offset kept."""
    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return "".join(c if c == "\n" else " " for c in token)
    return _TOKEN.sub(blank, read(path))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def finish(problems, checked):
    """Prints what was found and ends the lint."""
    for problem in problems:
        print(problem)
    if checked == 0:
        print("nothing was checked: the lint looks in the wrong place")
        sys.exit(1)
    print(f"{checked} checked, {len(problems)} problems")
    sys.exit(1 if problems else 0)
