# SPDX-License-Identifier: MIT
"""docs/contract.md names the test that holds each verb, option, field and exit status.

Fails when the program has one that the page does not list, when the page lists one that the program
does not have, and when the test that a row names does not speak of it."""
import json
import os
import re
import subprocess
import sys

import source

PAGE = "docs/contract.md"
PROGRAM = os.environ.get("BANGER_TUI", "")
ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \|$")
TEST = re.compile(r"`(tests/[^`]+)`")


def described():
    done = subprocess.run([PROGRAM, "--batch", "help", "--format", "json"], check=True,
                          stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
    return json.loads(done.stdout)


def phrase(verb, name=None):
    return " ".join(word for word in (verb.get("subject"), name or verb["name"]) if word)


def wanted(table):
    """Every row the page must have: what -> pattern that its test must hold."""
    rows = {}
    for verb in table["verbs"]:
        words = phrase(verb).split()
        called = r"[\"' ,\[(]+".join(re.escape(word) for word in words)
        rows[phrase(verb)] = called
        for alias in verb.get("aliases", ()):
            rows[phrase(verb, alias)] = r"[\"' ,\[(]+".join(phrase(verb, alias).split())
        for argument in verb["arguments"]:
            if argument["kind"] == "rest":
                rows[f"{phrase(verb)} -- {argument['name'].upper()}"] = r"\"--\""
            elif not argument["positional"]:
                rows[f"{phrase(verb)} --{argument['name']}"] = option(argument)
        for field in verb.get("columns", []):
            rows[f"{phrase(verb)}: {field}"] = rf"\b{field}\b"
        for field in verb.get("variant_columns", []):
            rows[f"{phrase(verb)} --{verb['variant']}: {field}"] = rf"\b{field}\b"
    for argument in table["options"]:
        rows[f"--{argument['name']}"] = option(argument)
    for row in table["exit_statuses"]:
        done = r"\bok\(|\.json\("
        rows[f"exit {row['status']}"] = rf"\b{row['status']}\b" if row["status"] else done
    return rows


def option(argument):
    letter = rf"|\"-\w*{argument['letter']}\w*\"" if argument.get("letter") else ""
    return rf"--{re.escape(argument['name'])}\b{letter}"


def listed():
    """What the page has: what -> tests."""
    rows = {}
    for line in source.read(PAGE).split("\n"):
        match = ROW.match(line)
        if match:
            rows[match.group(1)] = TEST.findall(match.group(2))
    return rows


if not os.access(PROGRAM, os.X_OK):
    print("the program is not built")
    sys.exit(77)
problems = []
rows = listed()
needs = wanted(described())
for what in needs:
    if what not in rows:
        problems.append(f"{PAGE}: nothing holds `{what}`")
for what, tests in rows.items():
    if not tests:
        problems.append(f"{PAGE}: `{what}` names no test")
    # Fields beyond those of tables ("vm run: why") and rules in words are the page's own.
    pattern = needs.get(what)
    field = re.fullmatch(r"[^:]+: ([a-z_0-9.]+)", what)
    if pattern is None and field:
        pattern = rf"\b{re.escape(field.group(1).split('.')[-1])}\b"
    if pattern is None and re.match(r"(kernel|image|vm|host|job|exit|--)\b", what):
        problems.append(f"{PAGE}: the program has no `{what}`")
    for test in tests:
        if not os.path.exists(os.path.join(source.ROOT, test)):
            problems.append(f"{PAGE}: {test} is not there")
        elif pattern and not re.search(pattern, source.read(test)):
            problems.append(f"{PAGE}: {test} says nothing of `{what}`")
source.finish(problems, len(rows))
