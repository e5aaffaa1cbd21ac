"""Output too long to be told is kept in the box, or lost without harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from sandlot.contracts.cells import CellStatus, Finished, Spilled, Streamed, StreamName
from sandlot.contracts.errors import DiskFull, NotFound, PathEscape, SandlotError
from sandlot.link import spill
from sandlot.link.cell_feed import CellFeed
from sandlot.link.spill import Spills


class Box:
    """Files of a box that has room for so many bytes; a write waits for *gate*."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.files: dict[PurePosixPath, bytes] = {}
        self.refusal: SandlotError | None = None
        self.reached, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def write(self, path: PurePosixPath, content: AsyncIterable[bytes], mode: int = 0o644) -> int:
        assert mode == 0o644
        data = b""
        async for piece in content:
            self.reached.set()
            await self.gate.wait()
            data += piece
            if len(data) > self.room:
                raise DiskFull("no room is left")
        self.files[path] = data
        return len(data)

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        assert (path, parents) == (spill.FOLDER, True)
        if self.refusal is not None:
            raise self.refusal

    async def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        assert not recursive
        if self.files.pop(path, None) is None:
            raise NotFound(f"{path} is not there")

    async def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        raise NotFound(f"{path} is not asked for")

    def list(self, path: PurePosixPath) -> AsyncIterator[Mapping[str, Any]]:
        raise NotFound(f"{path} is not asked for")

    def read(self, path: PurePosixPath, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        raise NotFound(f"{path} is not asked for: {offset} {length}")

    async def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        raise NotFound(f"{path} is not moved to {to}")


async def told(spills: Spills, limit: int, *texts: str) -> tuple[str, Finished]:
    """What a cell tells that writes *texts*, and its end."""
    feed = CellFeed(limit, spills.spill(limit))
    for text in texts:
        await feed.put(Streamed(StreamName.STDOUT, text))
    feed.finish(Finished(CellStatus.OK, dropped=feed.budget.dropped, spilled=await feed.rest()))
    found = ""
    while isinstance(event := await feed.get(), Streamed):
        found += event.text
    assert isinstance(event, Finished)
    return found, event


def test_what_is_too_long_is_in_a_file_whole() -> None:
    async def work() -> None:
        box = Box()
        texts = [f"line é {number}\n" for number in range(1000)]
        found, end = await told(Spills(box), 200, *texts)
        whole = "".join(texts).encode()
        assert end.spilled == Spilled(spill.FOLDER / "1.txt", len(whole))
        assert box.files == {end.spilled.path: whole}
        assert f"{end.dropped} bytes of output were left out; {end.spilled.path} has all of it" in found

    asyncio.run(work())


def test_what_is_told_whole_is_written_nowhere() -> None:
    async def work() -> None:
        box = Box()
        assert await told(Spills(box), 200, "x" * 100, "y" * 100) == (
            "x" * 100 + "y" * 100,
            Finished(CellStatus.OK),
        )
        assert not box.files
        # Nor is there a use in a file that may hold less than is told.
        assert (await told(Spills(box), spill.LARGEST, "x" * 100))[1].spilled is None

    asyncio.run(work())


def test_a_box_without_room_loses_the_file_only() -> None:
    async def work() -> None:
        found, end = await told(Spills(Box(room=500)), 100, *["x" * 100] * 100)
        assert (end.spilled, end.dropped) == (None, 9900)
        assert "left out ..." in found

    asyncio.run(work())


def test_a_file_is_bounded_and_says_so() -> None:
    async def work() -> None:
        box = Box()
        _, end = await told(Spills(box), 100, *["x" * 2**20] * 40)
        assert end.spilled is not None
        assert (end.spilled.size, end.spilled.is_whole) == (spill.LARGEST, False)
        assert len(box.files[end.spilled.path]) == spill.LARGEST

    asyncio.run(work())


def test_later_files_take_the_place_of_earlier_ones() -> None:
    async def work() -> None:
        box = Box()
        spills = Spills(box)
        for _ in range(spill.MOST_FILES + 2):
            await told(spills, 10, "x" * 100)
        assert [path.name for path in box.files] == [f"{number}.txt" for number in range(3, 11)]
        await told(spills, 10, "x" * (spill.MOST_KEPT + 1))
        await told(spills, 10, "x" * 100)
        assert [path.name for path in box.files] == ["12.txt"]

    asyncio.run(work())


def test_a_box_that_is_behind_slows_the_cell_and_loses_what_comes_once_it_hurries() -> None:
    async def work() -> None:
        box = Box()
        box.gate.clear()
        feed = CellFeed(100, Spills(box).spill(100))
        piece = Streamed(StreamName.STDOUT, "x" * 2**20)

        async def write() -> None:
            for _ in range(5):
                await feed.put(piece)

        writer = asyncio.ensure_future(write())
        await box.reached.wait()
        assert not writer.done()
        feed.hurry()
        await writer
        box.gate.set()
        spilled = await feed.rest()
        assert spilled is not None
        assert not spilled.is_whole
        assert len(box.files[spilled.path]) == spilled.size < 5 * 2**20

    asyncio.run(work())


def test_a_box_that_does_not_answer_is_not_waited_for() -> None:
    async def work() -> None:
        box = Box()
        box.gate.clear()
        feed = CellFeed(10, Spills(box).spill(10))
        await feed.put(Streamed(StreamName.STDOUT, "x" * 100))
        feed.hurry()
        assert await feed.rest() is None
        assert not box.files

    asyncio.run(work())


def test_a_folder_that_cannot_be_made_is_no_harm() -> None:
    async def work() -> None:
        box = Box()
        box.refusal = PathEscape("a link is in the way")
        _, end = await told(Spills(box), 10, "x" * 100)
        assert (end.spilled, end.dropped, box.files) == (None, 90, {})

    asyncio.run(work())
