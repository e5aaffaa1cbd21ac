"""Streams of the protocols, ended properly."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import AsyncGenerator, AsyncIterator, TypeVar

Value = TypeVar("Value")


@asynccontextmanager
async def ended(iterator: AsyncIterator[Value]) -> AsyncIterator[AsyncIterator[Value]]:
    """*iterator* for the length of a block; its clean-up is awaited, also when it was not used up."""
    try:
        yield iterator
    finally:
        # The protocols promise an iterator; a generator besides holds something alive until it is closed.
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
