#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The picture in README.md is the one that docs/screens holds, which the console's tests render."""

import os
import sys

top = os.environ.get("SRCDIR", ".")


def read(name):
    with open(os.path.join(top, name), encoding="utf-8") as file:
        return file.read()


shown = read("README.md").split("<!-- screen:begin -->\n```\n")[1].split("\n```\n<!-- screen:end")[0]
drawn = read("docs/screens/busy-80x24.txt").rstrip("\n")
if shown != drawn:
    sys.exit("README.md shows another picture than docs/screens/busy-80x24.txt: copy it over")
print("1 picture checked")
