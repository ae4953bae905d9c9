# SPDX-License-Identifier: MIT
"""host doctor works unprivileged and without a network (B13)."""
from world import main


def test_rows(world):
    result = world.run("host", "doctor", "--format", "json")
    rows = result.json()
    assert rows and all({"check", "status", "detail"} <= set(row) for row in rows), rows
    assert all(row.get("hint") for row in rows if row["status"] == "fail")
    assert result.status in (0, 69)


def test_without_programs(world):
    """Nothing in PATH: each thing that is missing has a row."""
    result = world.run("host", "doctor", "--format", "json", env={"PATH": world.home})
    assert any("qemu" in str(row).lower() for row in result.json())


main()
