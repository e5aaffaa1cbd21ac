from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from sandlot.contracts.spec import WorkspaceKind
from sandlot.keeper.launch import KeptMount
from sandlot.keeper.storage import WorkspaceStore
from tests.unit.keeper import witness
from tests.unit.keeper.kept_place import INODES, SIZE, Place
from tests.unit.keeper.witness import IS_ROOT, loops_below


@pytest.fixture
def run_directory() -> Iterator[Path]:
    """A run directory in which nothing may be left, in a process that must hold nothing more afterwards."""
    with witness.new_run_directory() as directory:
        before = witness.traces(directory)
        yield directory
        assert witness.traces(directory) == before


@pytest.fixture
def null() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that boxes may look into."""
    with TemporaryDirectory(prefix="sandlot-test-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def place(run_directory: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    kind: Literal["image", "directory"] = getattr(request, "param", "image")
    if kind == "image" and not IS_ROOT:
        pytest.skip("only root may mount images")
    path = run_directory.parent / f"{run_directory.name}-store"
    store = WorkspaceStore(path)
    store.create("kept", WorkspaceKind(kind), SIZE, INODES)
    try:
        yield Place(run_directory, path, store, KeptMount("kept", kind))
        assert loops_below(path) == []
    finally:
        for name in store.names():
            store.remove(name)
        path.rmdir()
