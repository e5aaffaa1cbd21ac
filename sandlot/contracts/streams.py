"""Streams of the protocols, ended properly."""

from __future__ import annotations

from collections import abc
from typing import AsyncContextManager, AsyncIterator, Generic, TypeVar

Value = TypeVar("Value")


def ended(iterator: AsyncIterator[Value]) -> AsyncContextManager[AsyncIterator[Value]]:
    """*iterator* for the length of a block; its clean-up is awaited, also when it was not used up."""
    return _Ended(iterator)


class _Ended(Generic[Value]):
    def __init__(self, iterator: AsyncIterator[Value]) -> None:
        self._iterator = iterator

    async def __aenter__(self) -> AsyncIterator[Value]:
        return self._iterator

    async def __aexit__(self, *_why: object) -> None:
        # The protocols promise an iterator; a generator besides holds something alive until it is closed.
        if isinstance(self._iterator, abc.AsyncGenerator):
            await self._iterator.aclose()
