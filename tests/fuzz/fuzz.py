#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Parsers against foreign bytes. Every run: the kept corpora through the plain build of the targets.
With BANGER_CHECK_ALL=yes also libFuzzer with ASan and UBSan, our own sources instrumented, FUZZ_SECONDS
(30) for each target: executions and coverage are printed, and at the end the share of lines of each
parser that its corpus reaches.

FUZZ_TARGETS limits it to some; FUZZ_KEEP=yes adds what was found to be new to the corpora, when it is
small.
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SRCDIR = os.path.abspath(os.environ.get("SRCDIR", "."))
BUILDDIR = os.path.abspath(os.environ.get("BUILDDIR", "build"))
CORPORA = os.path.join(SRCDIR, "tests", "fuzz", "corpus")
FOLDERS = ("base", "artifact", "store", "vm")
ONLY = ("src/batch/words.c",)
NOT = ("src/store/embed_catalog.c",)
SEED_MAX = 4096
FSCK = shutil.which("e2fsck", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))

# Which of our files a target is about.
PARSERS = {
    "json": ["base/json_scan.c", "base/json.c"], "names": ["base/name.c"], "units": ["base/units.c"],
    "text": ["base/text_safe.c"], "base64": ["base/base64.c"], "wire": ["base/wire_decode.c"],
    "wire_encode": ["base/wire.c"],
    "tar": ["artifact/tar_header.c", "artifact/tar_pax.c", "artifact/tar_block.c",
            "artifact/tar_member.c", "artifact/tar_sparse.c"],
    "lz4": ["artifact/lz4_legacy.c"], "modinfo": ["artifact/modinfo.c"],
    "kernel": ["artifact/kernel_probe.c"], "http": ["artifact/http_parse.c"],
    "oci_ref": ["artifact/oci_ref.c"], "challenge": ["artifact/oci_challenge.c"],
    "oci_document": ["artifact/oci_manifest.c", "artifact/oci_descriptor.c"],
    "oci_config": ["artifact/oci_config.c"], "oci_auth": ["artifact/oci_auth_file.c"],
    "apt": ["artifact/apt_text.c"], "catalog": ["store/catalog_document.c"],
    "config": ["store/config.c", "store/config_keys.c"], "words": ["batch/words.c"],
    "qmp": ["vm/qmp.c"], "process_stat": ["base/process_identity.c"],
    "kernel_record": ["store/kernel_store.c"], "image_record": ["store/image_store.c"],
    "vm_record": ["store/vm_store.c"], "bzimage": ["artifact/bzimage.c"],
    "signature": ["artifact/signature.c"],
    "layers": ["artifact/layer.c", "artifact/layer_newest.c", "artifact/layer_order.c",
               "artifact/layer_link.c", "artifact/layer_walked.c", "artifact/layer_path.c"],
    "ext4": ["artifact/ext4_writer.c", "artifact/ext4_inode.c", "artifact/ext4_dir.c",
             "artifact/ext4_finish.c"],
    "ext4_read": ["artifact/ext4_read.c"],
}


def variable(name):
    """A variable of the build's Makefile."""
    with open(os.path.join(BUILDDIR, "Makefile"), encoding="utf-8") as file:
        found = re.search(rf"^{name} = (.*)$", file.read(), re.MULTILINE)
    return found.group(1).split() if found else []


def sources():
    out = [path for folder in FOLDERS
           for path in glob.glob(os.path.join(SRCDIR, "src", folder, "*.c"))]
    out += [os.path.join(SRCDIR, path) for path in ONLY]
    out += [path for path in glob.glob(os.path.join(SRCDIR, "tests", "fuzz", "*.c"))
            if not path.endswith("/replay.c")]
    return sorted(path for path in out if not path.endswith(NOT))


def build(clang, folder, flags, link):
    """All of it with these flags; the program."""
    os.makedirs(folder, exist_ok=True)
    common = ["-std=gnu11", "-O1", "-g", "-fno-omit-frame-pointer", "-D_GNU_SOURCE",
              "-D_FILE_OFFSET_BITS=64", f"-I{SRCDIR}/src", f"-I{SRCDIR}/tests", f"-I{BUILDDIR}",
              f"-I{BUILDDIR}/src/store", *variable("CPPFLAGS"), *flags]
    for name in ("CURL", "ARCHIVE", "ZSTD", "LZMA", "ZLIB", "EXT2FS", "OPENSSL", "CJSON", "INIH"):
        common += variable(f"{name}_CFLAGS")

    def compile_one(path):
        target = os.path.join(folder, os.path.relpath(path, SRCDIR).replace("/", "_") + ".o")
        done = subprocess.run([clang, *common, "-c", path, "-o", target], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr
        return target

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources()))
    program = os.path.join(folder, "fuzz")
    libs = []
    for name in ("CURL", "ARCHIVE", "ZSTD", "LZMA", "ZLIB", "EXT2FS", "COMERR", "OPENSSL", "CJSON",
                 "INIH"):
        libs += variable(f"{name}_LIBS")
    subprocess.run([clang, *flags, *link, *objects, *libs, "-lm", "-lpthread", "-o", program],
                   check=True)
    return program


