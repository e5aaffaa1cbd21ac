from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.local.machine import data_directory, obstacle


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that boxes may read below, where the settings have their data."""
    cause = obstacle("zygote") or obstacle("bubblewrap")
    if cause is not None:
        pytest.skip(f"no sandbox works here: {cause}")
    with data_directory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDLOT_DATA_DIRECTORY", str(directory))
        yield directory
