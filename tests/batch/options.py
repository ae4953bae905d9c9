# SPDX-License-Identifier: MIT
"""Options that every verb takes, each by what it does."""
import json
import subprocess
import time

from machine_world import clean, prepare, run
from world import PATIENCE_S, main, need


def offer_with_description(world, text):
    world.env["BANGER_CATALOG"] = world.write("c.json", json.dumps({"version": 1, "kernels": [
        {"name": "a", "tarball_url": "http://127.0.0.1:9/x", "tarball_sha256": "0" * 64,
         "description": text}]}))


def test_ascii_and_locale(world):
    offer_with_description(world, "für alle")
    assert "für" in world.ok("kernel", "list", "--available").out
    assert world.ok("kernel", "list", "--available", "--ascii").out.isascii()
    assert world.ok("kernel", "list", "--available", env={"LC_ALL": "C"}).out.isascii()
    assert world.json("kernel", "list", "--available", "--ascii")[0]["description"] == "für alle"


def test_no_color(world):
    assert "\x1b" not in world.ok("kernel", "list", "--no-color").out


def test_quiet(world):
    world.ok("kernel", "import", "lab", "--from", world.kernel_tree())
    assert world.ok("kernel", "show", "lab", "--quiet").out == "lab\n"
    assert world.ok("kernel", "list", "-q").out == "lab\n"


def test_timeout_of_a_transfer(world):
    url = world.server()
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/hang/kernel.tar.zst"
    world.catalog(kernels=[entry])
    start = time.monotonic()
    result = world.run("kernel", "pull", "lab", "--timeout", "500ms", "--format", "json")
    assert result.status == 124, str(result)
    assert result.json()["error"]["code"] == "TIMEOUT"
    assert time.monotonic() - start < PATIENCE_S
    assert world.entries("kernels") == []


def test_cacert(world):
    """A server that only this file vouches for."""
    need("openssl")
    cert, key = world.path("cert.pem"), world.path("key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    plain = world.server("--cert", cert, "--key", key)
    world.offer_kernel(plain.replace("http://127.0.0.1", "https://localhost"))
    assert world.run("kernel", "pull", "lab").status == 69
    assert world.entries("kernels") == []
    world.ok("kernel", "pull", "lab", "--cacert", cert)
    world.ok("kernel", "rm", "lab")
    world.ok("kernel", "pull", "lab", env={"SSL_CERT_FILE": cert})


def test_accel(world):
    prepare(world)
    assert run(world, "web", "", "--accel", "tcg")["accel"] == "tcg"
    clean(world)


def test_config_is_under_flags(world):
    """Flag over environment over file."""
    prepare(world)
    with open(world.env["BANGER_CONFIG"], "a", encoding="utf-8") as file:
        file.write("[defaults]\nvcpu = 2\nmemory = 256M\nimage = small\n")
    made = world.json("vm", "create", "--name", "a", "--vcpu", "3")
    assert (made["vcpu"], made["memory_mib"], made["image"]) == (3, 256, "small")
    clean(world)


def test_keep_going(world):
    assert world.run("--keep-going", stdin="nope\nversion\n").status == 2


main()
