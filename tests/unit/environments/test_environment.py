from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandlot.contracts.errors import InvalidSpec, NotFound, StartFailed
from sandlot.environments import registry
from sandlot.environments.environment import Bind, Environment
from sandlot.environments.interpreter import examine
from sandlot.environments.storage import shared_folder, write_whole

MADE = Environment(
    name="science",
    interpreter="/env/bin/python",
    host_interpreter=Path("/usr/bin/python3"),
    version="3.11.2",
    tag="cpython-311-a70d",
    binds=(Bind(Path("/data/tree"), "/env"),),
    preload=("numpy", "xml.etree"),
    packages=("numpy>=2",),
)
needs_system = pytest.mark.skipif(not registry.SYSTEM_PYTHON.exists(), reason="no /usr/bin/python3 here")


def described(data: Path, name: str, text: str) -> None:
    folder = data / "environments" / name
    folder.mkdir(parents=True)
    (folder / registry.DESCRIPTION).write_text(text, encoding="utf-8")


def test_a_description_comes_back_as_it_was() -> None:
    assert Environment.from_json(MADE.to_json()) == MADE


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"name": "../up"},
        {"name": None},
        {"interpreter": "env/bin/python"},
        {"interpreter": "/env/../bin/python"},
        {"hostInterpreter": ""},
        {"binds": {}},
        {"binds": [{"host": "relative", "box": "/env"}]},
        {"binds": [1]},
        {"preload": ["os; import evil"]},
        {"preload": [""]},
        {"packages": None},
        {"version": 3},
    ],
)
def test_a_wrong_description_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        Environment.from_json({**MADE.to_json(), **change})


def test_no_description_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        Environment.from_json([])


@needs_system
def test_the_built_in_one_is_the_distributions_python(tmp_path: Path) -> None:
    found = registry.get("system", tmp_path)
    assert found.interpreter == "/usr/bin/python3"
    assert found.binds == ()
    assert found.version.startswith("3.")
    assert registry.get("system", tmp_path) == found


def test_what_is_not_there_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="sandlot env create science"):
        registry.get("science", tmp_path)


@pytest.mark.parametrize("name", ["../system", "", ".building-1", "a/b", "x" * 200])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSpec):
        registry.get(name, tmp_path)
    with pytest.raises(InvalidSpec):
        registry.remove(name, tmp_path)


@needs_system
def test_damaged_ones_are_listed_with_their_cause(tmp_path: Path) -> None:
    described(tmp_path, "broken", "{")
    described(tmp_path, "liar", '{"format": 1}')
    described(tmp_path, ".building-x", "{")
    found = {item.name: item for item in registry.listed(tmp_path)}
    assert list(found) == ["system", "broken", "liar"]
    assert all(isinstance(found[name], registry.Broken) for name in ("broken", "liar"))


def test_a_description_under_another_name_is_damaged(tmp_path: Path) -> None:
    import json

    described(tmp_path, "other", json.dumps(MADE.to_json()))
    with pytest.raises(InvalidSpec, match="describes itself"):
        registry.get("other", tmp_path)


def test_removing_leaves_nothing_even_of_read_only_folders(tmp_path: Path) -> None:
    described(tmp_path, "science", "{}")
    inner = tmp_path / "environments/science/tree/lib"
    inner.mkdir(parents=True)
    (inner / "file").write_bytes(b"")
    inner.chmod(0o555)
    registry.remove("science", tmp_path)
    assert list((tmp_path / "environments").iterdir()) == []
    with pytest.raises(NotFound):
        registry.remove("science", tmp_path)


def test_the_built_in_one_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="distribution"):
        registry.remove("system", tmp_path)


@pytest.mark.parametrize("path", ["/nonexistent/python", "/bin/ls", "/dev/null"])
def test_what_is_no_python_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidSpec, match=path):
        examine(Path(path), tmp_path)


@needs_system
def test_an_answer_of_another_shape_is_asked_for_again(tmp_path: Path) -> None:
    found = examine(registry.SYSTEM_PYTHON, tmp_path)
    (kept,) = tmp_path.glob("interpreter-*.json")
    kept.write_text('{"old": 1}', encoding="utf-8")
    assert examine(registry.SYSTEM_PYTHON, tmp_path) == found


def test_a_folder_others_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(StartFailed, match="written by others"):
        shared_folder(tmp_path / "open")


def test_a_file_is_whole_and_readable(tmp_path: Path) -> None:
    write_whole(tmp_path / "new/file", b"one")
    write_whole(tmp_path / "new/file", b"two")
    assert (tmp_path / "new/file").read_bytes() == b"two"
    assert (tmp_path / "new/file").stat().st_mode & 0o777 == 0o644
    assert len(list((tmp_path / "new").iterdir())) == 1
