# SPDX-License-Identifier: MIT
"""A catalog published in one state directory, shown by nginx over TLS, and used from another."""
import glob
import json
import os
import shutil
import subprocess

from web_world import Authority, asked, nginx
from world import BUILDDIR, Skip, main, need

TEST_KERNEL = os.environ.get("BANGER_TEST_KERNEL", "")


def publish(world, kernel):
    """A signed catalog with that kernel in world.www; the public key. From then on the world works
    on a second state directory that knows nothing."""
    world.ok("kernel", "import", "lab", "--from", kernel)
    public = world.json("catalog", "keygen", world.path("key.pem"))["public_key"]
    result = world.json("catalog", "publish", world.www, "--key", world.path("key.pem"))
    assert [row["name"] for row in result["published"]] == ["lab"]
    world.first = world.state
    world.state = world.path("second")
    world.env["BANGER_STATE_DIR"] = world.state
    return public


def trust(world, public, more=""):
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"""
[trust]
there = {public}
[signatures]
there = require
[limits]
retries = 0
{more}""")


def test_published_signed_and_pulled_over_tls(world):
    public = publish(world, world.kernel_tree())
    authority = Authority(world)
    port = nginx(world, authority.certificate("web", "IP:127.0.0.1"))
    trust(world, public)
    url = f"https://127.0.0.1:{port}/catalog.json"
    # An authority that nobody here knows.
    assert world.fails(69, "catalog", "add", "there", url)["code"] == "NETWORK"
    world.ok("catalog", "add", "there", url, "--cacert", authority.file)
    world.env["SSL_CERT_FILE"] = authority.file  # the other way to say it
    (offer,) = world.json("kernel", "list", "--available")
    assert offer["signature"] == "verified" and offer["catalog"] == "there"
    result = world.json("kernel", "pull", "lab")
    assert result["source"].startswith(f"pull:https://127.0.0.1:{port}/lab-")
    first = json.load(open(os.path.join(world.first, "kernels", "lab", "manifest.json"),
                           encoding="utf-8"))
    assert result["sha256"] == first["sha256"]
    assert any(path.endswith(".sig") for path in asked(world, port))
    assert world.json("catalog", "refresh")[0]["changed"] is False


def test_spoiled_on_the_server(world):
    """Whatever is changed after it was signed is refused, and not a byte of a bundle fetched."""
    public = publish(world, world.kernel_tree())
    authority = Authority(world)
    port = nginx(world, authority.certificate("web", "IP:127.0.0.1"))
    world.env["SSL_CERT_FILE"] = authority.file
    wrong = world.json("catalog", "keygen", world.path("wrong.pem"))["public_key"]
    document = os.path.join(world.www, "catalog.json")
    kept = {name: open(name, "rb").read() for name in (document, document + ".sig")}
    source = f"[catalogs]\nthere = https://127.0.0.1:{port}/catalog.json\n"

    def refused(what):
        result = world.run("kernel", "pull", "lab", "--format", "json")
        assert result.status == 65, f"{what}: {result}"
        assert result.json()["error"]["code"] == "SIGNATURE", f"{what}: {result}"
        assert world.entries("kernels") == [] and world.parts() == [], what

    trust(world, wrong, source)
    refused("another key")
    trust(world, public, source)
    world.write(document, kept[document].replace(b'"lab"', b'"lab" '))
    refused("document")
    world.write(document, kept[document])
    world.write(document + ".sig", kept[document + ".sig"][::-1])
    refused("signature")
    os.unlink(document + ".sig")
    refused("no signature")
    assert not any(path.endswith(".zst") for path in asked(world, port))
    # The bundle itself: its digest is in what was signed.
    world.write(document + ".sig", kept[document + ".sig"])
    (bundle,) = glob.glob(os.path.join(world.www, "*.zst"))
    with open(bundle, "r+b") as file:
        file.seek(100)
        file.write(b"\0\0\0\0")
    assert world.fails(65, "kernel", "pull", "lab")["code"] == "DIGEST"
    assert world.entries("kernels") == [] and world.parts() == []


