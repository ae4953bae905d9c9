# SPDX-License-Identifier: MIT
"""Places, environment and configuration: flag > environment > file > default (B16)."""
import json
import os

from world import main


def test_places_follow_xdg(world):
    del world.env["BANGER_STATE_DIR"]
    world.ok("kernel", "list")
    assert os.path.isdir(os.path.join(world.home, ".local/state/banger/kernels"))
    assert os.path.isdir(os.path.join(world.home, ".cache/banger"))
    world.env["XDG_STATE_HOME"] = world.path("xs")
    world.env["XDG_CACHE_HOME"] = world.path("xc")
    world.ok("kernel", "list")
    assert os.path.isdir(world.path("xs/banger/kernels"))
    assert os.path.isdir(world.path("xc/banger"))


def test_state_dir_flag_wins_and_takes_the_cache_along(world):
    world.env["XDG_CACHE_HOME"] = world.path("xc")
    world.ok("kernel", "list", "--state-dir", "other")
    assert os.path.isdir(world.path("other/kernels")) and os.path.isdir(world.path("other/cache"))
    assert not os.path.exists(world.state) and not os.path.exists(world.path("xc"))


def test_nothing_to_go_by(world):
    del world.env["BANGER_STATE_DIR"]
    del world.env["HOME"]
    assert world.fails(78, "kernel", "list")["code"] == "CONFIG"


def test_directories_are_private(world):
    world.ok("kernel", "list")
    for folder, _, _ in os.walk(world.state):
        assert os.stat(folder).st_mode & 0o777 == 0o700, folder


def test_bad_environment(world):
    for name, value in (("BANGER_JOBS", "many"), ("BANGER_CLOCK", "noon"), ("BANGER_LOG", "loud")):
        assert world.run("kernel", "list", env={name: value}).status == 78


def test_bad_configuration(world):
    config = world.write("c.ini", "[limits]\ndownload_bytes = lots\n")
    error = world.fails(78, "kernel", "list", "--config", config)
    assert error["code"] == "CONFIG" and "c.ini" in error["message"]
    assert world.run("kernel", "list", env={"BANGER_CONFIG": config}).status == 78


def test_unknown_key_is_reported_and_ignored(world):
    config = world.write("c.ini", "[defaults]\nnonsense = 1\n")
    world.ok("kernel", "list", "--config", config)


def test_bad_catalog_is_told_and_harms_no_other(world):
    good = world.write("good.json", json.dumps({"version": 1, "kernels": [
        {"name": "good", "tarball_url": "http://127.0.0.1:9/x", "tarball_sha256": "0" * 64}]}))
    bad = world.path("bad.json")
    for text in ("not json", "[]", "{", json.dumps({"version": 1, "kernels": "x"}), None):
        if text is None:
            os.unlink(bad)
        else:
            world.write("bad.json", text)
        world.env["BANGER_CATALOG"] = f"{bad} {good}"
        result = world.run("kernel", "list", "--available", "--format", "json")
        assert result.status == 78 and bad in result.err, str(result)
        assert [row["name"] for row in result.json()] == ["good"]
        assert world.fails(78, "kernel", "pull", "unknown")["code"] == "CONFIG"


def test_empty_catalog_is_valid(world):
    world.catalog()
    assert world.json("kernel", "list", "--available") == []


def test_older_form_of_a_catalog(world):
    path = world.write("old.json", json.dumps({"version": 1, "entries": [
        {"name": "old", "distro": "d", "arch": "x86_64", "kernel_version": "1",
         "tarball_url": "http://127.0.0.1:9/x", "tarball_sha256": "0" * 64, "size_bytes": 1}]}))
    world.env["BANGER_CATALOG"] = path
    assert [row["name"] for row in world.json("kernel", "list", "--available")] == ["old"]


def test_builtin_catalog_offers_the_debian_kernels(world):
    del world.env["BANGER_BUILTIN_CATALOG"]
    names = {row["name"] for row in world.json("kernel", "list", "--available")}
    assert {"debian", "debian-cloud"} <= names


main()
