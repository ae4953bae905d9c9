# SPDX-License-Identifier: MIT
"""kernel pull through the real path: server, digest, archive, store."""
import os
import subprocess

from world import main, need, sha256_of


def test_round_trip(world):
    entry = world.offer_kernel(world.server())
    result = world.json("kernel", "pull", "lab")
    assert result["name"] == "lab" and result["changed"] is True
    assert result["source"] == f"pull:{entry['tarball_url']}"
    assert result["source_sha256"] == entry["tarball_sha256"]
    assert set(result["skipped"]) == {"hardlink", "device", "fifo", "xattr"}
    assert result["size_bytes"] > 0 and result["seconds"] >= 0
    manifest = world.manifest("kernels", "lab")
    vmlinux = os.path.join(world.state, "kernels", "lab", "vmlinux")
    assert manifest["sha256"] == sha256_of(vmlinux) == result["sha256"]
    assert manifest["source"] == result["source"]
    (row,) = world.json("kernel", "list")
    assert row["verified"] == "pull" and row["state"] == "ok"
    assert world.parts() == []


def test_available_and_pulled(world):
    world.offer_kernel(world.server())
    (row,) = world.json("kernel", "list", "--available")
    assert row["name"] == "lab" and row["kind"] == "kernel" and row["state"] == "available"
    assert row["catalog"] and row["size_bytes"] > 0
    assert row["description"] and row["distro"] and row["arch"] and row["kernel_version"]
    assert world.requests() == []  # listing never touches the network
    world.ok("kernel", "pull", "lab")
    (row,) = world.json("kernel", "list", "--available")
    assert row["state"] == "pulled"
    world.ok("kernel", "rm", "lab")
    (row,) = world.json("kernel", "list", "--available")
    assert row["state"] == "available"


def test_existing_is_refused_and_nothing_fetched(world):
    world.offer_kernel(world.server())
    world.ok("kernel", "pull", "lab")
    asked = len(world.requests())
    before = world.tree()
    assert world.fails(73, "kernel", "pull", "lab")["code"] == "EXISTS"
    assert world.json("kernel", "pull", "lab", "--if-absent")["changed"] is False
    assert len(world.requests()) == asked and world.tree() == before
    assert world.json("kernel", "pull", "lab", "--force")["changed"] is True


def test_flipped_byte(world):
    url = world.server()
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/flip=100/kernel.tar.zst"
    world.catalog(kernels=[entry])
    error = world.fails(65, "kernel", "pull", "lab")
    assert error["code"] == "DIGEST"
    assert error["expected"] == entry["tarball_sha256"]
    assert len(error["found"]) == 64 and error["found"] != error["expected"]
    assert world.entries("kernels") == [] and world.parts() == []


def test_wrong_digest_in_the_catalog(world):
    world.offer_kernel(world.server(), sha256="0" * 64)
    assert world.fails(65, "kernel", "pull", "lab")["code"] == "DIGEST"
    assert world.entries("kernels") == [] and world.parts() == []


def test_unusable_entries_fail_closed(world):
    url = world.server()
    for digest in ("", "12", "z" * 64, "A" * 64):
        entry = world.offer_kernel(url)
        entry["tarball_sha256"] = digest
        world.catalog(kernels=[entry])
        (row,) = world.json("kernel", "list", "--available")
        assert row["state"] == "unusable"
        assert world.run("kernel", "pull", "lab").status != 0
    assert world.requests() == []


def test_answers_of_the_server(world):
    url = world.server()
    entry = world.offer_kernel(url)
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[limits]\nretries = 1\n")
    for behaviour, status in (("404", 66), ("410", 66), ("500", 69), ("close", 69)):
        entry["tarball_url"] = f"{url}/{behaviour}/kernel.tar.zst"
        world.catalog(kernels=[entry])
        result = world.run("kernel", "pull", "lab", "--format", "json")
        assert result.status == status, f"{behaviour}: {result}"
        assert world.entries("kernels") == []


def test_nobody_listens(world):
    world.offer_kernel("http://127.0.0.1:9")
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[limits]\nretries = 0\n")
    assert world.fails(69, "kernel", "pull", "lab")["code"] == "NETWORK"
    assert world.entries("kernels") == []


def test_unknown_name(world):
    world.offer_kernel(world.server(), name="debian")
    error = world.fails(66, "kernel", "pull", "debain")
    assert "debian" in error["message"]


def test_server_without_ranges_or_etags(world):
    url = world.server()
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/no-range+etag=none+chunked/kernel.tar.zst"
    world.catalog(kernels=[entry])
    assert world.json("kernel", "pull", "lab")["changed"] is True


def test_hostile_bundle(world):
    """../x in the archive: the whole of it is refused."""
    need("zstd")
    url = world.server()
    entry = world.offer_kernel(url)
    tree = world.mkdir("evil")
    world.write("evil/vmlinux", b"\x7fELF" + bytes(64))
    world.write("x", b"outside")
    tar = world.path("evil.tar")
    subprocess.run(["tar", "-C", tree, "-cPf", tar, "vmlinux", "../x"], check=True)
    bundle = os.path.join(world.www, "evil.tar.zst")
    subprocess.run(["zstd", "-q", "-f", tar, "-o", bundle], check=True)
    entry.update(tarball_url=f"{url}/evil.tar.zst", tarball_sha256=sha256_of(bundle),
                 size_bytes=os.path.getsize(bundle))
    world.catalog(kernels=[entry])
    world.fails(65, "kernel", "pull", "lab")
    assert world.entries("kernels") == []


def test_dry_run_changes_nothing(world):
    world.offer_kernel(world.server())
    world.ok("kernel", "list")
    before = world.tree()
    plan = world.json("kernel", "pull", "lab", "--dry-run")
    assert plan["plan"][0]["action"] and plan["free_bytes"] > 0
    assert world.tree() == before and world.requests() == []


main()
