"""What is committed works on any machine: no place of the author's, no package index, a test per room."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, modules, tracked

# Spelled so that this file does not match itself.
REGISTRIES = re.compile(
    r"py[p]i\.(org|python\.org)|python[h]osted\.org|registry\.np[m]js\.org|proxy\.go[l]ang\.org"
    r"|index\.cr[a]tes\.io|stat[i]c\.crates\.io"
)
TEST_FOLDERS = ("architecture", "base", "conformance", "docs", "e2e", "hostile", "typing", "unit")


def _places() -> list[str]:
    """Absolute paths that exist because of who works here: checkout, folders of home, interpreter."""
    prefix = Path(sys.base_prefix)
    own = [str(ROOT), *(f"{Path.home()}/{folder}" for folder in (".pyenv", ".local", ".cache"))]
    return own if prefix in (Path("/usr"), Path("/usr/local")) else [*own, str(prefix)]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def test_no_file_names_a_place_of_this_machine() -> None:
    places = [place for place in _places() if len(place) > len("/app/")]
    named = [
        f"{path.relative_to(ROOT)}: {place}" for path in tracked() for place in places if place in _text(path)
    ]
    assert not named


def test_no_file_names_a_package_index() -> None:
    assert not [str(path.relative_to(ROOT)) for path in tracked() if REGISTRIES.search(_text(path))]


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_pins_versions_and_hashes_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^\w.*$", text, re.MULTILINE)
    assert pins
    assert not [pin for pin in pins if "==" not in pin]
    assert text.count("--hash=sha256:") >= len(pins)


def test_extras_are_marked_for_the_python_they_need() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == []
    extras = project.get("optional-dependencies", {})
    requirements = [requirement for extra in extras.values() for requirement in extra]
    assert not [text for text in requirements if not re.search(r"python_version\s*>=\s*['\"]3\.1[1-9]", text)]


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_every_kind_of_test_has_its_folder(folder: str) -> None:
    assert list((ROOT / "tests" / folder).rglob("*.py"))


@pytest.mark.parametrize(
    "room", sorted({module.room for module in modules()} - {"__init__", "__main__", "_version"})
)
def test_every_room_has_tests(room: str) -> None:
    tests = [
        path
        for kind in ("base", "unit", "conformance")
        for path in (ROOT / "tests" / kind).rglob("test_*.py")
    ]
    imports = re.compile(rf"\bsandlot[. ](import )?\(?{room}\b")
    assert [path for path in tests if room in path.parts or imports.search(_text(path))], PACKAGE / room
