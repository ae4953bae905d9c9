# SPDX-License-Identifier: MIT
"""Includes go one way, and each foreign library is seen by the files that own it."""
import re

import source

# What a folder may include of ours; a name with a slash allows that header only.
LAYERS = {
    "src/base/": ["base/"],
    "src/artifact/": ["artifact/", "base/"],
    "src/store/": ["store/", "base/"],
    "src/vm/": ["vm/", "base/"],
    "src/engine/": ["engine/", "artifact/", "store/", "vm/", "base/"],
    "src/batch/": ["batch/", "engine/engine.h", "engine/command.h", "engine/snapshot.h", "base/"],
    "src/ui/": ["ui/", "engine/engine.h", "engine/command.h", "engine/snapshot.h", "base/"],
    "src/guest/": ["guest/", "base/wire.h", "base/tree_stream.h"],
    "src/main.c": ["ui/app.h", "batch/", "engine/engine.h", "base/", "artifact/bundle.h",
                   "vm/monitor.h"],
}

# Foreign headers and the only files that may include them.
FOREIGN = {
    r"curses\.h|ncurses.*|term\.h": r"src/ui/.*\.c",
    r"curl/.*": r"src/artifact/http.*\.c|src/vm/api_client\.c",
    r"archive\.h|archive_entry\.h": r"src/artifact/archive\.c",
    r"zstd(_errors)?\.h|lzma\.h|zlib\.h": r"src/artifact/(de)?compress.*\.c",
    r"isa-l/.*": r"src/artifact/decompress_isal\.c",
    r"openssl/.*": r"src/artifact/(hash|signature)\.c",
    r"ext2fs/.*|et/.*": r"src/artifact/ext4.*\.c",
    r"cJSON\.h|cjson/.*": r"src/base/json.*\.c",
    r"ini\.h": r"src/store/config\.c",
}

# The C library and the kernel's interface; anything else is a library nobody decided on.
SYSTEM = re.compile(
    r"(sys|linux|net|netinet|arpa|asm)/[a-z0-9_]+\.h|"
    r"(alloca|assert|byteswap|ctype|dirent|elf|endian|errno|fcntl|fnmatch|getopt|glob|grp|ifaddrs|inttypes|"
    r"langinfo|libgen|limits|locale|math|netdb|poll|pthread|pty|pwd|regex|sched|search|setjmp|signal|"
    r"spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|syslog|"
    r"termios|time|ucontext|unistd|wchar|wctype|x86intrin)\.h")

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)


def allowed_layers(path):
    for prefix, allowed in LAYERS.items():
        if path.startswith(prefix):
            return allowed
    return None


def fault_of(path, mark, name):
    if mark == '"':
        allowed = allowed_layers(path)
        if allowed is None:
            return "is in no folder the table knows"
        if name == "config.h":
            return "config.h is not for headers" if path.endswith(".h") else None
        if name.endswith(".inc") and name.rpartition("/")[0] == path.rpartition("/")[0]:
            return None  # generated for this file alone
        if any(name == a or (a.endswith("/") and name.startswith(a)) for a in allowed):
            return None
        return f'must not include "{name}"'
    for pattern, owners in FOREIGN.items():
        if re.fullmatch(pattern, name):
            return None if re.fullmatch(owners, path) else f"must not include <{name}>"
    return None if SYSTEM.fullmatch(name) else f"<{name}> is no header this table knows"


problems = []
checked = 0
for path in source.files("src"):
    text = source.read(path)
    own = path[len("src/"):-1] + "h"
    includes = [(m.group(1), m.group(2), m.start()) for m in INCLUDE.finditer(text)]
    for mark, name, offset in includes:
        checked += 1
        fault = fault_of(path, mark, name)
        if fault:
            problems.append(f"{path}:{source.line_of(text, offset)}: {fault}")
    names = [name for mark, name, _ in includes if mark == '"']
    if path.endswith(".c") and own in names and includes[0][1] != own:
        problems.append(f"{path}: its own header comes first, so that it stands alone")
source.finish(problems, checked)
