# SPDX-License-Identifier: MIT
"""Catalogs: their sources, their signatures, and publishing one that others pull from."""
import base64
import json
import os
import shutil
import stat
import subprocess

from world import main, need, sha256_of

CATALOG_FIELDS = {"name", "origin", "policy", "signature", "state"}
SIGNATURE_BYTES = 64


def document(*names, url="http://127.0.0.1:9/none.tar.zst", **more):
    kernels = [{"name": name, "tarball_url": url, "tarball_sha256": "0" * 64, **more}
               for name in names]
    return json.dumps({"version": 1, "kernels": kernels})


def serve(world, name, text):
    return world.write(f"www/{name}", text)


def key_pair(world, name="key.pem"):
    """A new key; the path of its file and the public half for [trust]."""
    result = world.json("catalog", "keygen", world.path(name))
    return world.path(name), result["public_key"]


def sign(world, path, key="key.pem"):
    """A signature as openssl makes it."""
    raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", world.path(key),
                          "-in", path], stdout=subprocess.PIPE, check=True).stdout
    assert len(raw) == SIGNATURE_BYTES
    with open(path + ".sig", "wb") as file:
        file.write(base64.b64encode(raw) + b"\n")


def trust(world, key, policy=None, name="lab"):
    text = f"[trust]\n{name} = {key}\n" if key else ""
    text += f"[signatures]\n{name} = {policy}\n" if policy else ""
    world.env["BANGER_CONFIG"] = world.write("config.ini", text + "[limits]\nretries = 0\n")


def row_of(world, name):
    return next(row for row in world.json("catalog", "list") if row["name"] == name)


def finds(world, code, *words):
    """catalog verify says that something is bad; what it found."""
    result = world.run("catalog", "verify", *words, "--format", "json")
    assert result.status == 65, str(result)
    assert result.json()["error"]["code"] == code and result.json()["problem"], str(result)
    return result.json()


def offered(world):
    return [row["name"] for row in world.json("kernel", "list", "--available")]


# ---- sources ----


def test_sources_in_their_order(world):
    first = world.write("first.json", document("a"))
    world.env["BANGER_CATALOG"] = first
    second = world.write("second.json", document("b", "c"))
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[catalogs]\nmine = {second}\n")
    third = world.write("third.json", document("a", "d"))
    world.ok("catalog", "add", "zz", third)
    world.ok("catalog", "add", "aa", world.write("broken.json", document()))
    world.write("broken.json", "{")
    rows = world.json("catalog", "list")
    assert [row["name"] for row in rows] == ["first", "mine", "aa", "zz", "built-in"]
    assert [row["origin"] for row in rows] == ["environment", "config", "added", "added",
                                               "built-in"]
    assert all(CATALOG_FIELDS <= set(row) for row in rows)
    assert rows[0]["place"] == first and rows[1]["kernel_count"] == 2
    assert rows[1]["image_count"] == 0 and rows[1]["as_of"]
    assert rows[2]["state"] == "failed" and rows[2]["problem"] and "kernel_count" not in rows[2]
    assert world.json("catalog", "ls") == rows
    listing = world.run("kernel", "list", "--available", "--format", "json")
    assert listing.status == 78  # a source is broken: said, and the others are all there
    assert [row["name"] for row in listing.json()] == ["a", "b", "c", "d"]
    assert listing.json()[0]["catalog"] == "first"
    assert world.ok("catalog", "list", "-q").out.split() == [row["name"] for row in rows]


def test_add_and_remove_a_place(world):
    url = world.server()
    serve(world, "catalog.json", document("k"))
    before = world.tree()
    plan = world.json("catalog", "add", "lab", f"{url}/", "--dry-run")["plan"]
    assert plan and world.tree() == before and world.requests() == []
    added = world.json("catalog", "add", "lab", f"{url}/")
    assert added["changed"] is True and added["place"] == f"{url}/catalog.json"
    assert added["kernel_count"] == 1
    path = os.path.join(world.state, "catalogs.d", "lab.json")
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["place"] == f"{url}/catalog.json"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    asked = len(world.requests())
    assert offered(world) == ["k"] and len(world.requests()) == asked
    assert world.fails(73, "catalog", "add", "lab", f"{url}/")["code"] == "EXISTS"
    world.ok("catalog", "add", "lab", f"{url}/", "--force")
    assert world.json("catalog", "rm", "lab", "--dry-run")["plan"]
    assert world.json("catalog", "rm", "lab")["changed"] is True
    assert offered(world) == [] and world.tree() == before
    assert world.fails(66, "catalog", "delete", "lab")["code"] == "NOT_FOUND"