def fuzz_one(program, target, folder):
    """Runs libFuzzer on one target; a line with what it did. Raises with the end of its words."""
    work = os.path.join(folder, "corpus", target)
    os.makedirs(work, exist_ok=True)
    done = subprocess.run(
        [program, f"-max_total_time={SECONDS}", "-max_len=4096", "-timeout=5", "-rss_limit_mb=2048",
         "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={folder}/{target}-",
         work, os.path.join(CORPORA, target)],
        env=dict(os.environ, FUZZ_TARGET=target, FUZZ_FSCK="1000" if FSCK else "0", ASAN_OPTIONS="detect_leaks=1",
                 UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, f"{target}: the input is in {folder}\n{said[-6000:]}"
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    edges = re.findall(r" cov: (\d+) ft: (\d+)", said)
    return int(runs.group(1)), (edges[-1] if edges else ("0", "0"))


def line_coverage(program, targets, folder):
    """Share of lines of each target's own files that its corpora reach."""
    profile = os.path.join(folder, "profile")
    for target in targets:
        raw = os.path.join(folder, f"{target}.raw")
        subprocess.run([program, "-runs=0", os.path.join(folder, "corpus", target),
                        os.path.join(CORPORA, target)],
                       env=dict(os.environ, FUZZ_TARGET=target, LLVM_PROFILE_FILE=raw),
                       capture_output=True, check=True)
        subprocess.run(["llvm-profdata", "merge", "-o", profile, raw], check=True)
        out = subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={profile}",
                              program], capture_output=True, check=True).stdout
        lines = {os.path.relpath(file["filename"], os.path.join(SRCDIR, "src")):
                 file["summary"]["lines"] for file in json.loads(out)["data"][0]["files"]}
        shares = [f"{name} {lines[name]['percent']:.0f} %" for name in PARSERS.get(target, [])
                  if name in lines]
        print(f"{target}: lines reached: {', '.join(shares) or '-'}", flush=True)


def keep(targets, folder):
    """What is new and small goes into the tree."""
    for target in targets:
        for name in os.listdir(os.path.join(folder, "corpus", target)):
            path = os.path.join(folder, "corpus", target, name)
            if os.path.getsize(path) <= SEED_MAX:
                shutil.copy(path, os.path.join(CORPORA, target, name[:16]))


def fuzz(clang, targets):
    place = os.path.join(BUILDDIR, "tests", "fuzz", "libfuzzer")
    program = build(clang, os.path.join(place, "asan"),
                    ["-fsanitize=fuzzer-no-link,address,undefined", "-fno-sanitize-recover=undefined"],
                    ["-fsanitize=fuzzer,address,undefined"])
    folder = tempfile.mkdtemp(prefix="run-", dir=place)
    total, broken = 0, []
    for target in targets:
        try:
            runs, (edges, features) = fuzz_one(program, target, folder)
            total += runs
            print(f"{target}: {runs} executions in {SECONDS} s, {edges} edges, {features} features",
                  flush=True)
        except AssertionError as failure:
            broken.append(target)
            print(f"FAIL {failure}", flush=True)
    print(f"{total} executions, {len(targets)} targets, {len(broken)} broken", flush=True)
    if os.environ.get("FUZZ_KEEP") == "yes":
        keep(targets, folder)
    if not broken and shutil.which("llvm-cov") and shutil.which("llvm-profdata"):
        covered = build(clang, os.path.join(place, "coverage"),
                        ["-fprofile-instr-generate", "-fcoverage-mapping"],
                        ["-fsanitize=fuzzer", "-fprofile-instr-generate"])
        line_coverage(covered, targets, folder)
    if not broken:
        shutil.rmtree(folder)
    return not broken


def check_corpora():
    size = 0
    for base, _, names in os.walk(CORPORA):
        for name in names:
            size += os.path.getsize(os.path.join(base, name))
            assert os.path.getsize(os.path.join(base, name)) <= SEED_MAX, (base, name)
    assert size < 500_000, size


def main():
    check_corpora()
    replay = os.path.join(BUILDDIR, "tests", "fuzz", "replay")
    done = subprocess.run([replay, CORPORA], env=dict(os.environ, FUZZ_FSCK="1" if FSCK else "0"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    print(done.stdout.decode("utf-8", "replace"), flush=True)
    if done.returncode != 0:
        print(done.stderr.decode("utf-8", "replace")[-4000:])
        return 1
    clang = shutil.which("clang")
    if os.environ.get("BANGER_CHECK_ALL") != "yes" or os.environ.get("SANITIZERS", "no") != "no":
        return 0
    if clang is None:
        print("skipped: the long run needs clang")
        return 77
    chosen = os.environ.get("FUZZ_TARGETS", "").split()
    targets = [name for name in sorted(os.listdir(CORPORA)) if not chosen or name in chosen]
    return 0 if fuzz(clang, targets) else 1


if __name__ == "__main__":
    sys.exit(main())
