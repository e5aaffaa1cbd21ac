from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from sandlot.local.iteration import Background


async def count(ended: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(100):
            await asyncio.sleep(0)
            yield number
    finally:
        ended.append("ended")


def test_values_come_one_by_one_and_leaving_early_ends_the_source() -> None:
    background, ended = Background(), list[str]()
    for number in background.iterate(count(ended)):
        if number == 3:
            break
    background.close()
    assert ended == ["ended"]


def test_it_works_under_a_running_loop() -> None:
    async def outer() -> int:
        background = Background()
        try:
            return background.wait(asyncio.sleep(0, 7))
        finally:
            background.close()

    assert asyncio.run(outer()) == 7


def test_errors_come_through() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    background = Background()
    with pytest.raises(ZeroDivisionError):
        background.wait(broken())
    background.close()


def test_closing_twice_is_harmless_and_leaves_no_thread() -> None:
    before = threading.active_count()
    background = Background()
    background.close()
    background.close()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="closed"):
        background.wait(asyncio.sleep(0))
