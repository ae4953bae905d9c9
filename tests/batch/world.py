# SPDX-License-Identifier: MIT
"""A small world for each test: own state directory, own home, own servers, gone afterwards.

A test file defines functions test_*(world) and calls main(). Each gets a fresh World, runs the real
program, and looks at exit status, JSON and files: never at wording. World.close() fails the test when
a process that it started is still there.
"""
import glob
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
SRCDIR = os.environ.get("SRCDIR") or os.path.dirname(os.path.dirname(HERE))
BUILDDIR = os.environ.get("BUILDDIR") or os.path.join(SRCDIR, "build")
PROGRAM = os.environ.get("BANGER_TUI") or os.path.join(BUILDDIR, "banger-tui")
SUPPORT = os.path.join(SRCDIR, "tests", "support")
sys.path.append(SUPPORT)
SANITIZED = os.environ.get("SANITIZERS", "no") != "no"

# A run that takes longer hangs; generous, because machines that run tests are slow at times.
PATIENCE_S = 120 if SANITIZED else 60

HASHED_MAX = 64 << 20

CLOCK = "2026-07-01T12:00:00Z"

# A shell that starts something in the background has it ignore interrupts, nohup has it ignore the
# loss of the terminal, and so would the program.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Skip(Exception):
    """This cannot be tested here; says why."""


class Result:
    """How one run of the program ended."""

    def __init__(self, words, status, out, err):
        self.words, self.status, self.out, self.err = words, status, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"{self}: stdout is not JSON: {error}") from error

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self):
        return (f"{' '.join(self.words)}: status {self.status}\n"
                f"stdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]!r}")