def test_add_takes_only_what_is_a_catalog(world):
    url = world.server()
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[limits]\nretries = 0\n")
    serve(world, "page.json", "<html>hello</html>")
    before = world.tree()
    world.fails(65, "catalog", "add", "lab", f"{url}/page.json")
    world.fails(65, "catalog", "add", "lab", world.path("www", "page.json"))
    world.fails(66, "catalog", "add", "lab", f"{url}/404/none.json")
    world.fails(66, "catalog", "add", "lab", world.path("none.json"))
    world.fails(64, "catalog", "add", "lab", "ftp://127.0.0.1/catalog.json")
    world.fails(64, "catalog", "add", "../lab", f"{url}/page.json")
    world.fails(69, "catalog", "add", "lab", "http://127.0.0.1:9/catalog.json")
    world.fails(73, "catalog", "add", "built-in", world.write("c.json", document("k")))
    assert world.tree() == before


def test_reads_only_changes_nothing(world):
    path = world.write("c.json", document("k"))
    world.ok("catalog", "add", "lab", path)
    before = world.tree()
    for words in (["add", "other", path], ["rm", "lab"], ["refresh"],
                  ["publish", world.path("out")], ["keygen", world.path("key.pem")]):
        world.fails(77, "--readonly", "catalog", *words)
    world.ok("--readonly", "catalog", "verify")
    assert world.tree() == before and not os.path.exists(world.path("out"))


def test_files_of_catalogs_d_by_hand(world):
    """A plain catalog, a place, and what is neither."""
    world.ok("catalog", "list")
    elsewhere = world.write("elsewhere.json", document("far"))
    world.write("state/catalogs.d/plain.json", document("near"))
    world.write("state/catalogs.d/there.json", json.dumps({"place": elsewhere}))
    assert offered(world) == ["far", "near"]
    assert row_of(world, "there")["place"] == elsewhere
    for text in ('{"place": 1}', '{"place": "relative.json"}', '{"format": 2, "place": "/x"}'):
        world.write("state/catalogs.d/odd.json", text)
        assert row_of(world, "odd")["state"] == "failed"
    world.ok("catalog", "rm", "odd")
    world.ok("catalog", "rm", "plain")
    assert offered(world) == ["far"]
    # What comes from elsewhere cannot be taken out here.
    world.fails(64, "catalog", "rm", "built-in")


def test_refresh(world):
    url = world.server()
    serve(world, "a.json", document("one"))
    serve(world, "b.json", document("two"))
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[catalogs]\na = {url}/a.json\n"
                                             f"b = {url}/b.json\n[limits]\nretries = 0\n")
    assert row_of(world, "a")["state"] == "failed"  # never fetched, and said
    assert len(world.json("catalog", "refresh", "--dry-run")["plan"]) == 2
    assert world.requests() == []
    rows = world.json("catalog", "refresh")
    assert [(row["name"], row["changed"]) for row in rows] == [("a", True), ("b", True)]
    assert {"origin", "place", "kernel_count", "image_count", "as_of"} <= set(rows[0]), rows
    assert rows[0]["policy"] == "off" and rows[0]["signature"] == "none"
    assert rows[0]["state"] == "ok" and "problem" not in rows[0]
    assert offered(world) == ["one", "two"]
    assert world.json("catalog", "refresh", "a")["changed"] is False
    serve(world, "a.json", document("one", "three"))
    os.unlink(world.path("www", "b.json"))
    result = world.run("catalog", "refresh", "a", "b", "--format", "json")
    assert result.status == 2, str(result)
    good, bad = result.json()
    assert good["changed"] is True and good["kernel_count"] == 2
    assert bad["name"] == "b" and bad["changed"] is False
    assert bad["error"]["code"] == "NOT_FOUND"
    # What cannot be fetched keeps its copy; the failure of one stops no other.
    assert offered(world) == ["one", "three", "two"]
    assert world.run("catalog", "refresh").status == 66
    world.fails(66, "catalog", "refresh", "nope")


