"""One agent per test, started as a plain process of this machine: for benign programs only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.guest.driver import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """An agent whose workspace and only root is the test's own directory."""
    with Host(str(tmp_path)) as started:
        yield started
