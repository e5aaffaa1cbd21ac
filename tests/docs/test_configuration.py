"""The tables of docs/configuration.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from sandlot import settings
from sandlot.cli.config import worded
from sandlot.settings.predecessors import PREDECESSORS
from sandlot.settings.readers import READERS

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
# Of the user's own, they differ from root's; both are told there.
PLACES = {"data_directory": "/var/lib/sandlot", "runtime_directory": "/run/sandlot"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below *heading*."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_setting_is_there_in_order_with_its_default() -> None:
    defaults = settings.load({}, {"HOME": "/home/you"}, []).to_json()
    expected = []
    for name, reader in READERS.items():
        value = worded(name, defaults[name]["value"]) if name in defaults else "-"
        project = "project" if reader.project else ""
        expected.append([f"`{name}`", PLACES.get(name, value), project])
    assert [row[:3] for row in rows("Settings")] == expected


def test_every_setting_is_explained() -> None:
    assert not [row[0] for row in rows("Settings") if len(row[3]) < 15]


def test_every_variable_of_a_predecessor_is_there() -> None:
    told = [(variable, name) for variable, name, _how in rows("Variables of the predecessors")]
    assert told == [(f"`{each.variable}`", f"`{each.name}`") for each in PREDECESSORS]


def test_every_setting_of_the_dataclass_can_be_set() -> None:
    assert settings.load({}, {"HOME": "/h"}, []).to_json().keys() == READERS.keys() - {"key_file"}


def test_the_order_is_the_one_that_is_told() -> None:
    order = re.findall(r"^\d\. (.*?)[;.]$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [line.split()[1] for line in order][:3] == ["flag", "variable", "variable"]
