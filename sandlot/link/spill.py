"""Output too long to be told, kept in a file of its box.

Theory. The host sees all output of a cell in the order of its telling, so it is who writes the file, through
the agent's verb for files: that follows no link, leaves no half of a file and counts against the box's own
bounds. Text is held in memory until it is more than will be told, which most cells never reach; from then
on it flows to the file, no faster than the box takes it. A box that cannot keep it (a full disk, something
planted in the place) loses the file and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PurePosixPath

from sandlot.contracts.cells import Spilled
from sandlot.contracts.engine import Files
from sandlot.contracts.errors import SandlotError

FOLDER = PurePosixPath("/tmp/.sandlot-output")
"""Beside the workspace, which is the user's and may be kept."""

LARGEST = 32 * 2**20
"""Bytes of one file."""

MOST_FILES = 8
MOST_KEPT = 16 * 2**20
"""Bytes of the files of earlier cells, all contexts of the box together, when another file begins."""

_MOST_HELD = 8 * 2**20
_MOST_WAITING = 2**20
_PATIENCE = 10.0
_HURRIED_PATIENCE = 1.0


class Spills:
    """The files of one box."""

    def __init__(self, files: Files) -> None:
        """Write by *files*; there are none yet."""
        self._files = files
        self._numbers = itertools.count(1)
        self._kept: deque[Spilled] = deque()
        self._tasks: set[asyncio.Task[bool]] = set()

    def spill(self, limit: int) -> Spill:
        """For a cell of whose output *limit* bytes are told."""
        return Spill(self, limit)

    def begin(self, content: AsyncGenerator[bytes, None]) -> tuple[PurePosixPath, asyncio.Task[bool]]:
        """Begin to write *content*: its path, and whether it was written."""
        path = FOLDER / f"{next(self._numbers)}.txt"
        task = asyncio.ensure_future(self._write(path, content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return path, task

    def keep(self, spilled: Spilled) -> None:
        """Count a file that was written."""
        self._kept.append(spilled)

    async def _write(self, path: PurePosixPath, content: AsyncGenerator[bytes, None]) -> bool:
        try:
            while len(self._kept) >= MOST_FILES or sum(each.size for each in self._kept) > MOST_KEPT:
                await self._remove(self._kept.popleft())
            await self._files.mkdir(FOLDER, parents=True)
            async with aclosing(content):
                await self._files.write(path, content)
        except SandlotError:  # the box is full, gone, or has something else in the place
            return False
        return True

    async def _remove(self, spilled: Spilled) -> None:
        try:
            await self._files.remove(spilled.path)
        except SandlotError:  # somebody in the box did so already
            return


class Spill:
    """All text of one cell."""

    def __init__(self, spills: Spills, limit: int) -> None:
        """Nothing is written before there are more than *limit* bytes."""
        self._spills, self._limit = spills, min(limit, _MOST_HELD)
        # A file that holds less than is told is of no use.
        self._is_closed = limit >= LARGEST
        self._waiting = bytearray()
        self._size = 0
        self._is_whole, self._is_over = True, False
        self._path = FOLDER
        self._writing: asyncio.Task[bool] | None = None
        self._changed, self._taken, self._hurried = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def add(self, text: str) -> None:
        """Take *text*; waits while the box is behind, unless `hurry` was called: then it is lost."""
        if self._is_closed:
            return
        if self._writing is not None and self._writing.done():  # it failed: nobody takes any more
            self._is_closed = True
            self._waiting.clear()
            return
        data = text.encode("utf-8", "surrogateescape")
        while self._is_full and not self._hurried.is_set():
            self._taken.clear()
            await self._taken.wait()
        if self._size + len(data) > LARGEST or self._is_full:
            self._is_closed, self._is_whole = True, False
            return
        self._size += len(data)
        self._waiting += data
        if self._writing is None and self._size > self._limit:
            self._path, self._writing = self._spills.begin(self._content())
            self._writing.add_done_callback(lambda _done: self._taken.set())
        self._changed.set()

    def hurry(self) -> None:
        """Wait for the box no longer."""
        self._hurried.set()
        self._taken.set()

    async def finish(self, *, is_wanted: bool) -> Spilled | None:
        """Where all of it is; None when it was not *is_wanted*, or could not be written soon enough."""
        self._is_closed = self._is_over = True
        self._changed.set()
        if self._writing is None:
            return None
        if is_wanted:
            await self._wait(self._writing)
        if not self._writing.done() or not is_wanted:
            self._writing.cancel()
            return None
        if self._writing.cancelled() or not self._writing.result():
            return None
        spilled = Spilled(self._path, self._size, self._is_whole)
        self._spills.keep(spilled)
        return spilled

    @property
    def _is_full(self) -> bool:
        """More waits for the box than should; what is held because nothing is written yet does not."""
        is_writing = self._writing is not None and not self._writing.done()
        return is_writing and len(self._waiting) > max(_MOST_WAITING, self._limit)

    async def _content(self) -> AsyncGenerator[bytes, None]:
        while self._waiting or not self._is_over:
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            data = bytes(self._waiting)
            self._waiting.clear()
            self._taken.set()
            yield data

    async def _wait(self, writing: asyncio.Task[bool]) -> None:
        hurried = asyncio.ensure_future(self._hurried.wait())
        await asyncio.wait([writing, hurried], timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        await asyncio.wait([writing], timeout=_HURRIED_PATIENCE)
