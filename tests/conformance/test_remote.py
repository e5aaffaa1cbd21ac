from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import Unsupported
from sandlot.engines.remote.engine import RemoteEngine
from sandlot.testing.conformance import EngineSuite
from sandlot.testing.servers import running_server


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """A server whose engine is the one that serves by default: bubblewrap, as things are.

    It asks for a key: without, an ordinary user's server gives nobody the host's network.
    """
    pytest.importorskip("uvicorn", reason="the server needs its extra")
    with running_server("--auth", "keys", "--allow-network") as server:
        TestRemote.url, TestRemote.key = server.url, server.key("suite")
        yield


class TestRemote(EngineSuite):
    engine_name = "remote"
    terminals_take_all = False
    url: ClassVar[str] = ""
    key: ClassVar[str] = ""

    @classmethod
    def new_engine(cls, without: frozenset[str]) -> Engine:
        if without:
            raise Unsupported("the walls of another machine cannot be left out from here")
        return RemoteEngine(url=cls.url, key=cls.key)