def test_an_old_copy_is_stale_and_fetched_by_a_pull(world):
    url = world.server()
    entry = world.offer_kernel(url)
    serve(world, "c.json", json.dumps({"version": 1, "kernels": [entry]}))
    del world.env["BANGER_CATALOG"]
    world.ok("catalog", "add", "lab", f"{url}/c.json")
    assert row_of(world, "lab")["state"] == "ok"
    world.env["BANGER_CLOCK"] = "2026-07-03T12:00:00Z"
    assert row_of(world, "lab")["state"] == "stale"
    asked = len(world.requests())
    world.ok("kernel", "pull", "lab")
    targets = [request["target"] for request in world.requests()[asked:]]
    assert any("c.json" in target for target in targets), targets
    assert row_of(world, "lab")["state"] == "ok"


def test_a_catalog_behind_a_password(world):
    """The operator's own user and password go to that server for what lies beside the catalog; a
    catalog itself cannot bring any, and nothing of them is recorded or shown."""
    url = world.server().replace("://", "://me:secret@")
    name, digest, size = world.kernel_bundle()
    entry = {"name": "k", "tarball_url": name, "tarball_sha256": digest, "size_bytes": size}
    brought = {**entry, "name": "brought", "tarball_url": f"{url}/{name}"}
    sideways = {**entry, "name": "sideways", "tarball_url": url.split(":", 1)[1] + f"/{name}"}
    serve(world, "catalog.json", json.dumps({"version": 1,
                                             "kernels": [entry, brought, sideways]}))
    added = world.ok("catalog", "add", "lab", f"{url}/auth/")
    result = world.ok("kernel", "pull", "k")
    for shown in (added, result, world.ok("catalog", "list"), world.ok("kernel", "show", "k")):
        assert "secret" not in shown.out + shown.err, str(shown)
    assert "secret" not in json.dumps(world.manifest("kernels", "k"))
    states = {row["name"]: row["state"] for row in world.json("kernel", "list", "--available")}
    assert states == {"k": "pulled", "brought": "unusable", "sideways": "unusable"}


def test_verify(world):
    path = world.write("c.json", document("k"))
    world.ok("catalog", "add", "lab", path)
    rows = world.json("catalog", "verify")
    assert [row["state"] for row in rows] == ["ok", "ok"]
    assert {"name", "origin", "place", "kernel_count", "image_count", "as_of", "policy",
            "signature"} <= set(rows[0]), rows
    assert world.json("catalog", "verify", "la")["name"] == "lab"  # reading verbs take a prefix
    world.write("c.json", document("k")[:-2])
    finds(world, "FORMAT", "lab")
    result = world.run("catalog", "verify", "--format", "json")
    assert result.status == 65 and result.json()[0]["problem"]
    assert world.run("catalog", "verify", "lab", "built-in").status == 2


def test_verify_of_entries(world):
    name, digest, size = world.kernel_bundle()
    good = {"name": "good", "tarball_url": name, "tarball_sha256": digest, "size_bytes": size}
    far = {"name": "far", "tarball_url": "https://a.example/b", "tarball_sha256": digest}

    def write(*entries):
        serve(world, "catalog.json", json.dumps({"version": 1, "kernels": entries}))

    write(good, far)
    world.ok("catalog", "add", "lab", world.www)
    assert world.json("catalog", "verify", "lab", "--entries")["bad_entries"] == []
    write(good, far, {**good, "name": "short", "tarball_sha256": "12"})
    assert finds(world, "FORMAT", "lab", "--entries")["bad_entries"][0]["name"] == "short"
    world.ok("catalog", "verify", "lab")  # the document itself is well
    write(good, {**good, "name": "rotten", "tarball_sha256": "0" * 64})
    assert finds(world, "DIGEST", "lab", "--entries")["bad_entries"][0]["name"] == "rotten"
    write(good, {**good, "name": "gone", "tarball_url": "gone.tar.zst"})
    result = world.run("catalog", "verify", "--entries", "--format", "json")
    assert result.status == 65
    assert [bad["name"] for bad in result.json()[0]["bad_entries"]] == ["gone"]


