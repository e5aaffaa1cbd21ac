"""Both twins of the client behind one way to ask: what is awaitable or asynchronous is waited for."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from typing import Any, AsyncIterable, Iterable, List

from sandlot.client import AsyncClient, Client
from sandlot.contracts.lease import Lease
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation
from sandlot.transport.memory import Script, response
from sandlot.wire import json_object
from sandlot.wire.statuses import features_of, status_to_json

STATUS = SandboxStatus(
    "box", "memory", Isolation.VM, ("x",), Lease(Seconds(5.0), 10.0), features=features_of(("files",))
)
TOLD_STATUS = json_object.render(status_to_json(STATUS, "sbx-0123456789"))
BEHIND = {"engine": "other", "isolation": "namespace", "enforced": ["y"], "failover": ["z"]}


def said(status: int, value: Any = None) -> bytes:
    """An answer with a JSON body."""
    return response(
        status, b"" if value is None else json_object.render(value), content_type="application/json"
    )


class Twin:
    """One of the two; `wait` makes their answers the same."""

    name = "sync"

    def client(self, script: Script) -> Any:
        """A client that talks to *script*."""
        return Client(transport=script.connect())

    def box(self, script: Script) -> Any:
        """The box of a client that talks to *script*."""
        return self.client(script).box(STATUS)

    def wait(self, value: Any) -> Any:
        """*value* itself, or what it is a promise of."""
        return value

    def all(self, values: Any) -> List[Any]:
        """The items of a stream."""
        return list(values)

    def some(self, values: Any, count: int) -> List[Any]:
        """The first items of a stream that is left then."""
        found = list(itertools.islice(values, count))
        values.close()
        return found

    def stream(self, pieces: Iterable[bytes]) -> Any:
        """*pieces* as this twin takes content."""
        return iter(list(pieces))


class AsyncTwin(Twin):
    """The asynchronous one, on a loop that the fixture closes."""

    name = "async"

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def client(self, script: Script) -> Any:
        return AsyncClient(transport=script.connect_async())

    def wait(self, value: Any) -> Any:
        async def settled() -> Any:
            return await value if inspect.isawaitable(value) else value

        return self.loop.run_until_complete(asyncio.wait_for(settled(), 30))

    def all(self, values: Any) -> List[Any]:
        return self.some(values, 10**9)

    def some(self, values: Any, count: int) -> List[Any]:
        async def taken() -> List[Any]:
            found: List[Any] = []
            async for item in values:
                found.append(item)
                if len(found) == count:
                    break
            await values.aclose()
            return found

        found: List[Any] = self.wait(taken())
        return found

    def stream(self, pieces: Iterable[bytes]) -> Any:
        async def flowing() -> AsyncIterable[bytes]:
            for piece in pieces:
                yield piece

        return flowing()

    def close(self) -> None:
        """End the loop."""
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
