#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The console on long lists, as a person at a terminal meets it: time (and processor time) from start
until all lists are there, time from a key to what it changes, processor time and bytes while nothing
happens; on the same rows in tig, side by side. Prints medians and the 99th percentile.

usage: bench/console.py PROGRAM [KERNELS [VMS [JOBS]]]"""
import fcntl, json, os, pty, select, shutil, signal, statistics, struct, subprocess, sys, tempfile, termios, time

ROWS, COLUMNS = 50, 200
KEYS = 300
JOB_STRIDE = 10000  # how the program numbers the jobs of a process


class Screen:
    """A program on a terminal of its own; every byte it writes is read at once."""

    def __init__(self, argv, env):
        self.start = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.bytes = 0

    def read(self, seconds):
        """What comes within the time; ends at the first silence of 30 ms after some bytes."""
        got = b""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.fd], [], [], max(0, min(left, 0.03 if got else left)))
            if not ready:
                return got
            try:
                part = os.read(self.fd, 1 << 16)
            except OSError:
                return got
            got += part
            self.bytes += len(part)

    def until(self, texts, seconds=30):
        """Seconds from the start until all of the texts have come."""
        seen = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self.fd], [], [], 0.5)
            if ready:
                seen = (seen + os.read(self.fd, 1 << 16))[-(1 << 20):]
                if all(text in seen for text in texts):
                    return time.monotonic() - self.start
        sys.exit(f"{texts!r} did not come")

    def key(self, key):
        """Milliseconds until the first byte of the answer."""
        os.write(self.fd, key)
        begin = time.perf_counter()
        ready, _, _ = select.select([self.fd], [], [], 5)
        took = (time.perf_counter() - begin) * 1000
        self.read(0.05)
        return took if ready else 5000.0

    def cpu_ms(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def rss_mib(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def make_jobs(state, jobs):
    """Of a process that lives as long as it takes: this one."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot_id = file.read().strip()
    with open("/proc/self/stat") as file:
        start_time = int(file.read().rsplit(")", 1)[1].split()[19])
    os.makedirs(f"{state}/jobs", mode=0o700)
    for i in range(jobs):
        number = os.getpid() * JOB_STRIDE + i
        with open(f"{state}/jobs/{number}.json", "w") as job:
            json.dump({"format": 1, "id": number, "command": f"kernel pull j{i:04d}", "object": f"kernel/j{i:04d}",
                       "pid": os.getpid(), "start_time": start_time, "boot_id": boot_id, "phase": "download",
                       "done": i, "total": 500, "unit": "bytes", "started_at": "2026-01-01T00:00:00Z"}, job)


def make_store(state, kernels, vms):
    for i in range(kernels):
        place = f"{state}/kernels/k{i:05d}"
        os.makedirs(place, mode=0o700)
        with open(f"{place}/vmlinux", "wb") as kernel:
            kernel.write(b"\x7fELF")
        with open(f"{place}/manifest.json", "w") as manifest:
            json.dump({"name": f"k{i:05d}", "distro": "bench", "arch": "x86_64", "kernel_version": f"6.1.{i}",
                       "sha256": f"{i:064x}", "source": "import:/bench", "imported_at": "2026-01-01T00:00:00Z"}, manifest)
    for i in range(vms):
        place = f"{state}/vms/vm{i:04d}"
        os.makedirs(place, mode=0o700)
        with open(f"{place}/vm.json", "w") as spec:
            json.dump({"format": 1, "name": f"vm{i:04d}", "uuid": f"00000000-0000-4000-8000-{i:012x}",
                       "mac": f"52:54:00:00:{i >> 8:02x}:{i & 255:02x}", "image": "none", "kernel_ref": "k00001",
                       "vmm": "auto", "accel": "auto", "vcpu": 1, "memory_mib": 512, "disk_bytes": 8 << 30,
                       "root": "overlay", "restart": "no", "created_at": "2026-01-01T00:00:00Z"}, spec)
        with open(f"{place}/exit.json", "w") as spec:
            json.dump({"format": 1, "reason": "guest-poweroff", "code": 0, "at": "2026-01-02T00:00:00Z",
                       "started_at": "2026-01-01T12:00:00Z", "requested": True}, spec)


def make_repository(place, commits):
    subprocess.run(["git", "init", "-q", place], check=True)
    stream = "".join(
        f"commit refs/heads/main\ncommitter a <a@b> {1700000000 + i} +0000\ndata 8\ncommit {i % 10}\n" for i in range(commits))
    subprocess.run(["git", "-C", place, "fast-import", "--quiet"], input=stream.encode(), check=True)
    subprocess.run(["git", "-C", place, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)


def measure(name, argv, env, shows, prepare, down):
    opened, cpu = [], []
    for _ in range(11):
        screen = Screen(argv, env)
        opened.append(screen.until(shows) * 1000)
        cpu.append(screen.cpu_ms())
        screen.close()
    screen = Screen(argv, env)
    screen.until(shows)
    screen.read(1.0)
    for key in prepare:
        screen.key(key)
    took = sorted(screen.key(down) for _ in range(KEYS))
    screen.read(2.5)
    before_cpu, before_bytes = screen.cpu_ms(), screen.bytes
    screen.read(10.0)
    idle_ms, idle_bytes = screen.cpu_ms() - before_cpu, screen.bytes - before_bytes
    print(f"   {name:12} opens {statistics.median(opened):4.0f} ms (processor {statistics.median(cpu):3.0f})   key to paint "
          f"{statistics.median(took):5.2f} ms (99 of 100: {took[int(KEYS * 0.99)]:5.2f})   idle 10 s: {idle_ms:3.0f} ms of "
          f"processor, {idle_bytes} bytes   {screen.rss_mib():5.1f} MiB")
    screen.close()
    return {"opens, ms": statistics.median(opened), "key to paint, ms": statistics.median(took),
            "key to paint, 99 of 100, ms": took[int(KEYS * 0.99)], "idle 10 s, ms of processor": idle_ms}


def compare(program, kernels, vms, jobs):
    """What was measured of ours, printed beside tig's."""
    world = tempfile.mkdtemp(prefix="bench-console-")
    before = os.getcwd()
    try:
        state = f"{world}/state"
        os.makedirs(state, mode=0o700)
        make_store(state, kernels, vms)
        make_jobs(state, jobs)
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "BANGER_STATE_DIR": state,
               "HOME": world, "BANGER_CONFIG": f"{world}/none.ini"}
        print(f"   {kernels} kernels, {vms} VMs, {jobs} jobs, {COLUMNS}x{ROWS}, load {os.getloadavg()[0]:.1f}; medians of "
              f"11 starts and of {KEYS} keys")
        shows = [text for text, count in ((b"k00000", kernels), (b"vm0000", vms), (b"pull j0", jobs)) if count]
        ours = measure("banger-tui", [program], env, shows, [b"2", b"z"], b"j")
        if shutil.which("tig"):
            make_repository(f"{world}/repository", kernels)
            os.chdir(f"{world}/repository")
            theirs = measure("tig", ["tig"], env, [b"commit"], [], b"j")
            ratios = [f"{name.split(',')[0]} {ours[name] / theirs[name]:.2f}" for name in list(ours)[:2]]
            print(f"   {'ratio':12} {'   '.join(ratios)}")
        else:
            print("   tig is not installed: apt-get install tig")
        return ours
    finally:
        os.chdir(before)
        shutil.rmtree(world)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    counts = [int(word) for word in sys.argv[2:5]]
    compare(os.path.abspath(sys.argv[1]), *counts, *(10000, 1000, 500)[len(counts):])


if __name__ == "__main__":
    main()