# ---- signatures ----


def test_keygen(world):
    need("openssl")
    path, public = key_pair(world)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                         stdout=subprocess.PIPE, check=True).stdout
    assert base64.b64encode(der[-32:]).decode() == public
    digest = sha256_of(path)
    assert world.fails(73, "catalog", "keygen", path)["code"] == "EXISTS"
    assert sha256_of(path) == digest
    result = world.json("catalog", "keygen", world.path("other.pem"))
    assert result["trust"].endswith(result["public_key"]) and result["public_key"] != public
    assert world.json("catalog", "keygen", world.path("third.pem"), "--dry-run")["plan"]
    assert not os.path.exists(world.path("third.pem"))


def signed_world(world):
    """A signed catalog on a server, not yet known here; its URL and the public key."""
    need("openssl")
    _, public = key_pair(world)
    url = world.server()
    world.env["BANGER_CATALOG"] = ""
    name, digest, size = world.kernel_bundle()
    path = serve(world, "catalog.json", json.dumps({"version": 1, "kernels": [
        {"name": "k", "tarball_url": name, "tarball_sha256": digest, "size_bytes": size}]}))
    sign(world, path)
    return f"{url}/catalog.json", public


def test_signed_catalog(world):
    url, public = signed_world(world)
    trust(world, public, "require")
    assert world.json("catalog", "add", "lab", url)["signature"] == "verified"
    row = row_of(world, "lab")
    assert (row["policy"], row["signature"], row["state"]) == ("require", "verified", "ok")
    (offer,) = world.json("kernel", "list", "--available")
    assert offer["signature"] == "verified"
    assert world.json("kernel", "pull", "k")["changed"] is True


def spoilings(world):
    """What can be wrong with a signed catalog, each on the server when it is yielded."""
    path = world.path("www", "catalog.json")
    with open(path, "rb") as file:
        document_bytes = file.read()
    with open(path + ".sig", "rb") as file:
        signature = file.read()
    world.write("www/catalog.json", document_bytes.replace(b'"k"', b'"x"'))
    yield "tampered document"
    world.write("www/catalog.json", document_bytes)
    for what, text in (("flipped", b"A" + signature[1:] if signature[:1] != b"A" else
                        b"B" + signature[1:]), ("cut", signature[:-9] + b"\n"),
                       ("twice", signature * 2), ("empty", b""), ("garbage", b"\0\xff" * 9),
                       ("padded", b" " + signature)):
        world.write("www/catalog.json.sig", text)
        yield f"signature {what}"
    key_pair(world, "wrong.pem")
    sign(world, path, "wrong.pem")
    yield "another key"


def test_bad_signatures_are_refused_and_nothing_is_pulled(world):
    url, public = signed_world(world)
    for what in spoilings(world):
        # Without a policy a key means prefer: a signature that is there must be right.
        for policy in ("require", None):
            trust(world, public, policy)
            result = world.run("catalog", "add", "lab", url, "--format", "json")
            assert result.status == 65, f"{what} under {policy}: {result}"
            assert result.json()["error"]["code"] == "SIGNATURE", f"{what} under {policy}"
    os.unlink(world.path("www", "catalog.json.sig"))
    trust(world, public, "require")
    error = world.fails(65, "catalog", "add", "lab", url)
    assert error["code"] == "SIGNATURE" and "lab" in error["message"], error
    trust(world, None, "require")  # a key that nobody knows proves nothing
    assert world.fails(65, "catalog", "add", "lab", url)["code"] == "SIGNATURE"
    # A source of the configuration: the pull fetches it, and refuses.
    text = f"[catalogs]\nlab = {url}\n[trust]\nlab = {public}\n[signatures]\nlab = require\n"
    world.env["BANGER_CONFIG"] = world.write("config.ini", text + "[limits]\nretries = 0\n")
    assert world.fails(65, "kernel", "pull", "k")["code"] == "SIGNATURE"
    assert world.entries("kernels") == [] and world.parts() == []
    assert not any("tar.zst" in request["target"] for request in world.requests())


