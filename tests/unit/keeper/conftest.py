from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.keeper import witness


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
