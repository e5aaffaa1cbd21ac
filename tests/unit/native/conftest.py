"""One real server for the whole room, and a sandbox for each module."""

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


@pytest.fixture(scope="module")
def box(call: Calls, request: pytest.FixtureRequest) -> Iterator[str]:
    """The path of a live sandbox."""
    path = "/v1/sandboxes/" + request.module.__name__.rpartition(".")[2].replace("_", "-")
    assert call("PUT", path, {}).status == 200
    yield path
    call("DELETE", path)
