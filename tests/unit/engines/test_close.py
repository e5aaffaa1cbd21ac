"""A closed engine holds nothing, whatever was under way when it was closed."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.spec import SandboxSpec
from sandlot.engines.bubblewrap.engine import BubblewrapEngine

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(30)]


def _children() -> set[str]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listing:
        return set(listing.read().split())


def test_closing_while_a_box_is_being_made_leaves_no_keeper() -> None:
    before = _children()

    async def scene() -> set[str]:
        engine = BubblewrapEngine()
        making = asyncio.ensure_future(engine.create(SandboxSpec()))
        while not _children() - before:  # noqa: ASYNC110 - nothing tells that its keeper is starting
            await asyncio.sleep(0)
        await engine.close()
        with contextlib.suppress(SandlotError):
            await making
        return _children() - before

    assert asyncio.run(scene()) == set()
