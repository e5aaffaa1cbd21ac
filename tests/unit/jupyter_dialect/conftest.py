"""One real server for the whole room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import obstacle
from tests.unit.native.calls import Calls


@pytest.fixture(scope="package")
def server() -> Iterator[RunningServer]:
    if why := obstacle():
        pytest.skip(f"no box can be started here: {why}")
    with running_server("--workspaces", "memory") as running:
        yield running


@pytest.fixture(scope="package")
def call(server: RunningServer) -> Calls:
    return Calls(server.url)
