# SPDX-License-Identifier: MIT
"""image pull REFERENCE by the real program: from Debian's docker-registry filled by skopeo and umoci,
and from a set-up like the Hub's (token service, registry and storage on three hosts); refresh,
history, cache prune; several pulls at once."""
import json
import os
import signal
import subprocess

import web_world
from images_world import import_kernel, registry
from world import PATIENCE_S, PROGRAM, interrupt, main, need, sha256_of


def real_registry(world):
    for program in ("docker-registry", "skopeo", "umoci"):
        need(program)
    return registry(world, "real_registry.py")


def digest_of(world, name):
    with open(world.path("registry", f"{name}.digest"), encoding="ascii") as file:
        return file.read()


def rootfs(world, name):
    return os.path.join(world.state, "images", name, "rootfs.ext4")


def check_disk(world, name):
    need("e2fsck")
    done = subprocess.run(["e2fsck", "-fn", rootfs(world, name)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout


def asked(world):
    with open(world.path("registry.log"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_from_a_real_registry(world):
    host = real_registry(world)
    import_kernel(world)
    for name in ("plain", "docker", "index", "umoci"):
        result = world.json("image", "pull", f"{host}/real/{name}:t", "--kernel-ref", "lab")
        assert result["name"] == f"{name}-t" and result["changed"] is True, result
        assert result["digest"] == digest_of(world, name), result
        check_disk(world, f"{name}-t")
        shown = world.json("image", "show", f"{name}-t")
        assert shown["managed"] is True and shown["kernel_ref"] == "lab", shown
        assert shown["source"].startswith("pull:") and host in shown["source"], shown
        assert shown["disk_bytes"] < shown["size_bytes"], "holes are holes"
        assert world.json("image", "history", f"{name}-t"), "how it was made"
    assert world.entries("images") == ["docker-t", "index-t", "plain-t", "umoci-t"]
    assert world.parts() == []
    # The same bytes again, from the cache and from the registry.
    first = sha256_of(rootfs(world, "umoci-t"))
    world.ok("image", "pull", f"{host}/real/umoci:t", "--kernel-ref", "lab", "--name", "again")
    assert sha256_of(rootfs(world, "again")) == first
    plan = world.json("image", "cache", "prune", "--dry-run")
    assert plan["plan"][0]["bytes"] > 0
    pruned = world.json("image", "cache", "prune")
    assert pruned["changed"] is True and pruned["blobs"] > 0 and pruned["disk_bytes"] > 0
    assert world.json("image", "cache", "prune")["changed"] is False
    world.ok("image", "pull", f"{host}/real/umoci:t", "--kernel-ref", "lab", "--name", "fresh")
    assert sha256_of(rootfs(world, "fresh")) == first
    assert [row["verified"] for row in world.json("image", "verify", "fresh")] == ["pull"]


def test_the_tag_moves(world):
    host = real_registry(world)
    import_kernel(world)
    reference = f"{host}/real/plain:t"
    world.ok("image", "pull", reference, "--kernel-ref", "lab", "--name", "here")
    (row,) = world.json("image", "refresh", "here")
    assert row["name"] == "here" and row["moved"] is False, row
    assert row["digest"] == row["latest_digest"] == digest_of(world, "plain"), row
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false",
                    "--src-tls-verify=false", f"docker://{host}/real/umoci:t",
                    f"docker://{reference}"], check=True, stdout=subprocess.DEVNULL)
    before = world.tree()
    (row,) = world.json("image", "refresh")
    assert row["moved"] is True and row["source"].startswith("pull:"), row
    assert row["latest_digest"] == digest_of(world, "umoci") != row["digest"], row
    assert world.tree() == before, "only asked"
    world.ok("image", "pull", reference, "--kernel-ref", "lab", "--name", "here", "--force")
    assert world.json("image", "refresh", "here")[0]["moved"] is False


def test_a_registry_that_speaks_tls(world):
    """Plain HTTP would be fine here, but is never spoken to who speaks TLS: a certificate that nobody
    vouches for is the end of it."""
    import_kernel(world)
    authority = web_world.Authority(world)
    port = web_world.nginx(world, authority.certificate("registry", "IP:127.0.0.1"))
    words = ("image", "pull", f"127.0.0.1:{port}/real/plain:t", "--kernel-ref", "lab")
    world.fails(69, *words)
    assert web_world.asked(world, port) == []
    world.env["SSL_CERT_FILE"] = authority.file
    world.fails(66, *words)
    world.wait_until(lambda: web_world.asked(world, port), "nginx tells of it")
    assert web_world.asked(world, port)[-1] == "/v2/real/plain/manifests/t", web_world.asked(world, port)


def test_like_the_hub(world):
    """A token for whoever asks, blobs from a host that refuses whoever brings it along."""
    need("zstd")
    host = registry(world, "registry.py")
    import_kernel(world)
    result = world.json("image", "pull", f"{host}/hub/token.redirect.index.busy:latest",
                        "--kernel-ref", "lab", "--name", "hub", "--size", "300M")
    assert result["changed"] is True and result["size_bytes"] == 300 << 20, result
    check_disk(world, "hub")
    seen = asked(world)
    assert {"registry", "token", "storage"} <= {entry["role"] for entry in seen}, seen[:3]
    for entry in seen:
        if entry["role"] == "storage":
            assert not entry["authorization"], entry


def test_a_platform_of_several(world):
    host = registry(world, "registry.py")
    import_kernel(world)
    words = ("image", "pull", f"{host}/hub/index.armtoo:latest", "--kernel-ref", "lab", "--size",
             "64M")
    for wrong in ("windows/amd64", "linux", "linux/", "linux/arm64/v8/x", "arm64", "linux/../x"):
        world.fails(64, *words, "--platform", wrong)
    assert asked(world) == [], "nobody was asked"
    error = world.fails(69, *words, "--platform", "linux/riscv64")
    assert error["code"] == "UNSUPPORTED", error
    assert "linux/amd64" in error["message"] and "linux/arm64/v8" in error["message"], error
    world.fails(69, *words, "--platform", "linux/arm64/v7")
    assert world.entries("images") == []
    manifests = {}
    for name, platform in (("host", ["linux/amd64"]), ("arm", ["linux/arm64"]),
                           ("arm8", ["linux/arm64/v8"])):
        world.ok(*words, "--name", name, "--platform", *platform)
        manifests[name] = world.manifest("images", name)["manifest_digest"]
    assert manifests["arm"] == manifests["arm8"] != manifests["host"], manifests
    assert [row["moved"] for row in world.json("image", "refresh")] == [False] * 3


def test_what_is_refused(world):
    host = registry(world, "registry.py")
    import_kernel(world)
    reference = f"{host}/hub/plain:latest"
    assert "--kernel-ref" in world.fails(64, "image", "pull", reference)["message"]
    assert not os.path.exists(world.path("registry.log")) or asked(world) == []
    world.fails(64, "image", "pull", f"{host}/UPPER/case:x", "--kernel-ref", "lab")
    world.fails(66, "image", "pull", f"{host}/hub/absent:latest", "--kernel-ref", "lab")
    assert world.fails(65, "image", "pull", f"{host}/hub/wronglayer:latest", "--kernel-ref",
                       "lab")["code"] in ("DIGEST", "FORMAT")
    assert world.entries("images") == [] and os.listdir(os.path.join(world.state, "images")) == []


def test_the_name_is_taken(world):
    host = registry(world, "registry.py")
    import_kernel(world)
    reference = f"{host}/hub/plain:latest"
    words = ("image", "pull", reference, "--kernel-ref", "lab")
    name = world.json(*words)["name"]
    asked_before = len(asked(world))
    assert "--force" in world.fails(73, *words)["message"]
    assert world.json(*words, "--if-absent")["changed"] is False
    assert len(asked(world)) == asked_before, "nothing was fetched"
    plan = world.json(*words, "--name", "other", "--dry-run")
    assert plan["plan"] and world.entries("images") == [name]


def test_many_at_once(world):
    """Eight of one reference, one of them wins and all succeed; different ones beside them."""
    host = registry(world, "registry.py")
    import_kernel(world)
    children = [world.start("image", "pull", f"{host}/hub/plain:latest", "--kernel-ref", "lab",
                            "--format", "json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for _ in range(8)]
    children += [world.start("image", "pull", f"{host}/hub/plain:latest", "--kernel-ref", "lab",
                             "--name", f"other{i}", "--format", "json", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL) for i in range(3)]
    results = [json.loads(child.communicate(timeout=2 * PATIENCE_S)[0]) for child in children]
    # One that looks only when the winner is done finds what was there before it.
    late = [result for result in results[:8] if result.get("error", {}).get("code") == "EXISTS"]
    assert all("error" not in result or result in late for result in results), results
    assert sum(result.get("changed", False) for result in results[:8]) == 1, results
    assert all(result["changed"] for result in results[8:]), results
    assert len(world.entries("images")) == 4
    for name in world.entries("images"):
        check_disk(world, name)


def test_a_pull_is_interrupted(world):
    host = registry(world, "registry.py")
    import_kernel(world)
    child = world.start("image", "pull", f"{host}/hub/slow:latest", "--kernel-ref", "lab",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.wait_until(lambda: os.path.exists(world.path("registry.log")) and asked(world),
                     "the registry is asked")
    status = interrupt(child, signal.SIGINT)
    assert status == 130, (status, asked(world))
    assert world.entries("images") == []


# What a pull may open to write, below the state directory.
ALLOWED = ("cache/downloads/", "cache/blobs/", "images/.tmp-", "locks/", "log/", "jobs/")


def test_layers_touch_nothing_else(world):
    need("strace")
    if os.environ.get("SANITIZERS", "no") != "no":
        return
    host = registry(world, "registry.py")
    import_kernel(world)
    trace = world.path("trace")
    subprocess.run(
        ["strace", "-f", "-qq", "-y", "-e", "trace=openat,openat2,creat,mknodat,symlinkat,linkat,"
         "mkdirat", "-o", trace, PROGRAM, "--batch", "image", "pull",
         f"{host}/hub/token.redirect.index.busy:latest", "--kernel-ref", "lab", "--name", "traced"],
        env=world.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=PATIENCE_S)
    written = set()
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            call = line.split("(", 1)
            is_made = any(word in call[0] for word in ("mknodat", "symlinkat", "linkat"))
            assert not is_made or "= -1" in line, line
            if " = -1" in line or ("O_WRONLY" not in line and "O_RDWR" not in line):
                continue
            path = line.rsplit("<", 1)[-1].split(">")[0]
            written.add(path)
    outside = [path for path in written if path.startswith("/") and not path.startswith(("/dev/",
               "/proc/")) and not path.startswith(tuple(
                   f"{world.state}/{allowed}" for allowed in ALLOWED))]
    assert written and outside == [], sorted(outside)


main()
