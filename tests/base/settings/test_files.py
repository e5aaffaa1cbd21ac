"""Configuration files: the one that is named, the lines values stand on, and names nobody knows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML is read from Python 3.11 on")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_that_is_named_is_the_only_one_and_no_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / settings.PROJECT_FILE, "pids = 30\n")
    (tmp_path / "etc").mkdir()
    named = write(tmp_path / "etc" / settings.PROJECT_FILE, 'network = "full"\n')
    chosen = settings.load({}, {"SANDLOT_CONFIG": str(named)})
    assert (chosen.network.value, chosen.pids) == ("full", None)
    assert chosen.origins["network"] == f"file {named}:1"


def test_a_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"none\.toml cannot be read"):
        settings.load({}, {"SANDLOT_CONFIG": str(tmp_path / "none.toml")})


def test_a_value_is_told_by_the_line_it_stands_on(tmp_path: Path) -> None:
    text = """# memory = "1Gi"
engine = "process"
allow_hosts = [
    "port",
    "memory.example",
]
"memory" = "64Mi"
images."python:3.11" = "default"
"""
    path = write(tmp_path / "config.toml", text)
    origins = settings.load({}, {}, [path]).origins
    found = {name: origins[name].rpartition(":")[2] for name in ("engine", "allow_hosts", "memory", "images")}
    assert found == {"engine": "2", "allow_hosts": "3", "memory": "7", "images": "8"}


def test_text_that_looks_like_a_line_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", '[images]\nport = """\nmemory = 1\n"""\n')
    with pytest.raises(InvalidSpec, match="environment"):
        settings.load({}, {}, [path])
    path = write(tmp_path / "config.toml", 'engine = """\\\nprocess\\\n"""\npids = 7\n[images]\npids = "x"\n')
    origins = settings.load({}, {}, [path]).origins
    assert (origins["pids"], origins["images"]) == (f"file {path}:4", f"file {path}:5")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('memmory = "1Gi"', r"config\.toml:1: unknown setting 'memmory': did you mean 'memory'\?"),
        ("[server]\nport = 1", r"config\.toml:1: unknown setting 'server'"),
        ("zzzzzz = 1", "use one of engine, isolation"),
    ],
)
def test_a_name_nobody_knows_is_an_error_with_the_nearest_one(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        settings.load({}, {}, [write(tmp_path / "config.toml", line)])


def test_a_variable_nobody_knows_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(InvalidSpec, match=r"variable SANDLOT_TIMEOT: .* did you mean 'timeout'"):
        settings.load({}, {"SANDLOT_TIMEOT": "3"}, [])


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="larger than"):
        settings.load({}, {}, [write(tmp_path / "config.toml", "#" * (2**20 + 1))])
