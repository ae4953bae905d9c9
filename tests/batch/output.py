# SPDX-License-Identifier: MIT
"""Results arrive whole or the command fails (B02, B10, B17, B19)."""
import fcntl
import os
import pty
import resource
import signal
import struct
import subprocess
import termios

from world import PATIENCE_S, PROGRAM, SANITIZED, Skip, main


def test_full_disk_is_a_failure(world):
    for words in (["version"], ["kernel", "list"]):
        with open("/dev/full", "wb") as full:
            result = world.run(*words, stdout=full)
        assert result.status == 74, str(result)
        assert result.err.strip()


def test_closed_stdout_is_a_failure(world):
    argv = ["sh", "-c", 'exec "$0" --batch version >&-', PROGRAM]
    done = subprocess.run(argv, env=world.env, stderr=subprocess.PIPE, timeout=PATIENCE_S)
    assert done.returncode == 74 and done.stderr


def test_reader_that_went_away_is_quiet(world):
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = world.run("version", stdout=write_end)
    os.close(write_end)
    assert result.status == -signal.SIGPIPE, str(result)
    assert result.err == ""


def test_no_memory_left(world):
    """Nothing is made half: the process ends with 70."""
    if SANITIZED:
        raise Skip("sanitizers want all address space for themselves")
    huge = world.write("huge.json", '{"version": 1, "kernels": [' + ",".join(
        ['{"name": "k%d", "description": "%s"}' % (i, "x" * 500) for i in range(6000)]) + "]}")
    world.env["BANGER_CATALOG"] = huge
    world.ok("kernel", "list", "--available")
    seen = set()
    for mib in range(160, 50, -20):
        limit = mib << 20
        result = world.run("kernel", "list", "--available", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (limit, limit)))
        assert result.status == 0 or result.out == "", str(result)
        seen.add(result.status)
    # 75: not even a thread; 127: not even the libraries.
    assert 70 in seen and seen <= {0, 70, 75, 127}, seen


def test_empty_lists(world):
    assert world.json("kernel", "list") == []
    assert world.ok("kernel", "list", "--format", "jsonl").out == ""
    assert world.ok("kernel", "list", "-q").out == ""
    header = world.ok("kernel", "list").out
    assert header.count("\n") == 1 and header == header.upper()


def test_no_escape_sequences_without_a_terminal(world):
    for words in (["help"], ["kernel", "list"], ["kernel", "show", "x"], ["host", "doctor"]):
        result = world.run(*words, env={"TERM": "xterm-256color"})
        assert "\x1b" not in result.out + result.err


def test_locale_never_changes_json(world):
    tree = world.kernel_tree()
    world.ok("kernel", "import", "lab", "--from", tree)
    results = {world.ok("kernel", "list", "--format", "json", env={"LC_ALL": locale}).out
               for locale in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8")}
    assert len(results) == 1


def test_foreign_bytes_are_shown_as_text(world):
    """A name from the command line, an entry made by hand."""
    result = world.run("kernel", "show", "a\x1b[31mb")
    assert result.status == 64 and "\x1b" not in result.err
    world.ok("kernel", "list")
    os.makedirs(os.path.join(world.state, "kernels", "evil\x1b[2J\nname"))
    result = world.ok("kernel", "list")
    assert "\x1b" not in result.out
    world.ok("kernel", "list", "--format", "json").json()


def test_a_file_that_may_not_be_so_large_is_a_failure(world):
    """ulimit -f: a sentence, no death by SIGXFSZ, and nothing half-made."""
    tree = world.kernel_tree()
    result = world.run("kernel", "import", "lab", "--from", tree, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (16 << 10, 16 << 10)))
    assert result.status == 74 and "File too large" in result.err, str(result)
    assert world.entries("kernels") == [], world.entries("kernels")
    world.ok("kernel", "import", "lab", "--from", tree)


def on_terminal(world, columns, *words):
    """What a terminal of so many columns gets, as lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    child = subprocess.Popen([PROGRAM, "--batch", *words], env=world.env, stdin=slave, stdout=slave,
                             stderr=subprocess.DEVNULL)
    os.close(slave)
    shown = b""
    try:
        while some := os.read(master, 65536):
            shown += some
    except OSError:  # the end of a terminal is EIO
        pass
    os.close(master)
    assert child.wait(timeout=PATIENCE_S) == 0, shown
    return shown.decode().replace("\r\n", "\n").splitlines()


def test_a_terminal_gets_no_line_that_wraps_and_loses_nothing(world):
    world.ok("kernel", "import", "a-name-of-some-length", "--from",
             world.kernel_tree(name="a-directory-with-a-long-name"), "--distro", "debian")
    world.env["BANGER_CLOCK"] = "2026-07-04T00:00:00Z"  # an age that a slow run does not change
    wide = world.ok("kernel", "list").out.splitlines()
    assert len(wide[1]) > 100 and len(wide) == 2, wide
    for columns in (80, 100):
        lines = on_terminal(world, columns, "kernel", "list")
        assert max(map(len, lines)) <= columns, lines
        assert sorted("".join("".join(lines).split())) == sorted("".join("".join(wide).split()))
    assert on_terminal(world, 300, "kernel", "list") == wide


def test_a_terminal_gets_objects_in_columns(world):
    world.ok("kernel", "import", "lab", "--from", world.kernel_tree())
    plain = world.ok("kernel", "show", "lab").out
    assert "\nhas_modules: " in plain and "\nsize_bytes: " in plain, plain
    lines = on_terminal(world, 100, "kernel", "show", "lab")
    assert lines[0].split() == ["name", "lab"], lines
    at = lines[0].index("lab")
    assert all(line[at - 1] == " " and line[at] != " " for line in lines[:6]), lines
    assert any(line.startswith("kernel version ") for line in lines), lines
    assert any(line.split()[:2] == ["VMM", "VERDICT"] for line in lines), lines


main()
