# SPDX-License-Identifier: MIT
"""Calls that are never right here, and calls that belong to one place."""
import re

import source

# Call, files where it is right (a pattern; None for nowhere), and what to use.
CALLS = [
    (r"system|popen|execlp|execvp|execl", None, "process_spawn: argv and no shell"),
    (r"strcpy|strcat|stpcpy|sprintf|vsprintf|gets", None, "struct text or snprintf"),
    (r"tmpnam|tempnam|mktemp|tmpfile", None, "a staging directory and O_EXCL"),
    (r"signal|siginterrupt", None, "sigaction"),
    (r"alloca|strdupa|strndupa", None, "memory_alloc"),
    (r"malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf",
     r"src/base/(memory|wire.*|tree_.*)\.c|src/guest/.*", "base/memory.h"),
    (r"atoi|atol|atoll|atof", None, "units_parse_number"),
    (r"strtok|ctime|asctime|gmtime|localtime|strerror|readdir_r|ttyname|getpwuid|getpwnam", None,
     "the _r form, or none"),
    # Right for what is recorded or said, never for what is opened afterwards.
    (r"realpath", r"src/store/(layout|catalog_load)\.c|src/engine/[a-z]*/ops_(image_register|kernel_import|catalog_sources|vm_mounts)\.c",
     "descriptors: the answer is old when it arrives"),
    (r"pthread_cancel|pthread_detach|pthread_kill", None, "a cancel token and a join"),
    (r"setjmp|longjmp|sigsetjmp|siglongjmp", None, "an error value"),
    (r"getenv|secure_getenv|setenv|putenv|unsetenv",
     r"src/main\.c|src/base/process.*\.c|src/guest/.*", "main.c reads it once"),
    (r"setlocale", r"src/main\.c", "main.c does it once"),
    (r"sleep|usleep|nanosleep", r"src/guest/.*|src/vm/accel\.c", "poll with a deadline"),
    (r"fork|vfork|clone", r"src/base/process.*\.c|src/vm/monitor.*\.c|src/guest/.*|"
     r"src/artifact/bundle_child\.c", "process_spawn"),
    (r"kill|killpg", r"src/guest/.*|src/vm/monitor.*\.c|src/base/process.*\.c",
     "process_signal: by pidfd"),
    (r"pipe|dup|accept|epoll_create|inotify_init|creat", r"src/guest/.*",
     "the form that takes CLOEXEC"),
    (r"curl_global_init", r"src/artifact/http.*\.c|src/vm/api_client\.c", "http.c, lazily"),
    (r"initscr", None, "newterm: initscr exits on an unknown TERM"),
    (r"_Exit|quick_exit", None, "an error value"),
    (r"exit", r"src/base/memory\.c|src/guest/.*", "return to main"),
    (r"_exit", r"src/batch/signals\.c|src/main\.c|src/base/(process.*|memory)\.c|src/vm/monitor.*\.c|src/ui/.*|"
     r"src/guest/.*|src/artifact/bundle.*\.c", "return to main"),
]

# Layers below the front ends are silent: they return errors.
PRINTS = re.compile(r"\b(printf|puts|putchar|perror|putc|fprintf|fputs|vprintf|vfprintf|dprintf)\s*\(")
SILENT = re.compile(r"src/(base|artifact|store|vm|engine)/(?!embed_)")  # a tool of the build

# A descriptor that a child must not inherit, and the flag that says so.
CLOEXEC = [
    (re.compile(r"\b(?:open|openat|openat2)\s*\("), "O_CLOEXEC"),
    (re.compile(r"\bpipe2\s*\("), "O_CLOEXEC"),
    (re.compile(r"\b(?:socket|socketpair|accept4)\s*\("), "SOCK_CLOEXEC"),
    (re.compile(r"\bmemfd_create\s*\("), "MFD_CLOEXEC"),
    (re.compile(r"\beventfd\s*\("), "EFD_CLOEXEC"),
    (re.compile(r"\btimerfd_create\s*\("), "TFD_CLOEXEC"),
    (re.compile(r"\bsignalfd\s*\("), "SFD_CLOEXEC"),
    (re.compile(r"\bepoll_create1\s*\("), "EPOLL_CLOEXEC"),
    (re.compile(r"\binotify_init1\s*\("), "IN_CLOEXEC"),
    (re.compile(r"\bfopen\s*\("), '"re'),
]
# Flags that were put together elsewhere.
HANDED_IN = re.compile(r"\b(\w*flags|type|how)\b")
# Descriptors 0 to 2 are meant for children.
CLOEXEC_RIGHT = re.compile(r"src/guest/.*|src/main\.c")

GOTO = re.compile(r"\bgoto\b")


def call_text(text, start):
    """From the name to the closing parenthesis."""
    depth = 0
    for at in range(text.index("(", start), len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at + 1]
    return text[start:]


def is_definition(text, start):
    """A function of ours by that name, or a member: not a call of the library's."""
    before = text[:start].rstrip(" ")
    return before.endswith((".", "->", "*")) and not before.endswith(("= *", "(*"))


problems = []
checked = 0
for path in source.files("src"):
    text = source.code(path)
    raw = source.read(path)
    checked += 1

    def complain(offset, what, instead):
        problems.append(f"{path}:{source.line_of(text, offset)}: {what}: use {instead}")

    for names, right, instead in CALLS:
        if right and re.fullmatch(right, path):
            continue
        for match in re.finditer(rf"\b({names})\s*\(", text):
            if not is_definition(text, match.start()):
                complain(match.start(), match.group(1), instead)
    if SILENT.match(path):
        for match in PRINTS.finditer(text):
            complain(match.start(), match.group(1), "struct error; lower layers never print")
    for pattern, flag in CLOEXEC:
        if CLOEXEC_RIGHT.fullmatch(path):
            continue
        for match in pattern.finditer(text):
            end = match.start() + len(call_text(text, match.start()))
            call = raw[match.start():end]
            if (flag not in call and not HANDED_IN.search(call) and
                    not is_definition(text, match.start())):
                complain(match.start(), call.split("\n")[0], flag)
    for match in GOTO.finditer(text):
        complain(match.start(), "goto", "clean-up by attribute")
source.finish(problems, checked)
