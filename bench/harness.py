# SPDX-License-Identifier: MIT
"""Pairs of runs in turn on a fresh file system, with a web server on this host."""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
os.environ["PATH"] += ":/usr/sbin:/sbin"


def first_line(*words):
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return f"{words[0]}: not installed"


def facts():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if "model name" in line), "?")
    tools = [first_line(*words) for words in (
        ("tar", "--version"), ("zstd", "--version"), ("curl", "--version"), ("skopeo", "--version"))]
    return "\n".join([f"{os.cpu_count()} x {model}, Linux {os.uname().release}, load "
                      f"{os.getloadavg()[0]:.1f} before"] + tools)


def watch_peak(pid, side):
    """The largest resident set of the process itself, looked at until it ends. (What wait4 tells
    holds what this program had when it forked.)"""
    while True:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                peaks = [line for line in file if line.startswith("VmHWM:")]
        except OSError:
            return
        if not peaks:
            return  # it has ended
        side.peak_kib = max(side.peak_kib, int(peaks[0].split()[1]))
        time.sleep(0.005)


class Side:
    """One of the two things compared: what was measured of it."""

    def __init__(self, name):
        self.name, self.seconds, self.cpu, self.peak_kib = name, [], [], 0

    def __str__(self):
        return (f"{statistics.median(self.seconds):8.3f} s  cpu {statistics.median(self.cpu):6.2f} s"
                f"  peak {self.peak_kib / 1024:5.1f} MiB  {self.name}")


class Bench:
    def __enter__(self):
        self.place = tempfile.mkdtemp(prefix="banger-bench-",
                                      dir=os.environ.get("BENCH_DIR", "/var/tmp"))
        self.www = os.path.join(self.place, "www")
        os.mkdir(self.www)
        self.program = os.environ.get("BANGER_TUI") or os.path.join(TOP, "build", "banger-tui")
        self.server = self.mounted = None
        return self

    def __exit__(self, *_):
        self.unmount()
        if self.server:
            self.server.terminate()
            self.server.wait()
        shutil.rmtree(self.place)

    # ---- a fresh file system for each comparison ----

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", self.mounted], check=True)
            self.mounted = None

    def fresh(self):
        """A directory on an ext4 that was just made; a plain one where we cannot mount."""
        self.unmount()
        place = os.path.join(self.place, "fresh")
        shutil.rmtree(place, ignore_errors=True)
        os.mkdir(place)
        disk = os.path.join(self.place, "disk")
        if os.geteuid() == 0:
            made = subprocess.run(f"fallocate -l 8G {disk} && mkfs.ext4 -q -F {disk} && "
                                  f"mount -o loop {disk} {place}", shell=True, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if made.returncode == 0:
                self.mounted = place
                return place
        print("   (no fresh ext4: not root or no loop device; files are made in", place + ")")
        return place

    # ---- runs ----

    def url(self):
        if not self.server:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            conf = os.path.join(self.place, "nginx.conf")
            with open(conf, "w", encoding="utf-8") as file:
                file.write(f"daemon off; master_process off; pid {self.place}/pid; events {{ }}\n"
                           f"http {{ access_log off; sendfile on; server {{ "
                           f"listen 127.0.0.1:{self.port}; root {self.www}; }} }}\n")
            self.server = subprocess.Popen(
                ["nginx", "-p", self.place, "-c", conf, "-e", f"{self.place}/nginx.log"])
            for _ in range(1000):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        break
                    time.sleep(0.01)
        return f"http://127.0.0.1:{self.port}"

    def banger(self, state, *words):
        return [self.program, "--batch", "--state-dir", state, "--quiet", *words]

    def run(self, side, words, env=None):
        began = time.monotonic()
        child = subprocess.Popen(words, env={**os.environ, **(env or {})},
                                 stdout=subprocess.DEVNULL)
        watch = threading.Thread(target=watch_peak, args=(child.pid, side), daemon=True)
        watch.start()
        _, status, usage = os.wait4(child.pid, 0)
        watch.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"failed with {child.returncode}: {words}")
        side.seconds.append(time.monotonic() - began)
        side.cpu.append(usage.ru_utime + usage.ru_stime)

    def pairs(self, name, target, ours, peer, runs=RUNS):
        """ours and peer: (what it is, function of (side, number) that runs it once). One pair warms
        up. Prints medians and the median of the pairs' ratios; the target's name when missed."""
        sides = Side(ours[0]), Side(peer[0])
        for number in range(runs + 1):
            for side, (_, once) in zip(sides, (ours, peer)):
                once(side, number)
            if number == 0:
                for side in sides:
                    side.seconds.clear()
                    side.cpu.clear()
        ratios = [a / b for a, b in zip(sides[0].seconds, sides[1].seconds)]
        for side in sides:
            print("  ", side)
        return self.verdict(name, statistics.median(ratios), target,
                            f"pairs {min(ratios):.2f} to {max(ratios):.2f}, n={runs}"), sides

    @staticmethod
    def verdict(name, value, target, more=""):
        good = value <= target
        print(f"   {name} {value:.3f}, target {target}: {'ok' if good else 'MISSED'} {more}",
              flush=True)
        return [] if good else [name]
