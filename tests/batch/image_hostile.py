# SPDX-License-Identifier: MIT
"""image pull from registries that lie: each has its exit status and a sentence, and leaves nothing. A sample
of them with the seed printed (BANGER_SEED repeats it); BANGER_CHECK_ALL=yes takes all."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

from images_world import import_kernel
from world import PATIENCE_S, SUPPORT, main
import seed

sys.path.append(SUPPORT)
from registry import Image  # noqa: E402

ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"
SAMPLE = 20
DATA, ABSENT, NETWORK, AUTH = 65, 66, 69, 77

# (words of tests/support/registry.py, exit status)
CASES = [
    # digests
    ("wrongmanifest", DATA), ("wrongmanifest.index", DATA), ("wrongconfig", DATA),
    ("wronglayer", DATA), ("wronglayer.redirect", DATA), ("wrongid", DATA), ("liedigest", DATA),
    # sizes
    ("longsize", DATA), ("shortsize", DATA), ("twosizes", DATA), ("emptylie", DATA),
    ("negsize", DATA), ("hugesize", DATA), ("textsize", DATA), ("fractionsize", DATA),
    ("sumsize", DATA), ("nosize", DATA),
    # how digests are written
    ("upperdigest", DATA), ("shortdigest", DATA), ("longdigest", DATA), ("pathdigest", DATA),
    ("algdigest", DATA), ("emptydigest", DATA), ("uppercaseid", DATA),
    # documents
    ("both", DATA), ("lietype", DATA), ("schema", NETWORK), ("twokeys", DATA), ("deepjson", DATA),
    ("big", DATA), ("junk", DATA), ("mark", DATA), ("nul", DATA), ("badutf8", DATA), ("html", DATA),
    ("coded", DATA), ("version1000", DATA),
    # platforms
    ("index.noplatform", NETWORK), ("index.attestations", NETWORK), ("arm", NETWORK),
    ("windows", NETWORK), ("deep", DATA),
    # tokens
    ("linklocal", AUTH), ("fileplace", AUTH), ("userinfo", AUTH),
    ("oddscheme", AUTH), ("brokenquote", AUTH), ("basic", AUTH), ("token.private", AUTH),
    ("token.bounce", NETWORK), ("token.notoken", AUTH), ("token.bigtoken", DATA),
    ("token.hugetoken", DATA), ("token.linetoken", DATA), ("token.endless", AUTH),
    ("forbidden", AUTH),
    # redirects
    ("loop", NETWORK), ("tofile", NETWORK), ("toplain", NETWORK), ("tonowhere", NETWORK),
    ("touser", NETWORK), ("toempty", NETWORK), ("toinside", NETWORK),
    # layers
    ("magic", DATA), ("unknownlayer", DATA), ("nolayers", DATA), ("thousands", DATA),
    ("fewids", DATA),
    # rates
    ("forever", NETWORK), ("late", NETWORK), ("date", NETWORK), ("past", NETWORK),
    ("unavailable", NETWORK), ("teapot", NETWORK),
    # configs
    ("user", DATA), ("envnul", DATA), ("entrynul", DATA), ("manylabels", DATA),
    # what is not there
    ("absent", ABSENT), ("gone", ABSENT),
]

HONEST = {**Image(["plain"]).blobs, **Image(["many"]).blobs}

# Odd, and yet fine.
FINE = ["plain", "twice", "empty", "nodigest", "docker.nozstd", "nested", "foreign", "labels", "relativedir",
        "busy", "cut"]


def registry(world):
    child = subprocess.Popen(
        [sys.executable, "-B", os.path.join(SUPPORT, "registry.py"), "--root",
         world.mkdir("registry"), "--log", world.path("registry.log")], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    world.children.append(child)
    return f"127.0.0.1:{int(child.stdout.readline())}"


def impatient(world, more=""):
    """Where nothing gets better by waiting, the test does not wait."""
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[limits]\nretries = 0\n{more}")


def assert_cache_is_proved(world):
    blobs = os.path.join(world.state, "cache", "blobs", "sha256")
    for name in os.listdir(blobs) if os.path.isdir(blobs) else []:
        with open(os.path.join(blobs, name), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert len(name) != 64 or digest == name, name


def assert_refused(world, host, words, status):
    shutil.rmtree(os.path.join(world.state, "cache"), ignore_errors=True)  # nobody was honest before
    result = world.run("--format", "json", "image", "pull", f"{host}/t/{words}:latest",
                       "--kernel-ref", "lab", "--size", "64M")
    assert result.status == status, (words, status, str(result))
    error = result.json()["error"]
    assert error["exit_status"] == status and error["message"] in result.err, (words, str(result))
    text = result.out + result.err
    assert "\x1b" not in text and "\x07" not in text, (words, text)
    assert "secret" not in text and "the-token" not in text, (words, text)
    images = os.path.join(world.state, "images")
    assert not os.path.isdir(images) or os.listdir(images) == [], words
    # Layers that came honestly beside a lie may go on where they were.
    honest = {digest.removeprefix("sha256:") for digest in HONEST}
    assert {name.split(".")[0] for name in world.parts()} <= honest, (words, world.parts())


def test_lies_are_refused(world):
    host = registry(world)
    impatient(world)
    import_kernel(world)
    cases = CASES if ALL else seed.chance().sample(CASES, SAMPLE)
    print(f"{len(cases)} of {len(CASES)} registries", flush=True)
    for words, status in cases:
        assert_refused(world, host, words, status)
        assert_cache_is_proved(world)


def test_odd_ones_are_taken(world):
    host = registry(world)
    import_kernel(world)
    for words in FINE:
        result = world.json("image", "pull", f"{host}/t/{words}:latest", "--kernel-ref", "lab",
                            "--size", "64M", "--name", words.replace(".", "-"))
        assert result["changed"] is True, (words, result)
    assert world.entries("images") == sorted(words.replace(".", "-") for words in FINE)
    assert_cache_is_proved(world)
    with open(world.path("registry.log"), encoding="utf-8") as file:
        assert not [line for line in file if "foreign.invalid" in line]
    assert not os.path.exists("/tmp/owned")


def test_a_body_that_never_comes(world):
    host = registry(world)
    impatient(world, "low_speed_seconds = 1\n")
    import_kernel(world)
    began = time.monotonic()
    result = world.run("--format", "json", "image", "pull", f"{host}/t/slow:latest", "--kernel-ref",
                       "lab")
    assert result.status in (NETWORK, 124), str(result)
    assert result.json()["error"]["message"], str(result)
    assert time.monotonic() - began < PATIENCE_S
    assert world.entries("images") == []


def test_nothing_secret_goes_elsewhere(world):
    """A password for the registry reaches neither a token service nor a storage elsewhere, nor what is
    printed or written here."""
    host = registry(world)
    impatient(world)
    import_kernel(world)
    world.write("docker/config.json", json.dumps(
        {"auths": {host: {"auth": "dXNlcjp0aGUtcGFzc3dvcmQ="}}}))
    env = {"DOCKER_CONFIG": world.path("docker"), "XDG_RUNTIME_DIR": world.path("none")}
    said = ""
    for words in ("token.redirect.index", "linklocal", "userinfo", "token.bounce", "toplain",
                  "basic"):
        result = world.run("image", "pull", f"{host}/t/{words}:latest", "--kernel-ref", "lab",
                           "--size", "64M", env=env)
        said += result.out + result.err
    with open(world.path("registry.log"), encoding="utf-8") as file:
        requests = [json.loads(line) for line in file]
    for request in requests:
        if request["role"] != "registry":
            sent = f"{request['authorization']} {request['body']} {request['path']}"
            assert "dXNlcjp0aGUtcGFzc3dvcmQ" not in sent and "the-password" not in sent, request
            assert request["role"] != "storage" or request["authorization"] is None, request
    for folder, _, names in os.walk(world.state):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.getsize(path) < 1 << 20:
                with open(path, "rb") as file:
                    said += file.read().decode("latin-1")
    assert "the-password" not in said and "dXNlcjp0aGUtcGFzc3dvcmQ" not in said


main()