class World:
    def __init__(self):
        self.place = tempfile.mkdtemp(prefix="banger-test-", dir="/tmp")
        self.state = os.path.join(self.place, "state")
        self.home = self.mkdir("home")
        self.www = self.mkdir("www")
        self.children = []
        self.held = []  # sockets that keep others from a port
        nothing = self.write("nothing.json", '{"version": 1, "kernels": [], "images": []}')
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": self.home,
            "XDG_RUNTIME_DIR": self.mkdir("run"),  # without a manager
            "BANGER_STATE_DIR": self.state,
            "BANGER_CLOCK": CLOCK,
            "BANGER_BUILTIN_CATALOG": nothing,
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    # ---- files ----

    def path(self, *parts):
        return os.path.join(self.place, *parts)

    def mkdir(self, *parts):
        os.makedirs(self.path(*parts), exist_ok=True)
        return self.path(*parts)

    def write(self, name, data):
        """A file below the world; its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return path

    def entries(self, kind):
        """Names published in the store; kind is "kernels", "images" or "vms"."""
        folder = os.path.join(self.state, kind)
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def manifest(self, kind, name):
        with open(os.path.join(self.state, kind, name, "manifest.json"), encoding="utf-8") as file:
            return json.load(file)

    def tree(self):
        """Everything under the state directory that a command is about: path -> what it is. Locks,
        job records and the log stay by design and are left out, empty directories too."""
        found = {}
        for folder, _, names in os.walk(self.state):
            below = os.path.relpath(folder, self.state)
            if below.split(os.sep)[0] in ("locks", "jobs", "log"):
                continue
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                if status.st_size > HASHED_MAX:  # a disk, sparse
                    found[os.path.join(below, name)] = (status.st_size, status.st_blocks)
                elif stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        found[os.path.join(below, name)] = hashlib.sha256(file.read()).hexdigest()
                else:
                    found[os.path.join(below, name)] = stat.S_IFMT(status.st_mode)
        return found

    def parts(self):
        """Unfinished downloads."""
        folder = os.path.join(self.state, "cache", "downloads")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    # ---- runs ----

    def start(self, *words, program=None, env=None, **more):
        """Starts the program and does not wait."""
        argv = [program or PROGRAM, *words] if program else [PROGRAM, "--batch", *words]
        child = subprocess.Popen(argv, env={**self.env, **(env or {})}, cwd=self.place, **more)
        self.children.append(child)
        return child

    def run(self, *words, stdin=b"", **more):
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        child = self.start(*words, stdin=subprocess.PIPE, **more)
        try:
            out, err = child.communicate(stdin.encode() if isinstance(stdin, str) else stdin,
                                         timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            child.kill()
            child.communicate()
            raise AssertionError(f"{' '.join(words)}: still running") from error
        self.children.remove(child)
        result = Result(words, child.returncode, (out or b"").decode("utf-8", "surrogateescape"),
                        (err or b"").decode("utf-8", "surrogateescape"))
        for bad in ("AddressSanitizer", "runtime error:", "ThreadSanitizer", "LeakSanitizer"):
            assert bad not in result.err, str(result)
        return result

    def ok(self, *words, **more):
        result = self.run(*words, **more)
        assert result.status == 0, str(result)
        return result

    def json(self, *words, **more):
        """The result of a command that must succeed."""
        return self.ok(*words, "--format", "json", **more).json()

    def fails(self, status, *words, **more):
        """A command that must end with this status: its error object. Nothing may be on stdout
        without JSON, and one sentence is on stderr either way."""
        plain = self.run(*words, **more)
        assert plain.status == status, f"expected {status}: {plain}"
        assert plain.out == "", str(plain)
        assert plain.err.strip(), str(plain)
        result = self.run("--format", "json", *words, **more)
        assert result.status == status, f"expected {status}: {result}"
        error = result.json()["error"]
        assert error["code"] and error["message"], str(result)
        assert error["exit_status"] == status, str(result)
        return error

    def fails_streaming(self, status, *words, **more):
        """The same for a command whose stdout belongs to a guest: nothing of ours is ever on it."""
        result = self.run("--format", "json", *words, **more)
        assert result.status == status, f"expected {status}: {result}"
        assert result.out == "" and result.err.strip(), str(result)

    def wait_until(self, condition, what):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"never happened: {what}"
            time.sleep(0.01)

    def kill(self, pid):
        """A process that is not our child; afterwards it is gone."""
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not is_alive(pid), f"the end of {pid}")

    # ---- peers ----

    def server(self, *options):
        """Serves self.www with hostile_http.py; returns the base URL."""
        child = subprocess.Popen(
            [sys.executable, "-B", os.path.join(SUPPORT, "hostile_http.py"), "--root", self.www,
             "--log", self.path("http.log"), *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.children.append(child)
        port = int(child.stdout.readline())
        return f"http://127.0.0.1:{port}"

    def requests(self):
        """What the server was asked so far."""
        if not os.path.exists(self.path("http.log")):
            return []
        with open(self.path("http.log"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def make(self, *words):
        """Runs make_bundle.py; returns what it says about what it made."""
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(SUPPORT, "make_bundle.py"), *words],
            stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def kernel_bundle(self, name="kernel.tar.zst", *options):
        """A kernel bundle on the server: (file name, sha256, size)."""
        need("zstd")
        path = os.path.join(self.www, name)
        self.make("kernel", path, *options)
        return name, sha256_of(path), os.path.getsize(path)

    def catalog(self, kernels=(), images=()):
        """Writes a catalog and makes it the only source."""
        path = self.write("catalog.json", json.dumps(
            {"version": 1, "kernels": list(kernels), "images": list(images)}))
        self.env["BANGER_CATALOG"] = path
        return path

    def offer_kernel(self, url, name="lab", bundle="kernel.tar.zst", sha256=None, **more):
        """Makes a bundle and a catalog with that one kernel; the entry."""
        file, digest, size = self.kernel_bundle(bundle)
        entry = {"name": name, "distro": "test", "arch": "x86_64", "kernel_version": "6.1.0",
                 "tarball_url": f"{url}/{file}", "tarball_sha256": sha256 or digest,
                 "size_bytes": size, "description": "a kernel for tests", **more}
        self.catalog(kernels=[entry])
        return entry

    def kernel_tree(self, layout="boot", name="tree"):
        """A directory to import a kernel from."""
        path = self.path(name)
        self.make("tree", path, "--layout", layout)
        return path

    def control_groups(self):
        """Those of this world's machines, that are there now."""
        found = []
        for group in glob.glob("/sys/fs/cgroup/banger-*") + glob.glob("/sys/fs/cgroup/*/banger-*"):
            try:
                if os.getxattr(group, "user.banger.state").decode() == self.state:
                    found.append(group)
            except OSError:
                pass  # somebody else's, which just went
        return found

    def close(self):
        left = []
        for name in self.entries("vms"):
            left.append(f"machine {name}")
            self.run("vm", "rm", name, "--force")
        for child in self.children:
            if child.poll() is None:
                if child.args[0] == PROGRAM:
                    left.append(" ".join(child.args))
                child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    stream.close()
        for holder in self.held:
            holder.close()
        for group in self.control_groups():
            left.append(group)
            self.run("host", "gc")
        for folder, _, _ in os.walk(self.place):
            os.chmod(folder, 0o700)
        shutil.rmtree(self.place)
        assert not left, f"still running: {left}"


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def need(program):
    if shutil.which(program) is None:
        raise Skip(f"{program} is not installed")


@contextmanager
def small_disk(world, mib=12):
    """The state directory is on one."""
    if os.geteuid() != 0:
        raise Skip("mounting a tmpfs needs root")
    os.makedirs(world.state, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", world.state],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        # What is still mounted is noticed when the world is removed.
        subprocess.run(["umount", "-l", world.state], capture_output=True, check=False)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def interrupt(child, number=signal.SIGINT):
    child.send_signal(number)
    return child.wait(timeout=PATIENCE_S)


def run_one(name, test):
    """"ok", "skip" or "FAIL"."""
    world = World()
    verdict, why = "ok", ""
    try:
        test(world)
    except Skip as skip:
        verdict, why = "skip", f": {skip}"
    except Exception:  # a test that fails must not keep the others from running
        verdict = "FAIL"
        traceback.print_exc(file=sys.stdout)
    try:
        world.close()
    except AssertionError as error:
        verdict, why = "FAIL", f": {error}"
    print(f"{verdict} {name}{why}", flush=True)
    return verdict


def main():
    module = sys.modules["__main__"]
    tests = [(name, value) for name, value in vars(module).items() if name.startswith("test_")]
    chosen = sys.argv[1:]
    verdicts = [run_one(name, test) for name, test in tests if not chosen or name in chosen]
    if "FAIL" in verdicts or not verdicts:
        sys.exit(1)
    sys.exit(77 if set(verdicts) == {"skip"} else 0)