def test_missing_signature_under_prefer_and_off(world):
    url, public = signed_world(world)
    os.unlink(world.path("www", "catalog.json.sig"))
    trust(world, public)
    added = world.json("catalog", "add", "lab", url)
    assert (added["policy"], added["signature"]) == ("prefer", "missing")
    assert world.json("kernel", "list", "--available")[0]["signature"] == "missing"
    trust(world, public, "off")
    assert row_of(world, "lab")["signature"] == "none"
    asked = len(world.requests())
    world.ok("catalog", "refresh")
    assert not any(".sig" in request["target"] for request in world.requests()[asked:])


def test_a_tampered_server_never_replaces_a_good_copy(world):
    url, public = signed_world(world)
    trust(world, public, "require")
    world.ok("catalog", "add", "lab", url)
    for what in spoilings(world):
        result = world.run("catalog", "refresh", "lab", "--format", "json")
        assert result.status == 65, f"{what}: {result}"
        assert result.json()["error"]["code"] == "SIGNATURE", what
        assert row_of(world, "lab")["signature"] == "verified", what
        assert offered(world) == ["k"], what
    # Document and signature are one in the cache: a spoiled copy is refused as a whole.
    (copy,) = os.listdir(os.path.join(world.state, "cache", "catalogs"))
    path = os.path.join(world.state, "cache", "catalogs", copy)
    with open(path, "r+b") as file:
        data = file.read().replace(b'"k"', b'"x"')
        file.seek(0)
        file.write(data)
    assert row_of(world, "lab")["signature"] == "bad"
    assert world.fails(65, "kernel", "pull", "x")["code"] == "SIGNATURE"


def test_a_key_that_comes_later_is_asked_for(world):
    """The copy was fetched without its signature; a pull fetches both."""
    url, public = signed_world(world)
    world.ok("catalog", "add", "lab", url)
    trust(world, public, "require")
    assert row_of(world, "lab")["state"] == "failed"
    assert world.json("kernel", "pull", "k")["changed"] is True
    assert row_of(world, "lab")["signature"] == "verified"


def test_signature_of_a_local_catalog(world):
    need("openssl")
    _, public = key_pair(world)
    path = world.write("c.json", document("k"))
    trust(world, public, "require")
    assert world.fails(65, "catalog", "add", "lab", path)["code"] == "SIGNATURE"
    sign(world, path)
    assert world.json("catalog", "add", "lab", path)["signature"] == "verified"
    world.write("c.json", document("x"))
    finds(world, "SIGNATURE", "lab")
    assert offered_by_others(world) == []


def offered_by_others(world):
    result = world.run("kernel", "list", "--available", "--format", "json")
    assert result.status == 65, str(result)
    return result.json()


def test_odd_policies_are_said(world):
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[signatures]\nlab = always\n")
    world.fails(78, "catalog", "list")


def test_a_slip_in_a_name_is_said(world):
    """A key or a policy for a catalog that does not exist protects nothing: doctor says so."""
    _, public = key_pair(world)
    world.ok("catalog", "add", "lab", world.write("c.json", document("k")))
    trust(world, public, "prefer", name="lba")
    rows = {row["check"]: row["status"] for row in world.json("host", "doctor")}
    assert rows["trust lba"] == "warn" and rows["catalog lab"] == "ok"
    trust(world, public, "prefer")
    assert not any(row["check"].startswith("trust") for row in world.json("host", "doctor"))


# ---- publish ----


