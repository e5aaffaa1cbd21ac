from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandlot.testing.servers import RunningServer, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A keyless server on loopback that the tests of one file share."""
    with running_server() as running:
        yield running
