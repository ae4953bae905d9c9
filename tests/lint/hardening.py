# SPDX-License-Identifier: MIT
"""What the flags promise is in the programs: PIE, full RELRO, no executable stack, checked libc calls,
no search path for libraries, no set-id bit; the guest's one needs no library at all. With
BANGER_CHECK_ALL=yes also: two builds elsewhere, at another time, with another locale, time zone and
umask, are the same bytes."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

import source

BUILD = os.environ.get("BUILDDIR") or os.getcwd()
ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words], stdout=subprocess.PIPE, check=True,
                          text=True).stdout


def look_at(path):
    headers, dynamic = readelf("-l", path), readelf("-d", path)
    rules = {
        "is no position independent executable": "Elf file type is DYN" in headers,
        "has an executable stack": re.search(r"GNU_STACK\s.*\sRW\s", headers),
        "has no RELRO": "GNU_RELRO" in headers,
        "binds its symbols late": re.search(r"BIND_NOW|FLAGS.*NOW", dynamic),
        "has a search path for libraries": not re.search(r"RPATH|RUNPATH", dynamic),
        "has a set-id bit": os.stat(path).st_mode & 0o6000 == 0,
        "has no checked libc calls": "__snprintf_chk" in readelf("--dyn-syms", path),
    }
    return [f"{os.path.basename(path)} {what}" for what, holds in rules.items() if not holds]


def look_at_guest(path):
    found = []
    if "(NEEDED)" in readelf("-d", path) or "INTERP" in readelf("-l", path):
        found.append("banger-guest needs libraries, which no image promises")
    return found


def build(place, folder, zone, umask, jobs):
    """The digest of the program, built from a copy of the tree."""
    tree = os.path.join(place, folder)
    shutil.copytree(source.ROOT, tree, symlinks=True,
                    ignore=shutil.ignore_patterns("build", ".git", "autom4te.cache"))
    out = os.path.join(tree, "build", "out" * jobs)
    env = {**os.environ, "TZ": zone, "LC_ALL": "C", "CCACHE_DISABLE": "1", "MAKEFLAGS": ""}
    env.pop("SOURCE_DATE_EPOCH", None)
    before = os.umask(umask)
    os.makedirs(out)
    top = os.path.relpath(tree, out)
    with open(os.path.join(place, folder + ".log"), "wb") as log:
        for words in (["sh", os.path.join(top, "configure"), "--quiet"],
                      ["make", f"-j{jobs}", "banger-tui"]):
            subprocess.run(words, cwd=out, env=env, stdout=log, stderr=log, check=True)
    os.umask(before)
    with open(os.path.join(out, "banger-tui"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def look_at_twins():
    with tempfile.TemporaryDirectory(prefix="banger-twins-") as place:
        first = build(place, "one", "UTC", 0o022, 2)
        second = build(place, "another-place", "Asia/Tokyo", 0o077, 1)
    return [] if first == second else ["two builds of the same sources differ"]


if shutil.which("readelf") is None or os.environ.get("SANITIZERS", "no") != "no":
    print("skip: of a build without sanitizers, and with readelf")
    sys.exit(77)
problems = look_at(os.path.join(BUILD, "banger-tui"))
problems += look_at_guest(os.path.join(BUILD, "src", "guest", "banger-guest"))
if ALL:
    problems += look_at_twins()
source.finish(problems, 3 if ALL else 2)
