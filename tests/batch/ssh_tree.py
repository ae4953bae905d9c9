# SPDX-License-Identifier: MIT
"""A root directory with this host's own ssh server and shell, and the libraries they need."""
import os
import shutil
import subprocess

PROGRAMS = ("/usr/sbin/sshd", "/usr/bin/ssh-keygen", "/bin/sh", "/bin/cat", "/bin/mkdir",
            "/usr/bin/printf", "/usr/bin/id", "/usr/lib/openssh/sshd-session")
PASSWD = "root:x:0:0::/root:/bin/sh\nsshd:x:74:74::/run/sshd:/bin/false\n"


def libraries(program):
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def add(root, path):
    place = root + path
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(place):
        shutil.copy(path, place)


def put(root, name, text):
    with open(os.path.join(root, name), "w", encoding="utf-8") as file:
        file.write(text)


def fill_tree(root):
    """Into an empty directory, which is returned."""
    for program in filter(os.path.exists, PROGRAMS):
        for file in (program, *libraries(program)):
            add(root, file)
    for folder in ("root", "run", "var/empty", "etc/ssh", "tmp", "proc", "sys", "dev", "srv"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    os.chmod(os.path.join(root, "root"), 0o700)
    put(root, "etc/passwd", PASSWD)
    put(root, "etc/shadow", "root:*:19000:0:99999:7:::\n")
    put(root, "etc/group", "root:x:0:\nsshd:x:74:\n")
    put(root, "etc/ssh/sshd_config", "UsePAM no\nPermitRootLogin prohibit-password\n"
                                     "Subsystem sftp internal-sftp\n")
    return root
