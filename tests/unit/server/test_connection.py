from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect

from sandlot.server.connection import Connection


def test_a_block_ends_when_the_client_leaves_and_has_cleared_up() -> None:
    cleared = []

    async def work(connection: Connection) -> None:
        try:
            with connection.stay():
                try:
                    await asyncio.Event().wait()
                finally:
                    cleared.append(True)
        except ClientDisconnect:
            await asyncio.sleep(0)  # the cancel is used up
            raise

    async def scene() -> None:
        connection = Connection(None)
        working = asyncio.ensure_future(work(connection))
        await asyncio.sleep(0)
        connection.lost()
        with pytest.raises(ClientDisconnect):
            await working

    asyncio.run(scene())
    assert cleared == [True]


def test_whoever_has_gone_before_is_not_worked_for() -> None:
    async def scene() -> None:
        connection = Connection(None)
        connection.lost()
        with pytest.raises(ClientDisconnect), connection.stay():
            raise AssertionError

    asyncio.run(scene())


def test_another_cancel_stays_a_cancel() -> None:
    async def work(connection: Connection) -> None:
        with connection.stay():
            await asyncio.Event().wait()

    async def scene() -> None:
        connection = Connection(None)
        working = asyncio.ensure_future(work(connection))
        await asyncio.sleep(0)
        working.cancel()
        connection.lost()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(scene())


def test_a_client_that_leaves_after_the_block_disturbs_nobody() -> None:
    async def scene() -> None:
        connection = Connection(None)
        with connection.stay():
            await asyncio.sleep(0)
        connection.lost()
        await asyncio.sleep(0)

    asyncio.run(scene())
