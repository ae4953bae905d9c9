# SPDX-License-Identifier: MIT
"""A host with sessions of the test's own: a real systemd user manager, and for root a real logind with
its bus, on control groups, runtime directories and marks of lingering that are nobody else's. What is in
a session's group ends with its logout, as logind has it with KillUserProcesses=yes."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time

from world import PATIENCE_S, Skip

INSIDE = "BANGER_TEST_LOGIN"
MANAGER = "/usr/lib/systemd/systemd"
LOGIND = "/usr/lib/systemd/systemd-logind"
RUNTIME = "/run/user/1"
GROUPS = "/sys/fs/cgroup"
PLACES = f"""set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/dbus {RUNTIME}
chmod 700 {RUNTIME}
mount -t tmpfs tmpfs /var/lib/systemd
mkdir /var/lib/systemd/linger
mount -t tmpfs tmpfs /etc/systemd
umount -l {GROUPS}
mount -t cgroup2 cgroup2 {GROUPS}
mkdir {GROUPS}/login-$$
mkdir {GROUPS}/login-$$/user {GROUPS}/login-$$/session-1.scope {GROUPS}/login-$$/rest
echo $$ >{GROUPS}/login-$$/rest/cgroup.procs
"""
LEAVE = f"""echo $$ >{GROUPS}/cgroup.procs
find {GROUPS}/login-$$ -depth -type d -exec rmdir {{}} +
"""


def enter():
    """Runs this test file again inside; returns there. Call it before main()."""
    if os.environ.get(INSIDE):
        return
    for program in ("unshare", "systemd-run", "systemctl", "busctl", MANAGER):
        if shutil.which(program) is None:
            print(f"skip: {program} is not installed")
            sys.exit(77)
    words = ["unshare", "--mount", "--propagation", "private", "--cgroup"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    script = PLACES + f'export {INSIDE}=$$\n"$@" || status=$?\n' + LEAVE + "exit ${status:-0}\n"
    done = subprocess.run([*words, "sh", "-c", PLACES + LEAVE], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True)
    if done.returncode != 0:
        print(f"skip: no control groups and mounts of its own here: {done.stdout.strip()}")
        sys.exit(77)
    os.execvp(words[0], [*words, "sh", "-c", script, "sh", sys.executable, "-B", *sys.argv])


def group(name):
    return f"{GROUPS}/login-{os.environ[INSIDE]}/{name}"


def join(name):
    """For preexec_fn."""
    def move():
        with open(group(name) + "/cgroup.procs", "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    return move


SESSION = {"preexec_fn": join("session-1.scope")}


def members(name):
    found = []
    for path in [group(name)] + glob.glob(group(name) + "/**/", recursive=True):
        try:
            with open(path + "/cgroup.procs", encoding="utf-8") as file:
                found += [int(line) for line in file]
        except OSError:
            pass  # it went meanwhile
    return found


def empty(name):
    end = time.monotonic() + PATIENCE_S
    while members(name):
        assert time.monotonic() < end, f"still there: {members(name)}"
        for pid in members(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def logout():
    empty("session-1.scope")


def linger(is_on):
    mark = "/var/lib/systemd/linger/root"
    if is_on:
        open(mark, "w", encoding="utf-8").close()
    elif os.path.exists(mark):
        os.unlink(mark)


def begin_manager(world):
    """The process; it listens. What runs in world's commands finds it."""
    world.env["XDG_RUNTIME_DIR"] = RUNTIME
    shutil.rmtree(RUNTIME + "/systemd", ignore_errors=True)
    env = {**world.env, "SYSTEMD_LOG_TARGET": "console"}
    with open(world.path("manager.log"), "w", encoding="utf-8") as log:
        child = subprocess.Popen([MANAGER, "--user"], env=env, stdout=log, stderr=log,
                                 stdin=subprocess.DEVNULL, preexec_fn=join("user"))
    world.children.append(child)
    end = time.monotonic() + PATIENCE_S
    while not ask(world, "is-system-running").stdout:
        if child.poll() is not None:
            with open(world.path("manager.log"), encoding="utf-8") as log:
                raise Skip(f"no user manager runs here: {log.read().strip()}")
        assert time.monotonic() < end, "the manager does not answer"
        time.sleep(0.05)
    return child


def ask(world, *words):
    return subprocess.run(["systemctl", "--user", *words], env=world.env, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, text=True)


def scopes(world):
    said = ask(world, "list-units", "--all", "--plain", "--no-legend", "banger-*.scope").stdout
    return [line.split()[0] for line in said.splitlines()]


def end_manager(world, manager, is_quiet=False):
    """is_quiet: nothing had to be killed."""
    manager.terminate()
    manager.wait(timeout=PATIENCE_S * 2)
    world.children.remove(manager)
    assert not is_quiet or not members("user"), members("user")
    empty("user")
    for folder, _, _ in os.walk(group("user"), topdown=False):
        if folder != group("user"):
            os.rmdir(folder)


def begin_logind(world, words):
    """With these lines of configuration. Processes to end."""
    with open("/etc/systemd/logind.conf", "w", encoding="utf-8") as file:
        file.write("[Login]\n" + words)
    socket = "/run/dbus/system_bus_socket"
    children = []
    for argv in (["dbus-daemon", "--system", "--nofork", "--nopidfile"], [LOGIND]):
        children.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        world.children.append(children[-1])
        world.wait_until(lambda: os.path.exists(socket), "the bus listens")
    end = time.monotonic() + PATIENCE_S
    while subprocess.run(["busctl", "--system", "status", "org.freedesktop.login1"], check=False,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        assert time.monotonic() < end, "logind does not answer"
        time.sleep(0.05)
    return children


def end_logind(world, children):
    for child in reversed(children):
        child.kill()
        child.wait()
        world.children.remove(child)
    if os.path.exists("/run/dbus/system_bus_socket"):
        os.unlink("/run/dbus/system_bus_socket")
