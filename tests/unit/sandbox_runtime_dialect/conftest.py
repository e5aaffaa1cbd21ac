"""One real server for the whole room, and a session for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import obstacle
from tests.unit.native.calls import Calls
from tests.unit.sandbox_runtime_dialect.service import DocumentService
from tests.unit.sandbox_runtime_dialect.wire import Runtime


@pytest.fixture(scope="package")
def documents() -> Iterator[DocumentService]:
    with DocumentService() as service:
        yield service


@pytest.fixture(scope="package")
def server(documents: DocumentService) -> Iterator[RunningServer]:
    if why := obstacle():
        pytest.skip(f"no box can be started here: {why}")
    chosen = {
        "SANDLOT_DOCUMENT_SERVICES": documents.url,
        "SANDLOT_DOCUMENT_TOKEN": documents.token,
        "SANDLOT_MOST_UPLOAD": "3Mi",
    }
    with running_server("--workspaces", "memory", "--pool", "2", environ=chosen) as running:
        yield running


@pytest.fixture(scope="package")
def runtime(server: RunningServer) -> Runtime:
    return Runtime(Calls(server.url))


@pytest.fixture(scope="module")
def session(runtime: Runtime, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a live session."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    runtime.good("POST", f"/session/{name}", {"size": "50M"})
    yield name
    runtime.good("DELETE", f"/session/{name}")
