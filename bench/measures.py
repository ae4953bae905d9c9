# SPDX-License-Identifier: MIT
"""What is measured. A measure prints its comparison and returns the targets it missed."""
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import time

import console
import guest

IMAGE_MIB = 2048
CONTENT_MIB = int(os.environ.get("BENCH_CONTENT_MIB", "640"))
LEVEL = os.environ.get("BENCH_LEVEL", "19")
RSS_MIB = 48
MANY, LIST_RUNS, COLD_RUNS = 10000, 11, 3


# ---- what is pulled ----

def fill(folder, mib):
    """Real programs and libraries of this host, as many as fit."""
    left = mib << 20
    for source in ("/usr/lib", "/usr/bin", "/usr/share"):
        for base, _, names in os.walk(source):
            for name in names:
                path = os.path.join(base, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                left -= os.path.getsize(path)
                if left < 0:
                    return
                to = folder + path
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy(path, to)


def kernel_tree(bench):
    """BENCH_KERNEL (a directory with boot/ and lib/modules/), else 4000 files of made-up code."""
    tree = os.path.join(bench.place, "kernel")
    if os.path.isdir(tree):
        return tree
    given = os.environ.get("BENCH_KERNEL")
    os.makedirs(os.path.join(tree, "modules"))
    if given:
        kernel = sorted(n for n in os.listdir(os.path.join(given, "boot")) if "vmlinu" in n)[-1]
        shutil.copy(os.path.join(given, "boot", kernel), os.path.join(tree, "vmlinux"))
        modules = os.path.join(given, "lib", "modules")
        shutil.copytree(os.path.join(modules, sorted(os.listdir(modules))[-1]),
                        os.path.join(tree, "modules"), symlinks=True, dirs_exist_ok=True)
        for link in ("build", "source"):
            if os.path.islink(os.path.join(tree, "modules", link)):
                os.unlink(os.path.join(tree, "modules", link))
        return tree
    chance = random.Random(1)
    words = [chance.randbytes(chance.randrange(2, 12)) for _ in range(4096)]
    for number in range(4000):
        folder = os.path.join(tree, "modules", "kernel", str(number % 200))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number}.ko"), "wb") as file:
            file.write(b"".join(chance.choices(words, k=chance.randrange(500, 25000))))
    with open(os.path.join(tree, "vmlinux"), "wb") as file:
        file.write(b"\x7fELF" + b"".join(chance.choices(words, k=8_000_000)))
    return tree


