from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.spec import Network, SandboxSpec
from sandlot.engines.remote.engine import RemoteEngine
from sandlot.testing.conformance import EngineSuite
from sandlot.testing.servers import running_server
from sandlot.testing.suite import collect, python


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """A server with the engines that serve by default, all of them started, and no boxes made ahead.

    What a server starts once and keeps is nothing that a box left. It asks for a key: without, an ordinary
    user's server gives nobody the host's network.
    """
    pytest.importorskip("uvicorn", reason="the server needs its extra")
    with running_server("--auth", "keys", "--allow-network", "--pool", "0") as server:
        TestRemote.url, TestRemote.key = server.url, server.key("suite")
        asyncio.run(_wake(TestRemote.new_engine(frozenset())))
        yield


async def _wake(engine: Engine) -> None:
    for network in Network:
        await (await engine.create(SandboxSpec(network=network))).close()
    await engine.close()


class TestRemote(EngineSuite):
    engine_name = "remote"
    terminals_take_all = False
    url: ClassVar[str] = ""
    key: ClassVar[str] = ""

    async def test_full_network_reaches_the_host_or_is_refused(self) -> None:
        """Its server has another engine for that, which a box of the usual one does not announce."""
        address = urlsplit(self.url)
        code = f"import socket; socket.create_connection(({address.hostname!r}, {address.port})); print('in')"
        async with self.box(SandboxSpec(network=Network.FULL)) as box:
            assert (await collect(box, python(code))).stdout == b"in\n"
            assert "network" not in box.enforced

    @classmethod
    def new_engine(cls, without: frozenset[str]) -> Engine:
        if without:
            raise Unsupported("the walls of another machine cannot be left out from here")
        return RemoteEngine(url=cls.url, key=cls.key)
