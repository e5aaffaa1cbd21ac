"""The first process of boxes: compiled once, where there is a compiler."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

import pytest

from sandlot.environments import native

pytestmark = pytest.mark.linux

needs_a_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler on this machine"
)


def script(folder: Path, text: str) -> str:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@needs_a_compiler
def test_it_is_compiled_once_and_can_be_loaded_by_all(tmp_path: Path) -> None:
    made = native.library(tmp_path).path
    assert made is not None
    assert made.stat().st_mode & 0o777 == 0o644
    assert ctypes.PyDLL(str(made)).sandlot_init_sizes() > 0
    assert native.library(tmp_path).path == made
    assert [path.name for path in made.parent.iterdir()] == [made.name]


@needs_a_compiler
def test_it_is_compiled_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = script(tmp_path, 'exec cc -Wall -Wextra -Wconversion -Wshadow -Werror "$@"')
    monkeypatch.setenv("SANDLOT_COMPILER", strict)
    found = native.library(tmp_path / "data")
    assert found.path is not None, found.why


@pytest.mark.parametrize(
    ("compiler", "why"),
    [
        ("none", "the setting compiler says 'none'"),
        ("no-such-compiler", "no C compiler: install no-such-compiler"),
    ],
)
def test_without_a_compiler_there_is_none(
    compiler: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_COMPILER", compiler)
    assert native.library(tmp_path) == native.Library(None, why)


def test_a_compiler_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = script(tmp_path, "echo first >&2; echo 'no assembler here' >&2; exit 1")
    monkeypatch.setenv("SANDLOT_COMPILER", broken)
    found = native.library(tmp_path / "data")
    assert found == native.Library(None, f"{broken} does not compile guest/native: no assembler here")
    assert not list((tmp_path / "data" / "agents").iterdir())


def test_what_cannot_be_loaded_is_told_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    careless = script(tmp_path, 'while [ "$1" != -o ]; do shift; done; echo junk > "$2"')
    monkeypatch.setenv("SANDLOT_COMPILER", careless)
    found = native.library(tmp_path / "data")
    assert found.path is None
    assert found.why.startswith(f"what was compiled with {careless} cannot be loaded: ")


@needs_a_compiler
def test_its_predecessors_go_after_a_week_and_come_back_when_they_are_wanted(tmp_path: Path) -> None:
    old, young = (tmp_path / "agents" / f"init-{age}.so" for age in ("old", "young"))
    old.parent.mkdir()
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    made = native.library(tmp_path).path
    assert made is not None
    assert sorted(old.parent.iterdir()) == sorted((made, young))
    made.unlink()
    assert native.library(tmp_path).path == made
    assert made.exists()
