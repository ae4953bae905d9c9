# SPDX-License-Identifier: MIT
"""kernel rm: one, many, partly; never by prefix."""
from world import main


def fill(world, *names):
    for name in names:
        world.ok("kernel", "import", name, "--from", world.kernel_tree(name=f"tree-{name}"))


def test_one(world):
    fill(world, "a")
    result = world.json("kernel", "rm", "a")
    assert result["name"] == "a" and result["changed"] is True
    assert world.entries("kernels") == []


def test_many_in_their_order(world):
    fill(world, "a", "b", "c")
    rows = world.json("kernel", "rm", "c", "a")
    assert [(row["name"], row["changed"]) for row in rows] == [("c", True), ("a", True)]
    assert world.entries("kernels") == ["b"]


def test_partly(world):
    fill(world, "a", "c")
    result = world.run("kernel", "rm", "a", "b", "c", "--format", "json")
    assert result.status == 2
    rows = result.json()
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert rows[1]["changed"] is False and rows[1]["error"]["code"] == "NOT_FOUND"
    assert rows[0]["changed"] is True and rows[2]["changed"] is True
    assert world.entries("kernels") == []


def test_none_of_many_gives_the_first_code(world):
    world.ok("kernel", "list")
    assert world.run("kernel", "rm", "a", "b").status == 66


def test_prefix_is_not_enough(world):
    fill(world, "debian")
    world.fails(66, "kernel", "rm", "debi")
    assert world.entries("kernels") == ["debian"]


def test_delete_is_the_same_word(world):
    fill(world, "a")
    world.ok("kernel", "delete", "a")
    assert world.entries("kernels") == []


def test_readonly_refuses(world):
    fill(world, "a")
    before = world.tree()
    assert world.run("kernel", "rm", "a", "--readonly").status == 77
    assert world.run("kernel", "import", "b", "--from", world.kernel_tree(), "--readonly").status == 77
    assert world.ok("kernel", "list", "-q", "--readonly").out == "a\n"
    assert world.tree() == before


def test_dry_run_changes_nothing(world):
    fill(world, "a")
    before = world.tree()
    assert world.json("kernel", "rm", "a", "--dry-run")["plan"]
    assert world.tree() == before


main()