def filled_world(world):
    """Two kernels and a managed image here."""
    need("mkfs.ext4")
    url = world.server()
    world.ok("kernel", "import", "lab", "--from", world.kernel_tree())
    world.ok("kernel", "import", "spare", "--from", world.kernel_tree("store", "other"))
    disk = world.write("image/rootfs.ext4", "")
    os.truncate(disk, 4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    world.write("image/manifest.json", '{"name": "small", "config": {"cmd": ["/bin/sh"]}}')
    path = os.path.join(world.www, "image.tar.zst")
    world.make("pack", path, world.path("image"))
    world.catalog(images=[{"name": "small", "kernel_ref": "lab", "size_bytes":
                           os.path.getsize(path), "tarball_url": f"{url}/image.tar.zst",
                           "tarball_sha256": sha256_of(path)}])
    world.ok("image", "pull", "small")
    del world.env["BANGER_CATALOG"]


def read_catalog(folder):
    with open(os.path.join(folder, "catalog.json"), encoding="utf-8") as file:
        return json.load(file)


def other_state(world):
    """From now on the same user works on another state directory."""
    world.first = world.state
    world.state = world.path("second")
    world.env["BANGER_STATE_DIR"] = world.state


def test_publish_and_pull_elsewhere(world):
    filled_world(world)
    key, public = key_pair(world)
    out = world.path("out")
    assert len(world.json("catalog", "publish", out, "--key", key, "--dry-run")["plan"]) == 3
    assert not os.path.exists(out)
    result = world.json("catalog", "publish", out, "--key", key)
    assert result["changed"] is True and result["signed"] is True
    assert [row["kind"] for row in result["published"]] == ["kernel", "kernel", "image"]
    for row in result["published"]:
        path = os.path.join(out, row["file"])
        assert sha256_of(path) == row["sha256"] and os.path.getsize(path) == row["size_bytes"]
        assert row["file"].startswith(row["name"] + "-") and row["sha256"][:12] in row["file"]
    assert len(os.listdir(out)) == 5, os.listdir(out)
    kernel = world.manifest("kernels", "lab")
    shutil.copytree(out, os.path.join(world.www, "pub"))
    other_state(world)
    trust(world, public, "require")
    url = world.server()
    world.ok("catalog", "add", "lab", f"{url}/pub/")
    world.ok("image", "pull", "small")  # with the kernel it needs
    pulled = world.manifest("kernels", "lab")
    for field in ("sha256", "arch", "kernel_version"):
        assert pulled[field] == kernel[field]
    for part in ("initrd.img", "modules"):
        there = os.path.join(world.first, "kernels", "lab", part)
        here = os.path.join(world.state, "kernels", "lab", part)
        subprocess.run(["diff", "-r", "--no-dereference", there, here], check=True)
    disks = [os.path.join(state, "images", "small", "rootfs.ext4")
             for state in (world.first, world.state)]
    assert sha256_of(disks[0]) == sha256_of(disks[1])
    blocks = [os.stat(disk).st_blocks for disk in disks]
    assert blocks[1] <= blocks[0] and blocks[1] * 512 < os.path.getsize(disks[1])  # holes kept
    assert world.json("image", "show", "small")["kernel_ref"] == "lab"


def test_published_bytes_are_reproducible(world):
    filled_world(world)
    key, _ = key_pair(world)
    world.ok("catalog", "publish", world.path("one"), "--key", key)
    time_before = os.stat(world.path("one", "catalog.json")).st_mtime_ns
    world.ok("catalog", "publish", world.path("two"), "--key", key)
    subprocess.run(["diff", "-r", world.path("one"), world.path("two")], check=True)
    assert world.json("catalog", "publish", world.path("one"), "--key", key)["changed"] is False
    assert os.stat(world.path("one", "catalog.json")).st_mtime_ns == time_before
    # What is there already stays as it is; what rotted there is mended.
    (name,) = [name for name in os.listdir(world.path("one")) if name.startswith("lab-")]
    before = os.stat(world.path("one", name))
    world.ok("catalog", "publish", world.path("one"), "--key", key)
    after = os.stat(world.path("one", name))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with open(world.path("one", name), "r+b") as file:
        file.write(b"rot")
    assert world.json("catalog", "publish", world.path("one"), "--key", key)["changed"] is True
    subprocess.run(["diff", "-r", world.path("one"), world.path("two")], check=True)


def test_publish_adds_to_what_is_there(world):
    filled_world(world)
    out = world.mkdir("out")
    foreign = {"name": "foreign", "tarball_url": "https://a.example/b", "tarball_sha256": "1" * 64}
    old = {"name": "lab", "tarball_url": "https://a.example/old", "tarball_sha256": "2" * 64,
           "description": "for the lab", "kernel_version": "1.0", "note": "ours"}
    world.write("out/catalog.json", json.dumps(
        {"version": 1, "motd": "hello", "entries": [foreign, old], "images": []}))
    world.ok("catalog", "publish", out, "--kernel", "lab",
             "--base-url", "https://cdn.example.org/x")
    after = read_catalog(out)
    assert after["motd"] == "hello" and after["images"] == []
    kernels = {entry["name"]: entry for entry in after["kernels"]}
    assert set(kernels) == {"foreign", "lab"} and kernels["foreign"] == foreign
    lab = kernels["lab"]
    assert lab["description"] == "for the lab" and lab["note"] == "ours"
    assert lab["kernel_version"] == world.manifest("kernels", "lab")["kernel_version"]
    assert lab["tarball_url"].startswith("https://cdn.example.org/x/lab-x86_64-")
    assert lab["tarball_sha256"][:12] in lab["tarball_url"]
    world.ok("catalog", "publish", out, "--image", "small")
    assert [entry["name"] for entry in read_catalog(out)["images"]] == ["small"]
    assert "spare" not in {entry["name"] for entry in read_catalog(out)["kernels"]}


def test_publish_refuses(world):
    world.fails(66, "catalog", "publish", world.path("out"))  # nothing is here
    filled_world(world)
    out = world.mkdir("out")
    world.fails(66, "catalog", "publish", out, "--kernel", "nope")
    world.fails(66, "catalog", "publish", out, "--image", "nope")
    world.fails(64, "catalog", "publish", out, "--base-url", "example.org")
    world.fails(66, "catalog", "publish", out, "--key", world.path("none.pem"))
    world.fails(65, "catalog", "publish", out, "--key", world.write("bad.pem", "no key"))
    assert os.listdir(out) == []
    world.write("out/catalog.json", "{")
    world.fails(65, "catalog", "publish", out)
    assert os.listdir(out) == ["catalog.json"]
    # A signed catalog is never left with a signature that does not fit.
    os.unlink(world.path("out", "catalog.json"))
    key, _ = key_pair(world)
    world.ok("catalog", "publish", out, "--key", key, "--kernel", "lab")
    before = sorted(os.listdir(out))
    world.fails(64, "catalog", "publish", out)
    assert sorted(os.listdir(out)) == before
    # Rot is not published.
    with open(os.path.join(world.state, "kernels", "spare", "vmlinux"), "ab") as file:
        file.write(b"rot")
    world.fails(65, "catalog", "publish", world.path("clean"), "--kernel", "spare")
    assert os.listdir(world.path("clean")) == []


def test_what_cannot_be_published_is_left_out_and_said(world):
    filled_world(world)
    os.unlink(os.path.join(world.state, "kernels", "spare", "vmlinux"))
    world.ok("image", "register", "mine", "--kernel-ref", "lab", "--rootfs",
             os.path.join(world.state, "images", "small", "rootfs.ext4"))
    result = world.json("catalog", "publish", world.path("out"))
    assert [row["name"] for row in result["published"]] == ["lab", "small"]
    notes = " ".join(result["notes"])
    assert "spare" in notes and "mine" in notes
    world.fails(64, "catalog", "publish", world.path("out"), "--image", "mine")


def test_a_killed_publisher_leaves_nothing_of_it(world):
    filled_world(world)
    world.write("out/lab.tar.zst.tmp-0123456789abcdef", "half")
    world.write("out/catalog.json.tmp-0123456789abcdef", "half")
    world.write("out/readme.txt", "mine")
    world.ok("catalog", "publish", world.path("out"), "--kernel", "lab")
    names = os.listdir(world.path("out"))
    assert len(names) == 3 and "readme.txt" in names, names


main()
