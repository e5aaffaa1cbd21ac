"""The version stands in one place, and everything that tells it reads it there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import sandlot
from sandlot.testing.servers import running_server
from tests.e2e.conftest import ROOT
from tests.unit.server.talk import ask

THE_PLACE = ROOT / "sandlot" / "_version.py"


def written() -> str:
    (found,) = re.findall(r'^__version__ = "([^"]+)"$', THE_PLACE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def test_the_wheel_and_the_package_tell_it(wheel: Path) -> None:
    assert wheel.name == f"sandlot-{written()}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"sandlot-{written()}.dist-info/METADATA").decode()
    assert f"\nVersion: {written()}\n" in metadata
    assert written() == sandlot.__version__ == version("sandlot")


def test_the_command_tells_it() -> None:
    command = [sys.executable, "-m", "sandlot.cli.main", "--version"]
    assert (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout == f"sandlot {written()}\n"
    )


def test_the_server_tells_it_to_who_may_know() -> None:
    with running_server() as server:
        assert json.loads(ask(server, "GET", "/readyz").body)["version"] == written()
        assert json.loads(ask(server, "GET", "/openapi.json").body)["info"]["version"] == written()
        assert "server" not in {name.lower() for name in ask(server, "GET", "/healthz").headers}


def test_the_image_is_labelled_with_it_by_make() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--silent", "image"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert f"--build-arg VERSION={written()} " in said.stdout
    assert f"--tag sandlot:{written()} " in said.stdout
    recipe = (ROOT / "deploy" / "container" / "Containerfile").read_text(encoding="utf-8")
    assert 'org.opencontainers.image.version="${VERSION}"' in recipe


def test_it_is_written_nowhere_else() -> None:
    places = [ROOT / "pyproject.toml", ROOT / "Makefile", *sorted((ROOT / "deploy").rglob("*"))]
    assert not [path for path in places if path.is_file() and written() in path.read_text(encoding="utf-8")]
