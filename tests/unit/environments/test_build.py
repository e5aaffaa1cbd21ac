"""Building for real, in a box: what is kept, and that a failure leaves nothing."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandlot
from sandlot import settings
from sandlot.contracts.errors import Conflict, InvalidSpec
from sandlot.environments import registry
from sandlot.environments.build import Recipe, create
from sandlot.environments.environment import Environment
from sandlot.local.start import start
from sandlot.local.workshop import LocalWorkshop
from tests.unit.local.machine import data_directory, obstacle

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with data_directory() as place:
        yield place


@pytest.fixture(autouse=True)
def works_here(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))


def build(recipe: Recipe, data: Path, lines: list[str] | None = None) -> Environment:
    told = [] if lines is None else lines

    async def work() -> Environment:
        service = start()
        try:
            variables = settings.installer_variables()
            workshop = LocalWorkshop(service)
            return await create(recipe, workshop, data=data, installer=variables, progress=told.append)
        finally:
            await service.close()

    return asyncio.run(work())


@pytest.fixture(scope="module")
def tiny(data: Path) -> Environment:
    """An environment without packages: no index is needed for it."""
    if obstacle() is not None:
        pytest.skip("bubblewrap does not work here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
        return build(Recipe("tiny", preload=("json", "xml.etree")), data)


def test_it_is_what_boxes_run_in(tiny: Environment) -> None:
    assert tiny.interpreter == "/env/bin/python"
    told = sandlot.run("import sys; print(sys.prefix, sys.version.split()[0])", environment="tiny")
    assert told.text == f"/env {tiny.version}\n"
    told = sandlot.run(argv=["pip", "--version"], environment="tiny")
    assert "/env/lib" in told.text, told.errors


def test_it_is_kept_as_described(tiny: Environment, data: Path) -> None:
    assert registry.get("tiny", data) == tiny
    assert tiny.preload == ("json", "xml.etree")
    assert os.listdir(data / "environments") == ["tiny"]


def test_boxes_cannot_change_it(tiny: Environment) -> None:
    told = sandlot.run("open('/env/lib/x', 'w')", environment=tiny.name)
    assert told.exit_code == 1
    assert "OSError" in told.errors or "PermissionError" in told.errors


def test_everything_is_ours_readable_and_leads_nowhere_else(tiny: Environment, data: Path) -> None:
    del tiny
    tree = data / "environments/tiny/tree"
    links = {}
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            assert status.st_uid == os.geteuid()
            if stat.S_ISLNK(status.st_mode):
                links[str(path.relative_to(tree))] = os.readlink(path)
            else:
                assert status.st_mode & 0o444 == 0o444
                assert not status.st_mode & 0o7022, path
    outside = {name: target for name, target in links.items() if target.startswith("/")}
    assert outside == {"bin/python": "/usr/bin/python3"}


def test_scripts_name_the_place_where_boxes_see_them(tiny: Environment, data: Path) -> None:
    del tiny
    tree = data / "environments/tiny/tree"
    assert (tree / "bin/pip").read_bytes().startswith(b"#!/env/bin/python")
    assert b"/workspace" not in (tree / "bin/activate").read_bytes()


def test_a_name_is_taken_once(tiny: Environment, data: Path) -> None:
    with pytest.raises(Conflict, match="sandlot env remove tiny"):
        build(Recipe(tiny.name), data)
    with pytest.raises(Conflict):
        build(Recipe("system"), data)


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (Recipe("bad", packages=("no-such-package-of-sandlot",)), "no-such-package-of-sandlot"),
        (Recipe("bad", preload=("no_such_module",)), "No module named 'no_such_module'"),
        (Recipe("bad", preload=("os; evil",)), "not the name"),
        (Recipe("bad", python=Path("/bin/ls")), "not a Python"),
        (Recipe("../bad"), "not a valid environment"),
    ],
)
def test_a_failure_tells_why_and_leaves_nothing(recipe: Recipe, told: str, data: Path) -> None:
    before = set(os.listdir(data / "environments")) if (data / "environments").exists() else set()
    with pytest.raises(InvalidSpec, match=told):
        build(recipe, data)
    assert set(os.listdir(data / "environments")) == before


@pytest.mark.network
def test_a_package_comes_from_where_this_machine_gets_packages(data: Path) -> None:
    lines: list[str] = []
    try:
        build(Recipe("six", packages=("six",), preload=("six",)), data, lines)
    except InvalidSpec as error:
        pytest.skip(f"no package index is reached from here: {error}")
    assert any("Successfully installed six" in line for line in lines)
    assert sandlot.run("import six; print(six.__file__)", environment="six").text.startswith("/env/lib/")