OLD_TLS = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = lenient
[lenient]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""


def test_tls_before_1_2_is_refused(world):
    """Although this host's own settings would allow it."""
    need("curl")
    world.env["OPENSSL_CONF"] = world.write("openssl.cnf", OLD_TLS)
    world.write("www/catalog.json", '{"version": 1, "kernels": []}')
    authority = Authority(world)
    world.env["SSL_CERT_FILE"] = authority.file
    lines = authority.certificate("web", "IP:127.0.0.1")
    for protocol, status in (("TLSv1.1", 69), ("TLSv1.2", 0)):
        port = nginx(world, lines + f" ssl_protocols {protocol}; ssl_ciphers ALL:@SECLEVEL=0;")
        url = f"https://127.0.0.1:{port}/catalog.json"
        ours = world.run("catalog", "add", "there", url, "--format", "json")
        assert ours.status == status, str(ours)
        other = subprocess.run(["curl", "-sS", "--tlsv1.0", url], env=world.env, check=False,
                               capture_output=True, text=True)
        if "version" not in other.stdout:
            raise Skip(f"this host cannot speak {protocol} at all: {other.stderr.strip()}")
        world.wait_until(lambda port=port: asked(world, port), "nginx tells of curl")
        assert status == 0 or len(asked(world, port)) == 1, asked(world, port)


def test_certificates_that_do_not_hold(world):
    public = publish(world, world.kernel_tree())
    authority = Authority(world)
    world.env["SSL_CERT_FILE"] = authority.file
    trust(world, public)
    for name, alternative, days in (("expired", "IP:127.0.0.1", -1),
                                    ("elsewhere", "DNS:elsewhere.example", 2)):
        port = nginx(world, authority.certificate(name, alternative, days))
        for url in (f"https://127.0.0.1:{port}/catalog.json", f"https://127.0.0.1:{port}/"):
            result = world.run("catalog", "add", "there", url, "--format", "json")
            assert result.status == 69, f"{name}: {result}"
            assert result.json()["error"]["code"] == "NETWORK", f"{name}: {result}"
        assert asked(world, port) == [], name
    assert world.json("catalog", "list")[0]["origin"] == "built-in"


def image_with_a_probe(world):
    """The image of the boot tests: one static program (tests/smoke/probe.c)."""
    probe = os.path.join(BUILDDIR, "tests", "smoke", "probe")
    if not os.path.exists(probe):
        raise Skip(f"{probe} is not built")
    world.mkdir("root", "bin")
    for folder in ("dev", "etc", "proc", "run", "sys", "tmp"):
        world.mkdir("root", folder)
    shutil.copy(probe, world.path("root", "bin", "probe"))
    disk = world.path("probe.ext4")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", world.path("root"), disk, "24M"],
                   check=True)
    return disk


def test_the_pulled_kernel_boots(world):
    for program in ("qemu-system-x86_64", "mke2fs"):
        need(program)
    if not os.path.isdir(TEST_KERNEL):
        raise Skip("no kernel to boot: BANGER_TEST_KERNEL (tests/smoke/test_kernel.sh) is not set")
    disk = image_with_a_probe(world)
    public = publish(world, TEST_KERNEL)
    authority = Authority(world)
    port = nginx(world, authority.certificate("web", "IP:127.0.0.1"))
    world.env["SSL_CERT_FILE"] = authority.file
    trust(world, public)
    world.ok("catalog", "add", "there", f"https://127.0.0.1:{port}/")
    # The kernel is pulled on the way.
    world.ok("image", "register", "probe", "--rootfs", disk, "--kernel-ref", "lab")
    assert world.manifest("kernels", "lab")["source"].startswith("pull:https://127.0.0.1:")
    result = world.ok("vm", "run", "probe", "--name", "web", "--rm", "--", "/bin/probe", "uname")
    assert "web" in result.out, str(result)


main()