def offer(bench, kind):
    """Makes the bundle and its catalog once; (file name, digest)."""
    name = os.path.join(bench.www, f"{kind}.tar.zst")
    if not os.path.exists(name):
        if kind == "kernel":
            tree, members = kernel_tree(bench), ["vmlinux", "modules"]
        else:
            tree, members = os.path.join(bench.place, "image"), ["manifest.json", "rootfs.ext4"]
            content = os.path.join(bench.place, "content")
            fill(content, CONTENT_MIB)
            os.makedirs(tree)
            with open(os.path.join(tree, "manifest.json"), "w", encoding="utf-8") as file:
                json.dump({"name": "b", "distro": "d", "arch": "x86_64", "kernel_ref": "k"}, file)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", content, os.path.join(
                tree, "rootfs.ext4"), f"{IMAGE_MIB}M"], check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(content)
        subprocess.run(f"tar -c --owner=0 --group=0 -C {tree} {' '.join(members)} | "
                       f"zstd -q -T0 -{LEVEL} -o {name}", shell=True, check=True)
        if kind == "image":
            shutil.rmtree(tree)
    with open(name, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = {"name": "b", "distro": "d", "arch": "x86_64", "tarball_sha256": digest,
             "tarball_url": f"{bench.url()}/{kind}.tar.zst", "size_bytes": os.path.getsize(name)}
    entry["kernel_version" if kind == "kernel" else "kernel_ref"] = "k"
    catalog = {"version": 1, "kernels": [], "images": []}
    catalog[kind + "s"].append(entry)
    with open(os.path.join(bench.place, f"{kind}.json"), "w", encoding="utf-8") as file:
        json.dump(catalog, file)
    print(f"   bundle of {os.path.getsize(name) >> 20} MiB, zstd -{LEVEL}")
    return digest


FILE = ('curl -sSf -o "$1.zst" "$2" && echo "$3  $1.zst" | sha256sum -c --quiet && mkdir "$1" && '
        'tar --zstd -x -f "$1.zst" -C "$1" && rm "$1.zst"')
PIPE = ('mkdir "$1" && curl -sSf "$2" | tee >(sha256sum >"$1.sum") | zstd -d | tar -x -C "$1" && '
        'grep -q "$3" "$1.sum"')


def pull(bench, kind, gates):
    """Ours against both peers; the sides of the last comparison and where it was made."""
    digest, missed = offer(bench, kind), []
    env = {"BANGER_CATALOG": os.path.join(bench.place, f"{kind}.json")}
    for (gate, target), (label, script) in zip(gates, (
            ("curl to a file, sha256sum, tar --zstd -x", FILE),
            ("curl | tee >(sha256sum) | zstd -d | tar -x", PIPE))):
        place = bench.fresh()

        def ours(side, number, place=place):
            state = os.path.join(place, f"ours-{number}")
            if kind == "image":
                path = os.path.join(place, f"k-{number}")
                os.makedirs(path)
                with open(os.path.join(path, "vmlinux"), "wb") as file:
                    file.write(b"\x7fELF" + bytes(4096))
                subprocess.run(bench.banger(state, "kernel", "import", "k", "--from", path),
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            bench.run(side, bench.banger(state, kind, "pull", "b"), env)
            keep_last(state, number, place, "ours")

        def peer(side, number, place=place, script=script):
            to = os.path.join(place, f"peer-{number}")
            bench.run(side, ["bash", "-c", script, "bash", to, f"{bench.url()}/{kind}.tar.zst",
                             digest])
            keep_last(to, number, place, "peer")

        more, sides = bench.pairs(f"{gate} {kind}", target, (f"banger {kind} pull", ours),
                                  (label, peer))
        missed += more
        missed += bench.verdict("P7 peak MiB of the pull", sides[0].peak_kib / 1024, RSS_MIB)
        if kind == "image":
            missed += disk_used(bench, place)
    return missed


def keep_last(path, number, place, name):
    """Only the newest result stays, without its removal counting for anybody."""
    link = os.path.join(place, name)
    if os.path.islink(link):
        shutil.rmtree(os.readlink(link))
        os.unlink(link)
    os.symlink(path, link)
    os.sync()


def disk_used(bench, place):
    ours = os.path.join(place, "ours", "images", "b", "rootfs.ext4")
    peer = os.path.join(place, "peer", "rootfs.ext4")
    subprocess.run(["fallocate", "-d", peer], check=True)
    os.sync()
    return bench.verdict("P8 disk used against fallocate -d",
                         os.stat(ours).st_blocks / os.stat(peer).st_blocks, 1.02)


# ---- the measures ----

def image(bench):
    """an image bundle with holes (P4, P5), its memory (P7) and disk (P8)"""
    return pull(bench, "image", (("P4", 0.5), ("P5", 0.55)))


def kernel(bench):
    """a kernel bundle (P6), its memory (P7)"""
    return pull(bench, "kernel", (("P6 file", 0.8), ("P6 pipe", 0.8)))


def local(bench):
    """kernel import of a tree beside cp -a and sha256sum of its kernel (P9)"""
    source, place = kernel_tree(bench), bench.fresh()

    def ours(side, number):
        bench.run(side, bench.banger(os.path.join(place, f"s{number}"), "kernel", "import", "b",
                                     "--from", source))

    def peer(side, number):
        bench.run(side, ["sh", "-c", 'cp -a "$1" "$2" && sha256sum "$2/vmlinux"', "sh", source,
                         os.path.join(place, f"c{number}")])

    return bench.pairs("P9", 0.9, ("banger kernel import", ours), ("cp -a; sha256sum", peer))[0]


def start(bench):
    """kernel list on an empty store beside skopeo --version (P11)"""
    if shutil.which("skopeo") is None:
        print("   skopeo is not installed: nothing to compare with")
        return []
    state = os.path.join(bench.place, "empty")
    return bench.pairs(
        "P11", 1.0,
        ("banger kernel list", lambda side, _: bench.run(side, bench.banger(state, "kernel", "list"))),
        ("skopeo --version", lambda side, _: bench.run(side, ["skopeo", "--version"])), 40)[0]


def many_kernels(bench):
    """A state directory with MANY kernels, and the index that long lists get once their entries have
    been at rest for some seconds."""
    state = os.path.join(bench.place, "many")
    for number in range(MANY):
        name = f"k{number:05}"
        folder = os.path.join(state, "kernels", name)
        os.makedirs(folder)
        with open(os.path.join(folder, "vmlinux"), "wb") as file:
            file.write(b"\x7fELF")
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            json.dump({"name": name, "distro": "debian", "arch": "x86_64", "format": 1,
                       "kernel_version": f"6.12.{number}", "sha256": f"{number:064x}",
                       "source": f"pull:https://example.org/kernels/{name}.tar.zst",
                       "imported_at": "2026-01-02T03:04:05Z"}, file)
    index = os.path.join(state, "cache", "lists", "kernels")
    while not os.path.exists(index):
        subprocess.run(bench.banger(state, "kernel", "list"), check=True, stdout=subprocess.DEVNULL)
        time.sleep(1)
    return state, index


def forget_files():
    """What was read lately is on disk only, for both sides; False where we may not."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
    except OSError:
        return False
    return True


def many(bench):
    """10,000 kernels listed beside jq over the same manifests, warm and from disk (P10)"""
    if shutil.which("jq") is None:
        print("   jq is not installed: nothing to compare with")
        return []
    state, index = many_kernels(bench)
    missed = []

    def peer(side, number, is_cold=False):
        if is_cold:
            forget_files()
        bench.run(side, ["sh", "-c", 'cd "$1" && find . -name manifest.json -print0 | '
                         'xargs -0 -n 4000 jq -r .name', "sh", os.path.join(state, "kernels")])

    def ours(*words, is_cold=False):
        def once(side, number):
            if is_cold:
                forget_files()
            bench.run(side, [bench.program, "--batch", "--state-dir", state, *words])
        return once

    theirs = ("jq -r .name of every manifest", peer)
    for name, words in (("table", ("kernel", "list")), ("names", ("kernel", "list", "-q")),
                        ("json", ("kernel", "list", "--format", "json"))):
        more, sides = bench.pairs(f"P10 {name}", 0.5, (f"banger {' '.join(words)}", ours(*words)),
                                  theirs, LIST_RUNS)
        missed += more + bench.verdict(f"P10 {name}, ms",
                                       statistics.median(sides[0].seconds) * 1000, 100)
    if forget_files():
        missed += bench.pairs("P10 from disk", 1.0, (
            "banger kernel list", ours("kernel", "list", is_cold=True)),
            (theirs[0], lambda side, number: peer(side, number, True)), COLD_RUNS)[0]
    else:
        print("   (not root: not measured from disk)")
    os.unlink(index)
    bench.pairs("P10 without the index", 1.0, (
        "banger --readonly kernel list", ours("--readonly", "kernel", "list")), theirs, LIST_RUNS)
    return missed


def screen(bench):
    """the console on 10,000 kernels, 1,000 machines and 500 jobs beside tig on as many rows"""
    ours = console.compare(bench.program, MANY, 1000, 500)
    targets = {"opens, ms": 300, "key to paint, ms": 16, "key to paint, 99 of 100, ms": 50,
               "idle 10 s, ms of processor": 0}
    return [name for what, target in targets.items() for name in bench.verdict(what, ours[what], target)]


ALL = {"image": image, "kernel": kernel, "import": local, "start": start, "list": many,
       "console": screen, "guest": guest.reach}
