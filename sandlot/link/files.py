"""Files of a box, through its agent: single operations, watching, and whole trees as tar streams.

The host never walks a tree a guest writes; it asks the agent, and checks what comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

from sandlot.contracts.errors import Conflict, InvalidSpec, OutputTooLarge
from sandlot.wire.archive import ArchiveError, ArchiveReader, ArchiveRules, ArchiveWriter, Chunk, Member
from sandlot.wire.frames import FrameError, Kind

from . import replies
from .calls import Calls
from .connection import Stream, StreamEnded

UPLOAD = ArchiveRules(max_members=100_000)
"""What may be put into a box."""

DOWNLOAD = ArchiveRules(max_members=1_000_000, max_depth=2048, allow_symlinks=True)
"""What is believed to come out of one."""

MOST_ENTRIES = 250_000
MOST_NAMES = 64 * 2**20
MOST_CHANGES = 4096

_SLICE = 16_384  # of an archive between two turns of the event loop: it may expand a thousandfold


class BoxFiles:
    """Implements contracts.engine.Files and FileWatch, and Box.put and Box.get."""

    _calls: Calls

    async def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        async with self._calls.request("stat", path=self._calls.places.real(path)) as stream:
            return replies.entry(await self._calls.conclusion(stream), self._calls.places.shown)

    async def list(self, path: PurePosixPath) -> AsyncIterator[Mapping[str, Any]]:
        """As Files.list. Raises OutputTooLarge beyond MOST_ENTRIES."""
        found: list[Mapping[str, Any]] = []
        size = 0
        async with self._calls.request("list", path=self._calls.places.real(path)) as stream:
            # All of it first: events that wait for a slow caller would hold up the whole link.
            while (arrival := await self._calls.next(stream)).kind != Kind.DONE:
                if arrival.kind == Kind.EVENT:
                    found.append(replies.entry(replies.listed(arrival.value), self._calls.places.shown))
                    size += sum(len(text) for text in found[-1].values() if isinstance(text, str))
                    _refuse_more(len(found), size)
            self._calls.concluded(arrival)
        for told in found:
            yield told

    async def read(
        self, path: PurePosixPath, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        if offset < 0 or (length is not None and length < 0):
            raise InvalidSpec(f"offset {offset} and length {length} count bytes: use 0 or more")
        real = self._calls.places.real(path)
        async with self._calls.request("read", path=real, offset=offset, length=length) as stream:
            async for data in self._output(stream, length):
                yield data

    async def write(self, path: PurePosixPath, content: AsyncIterable[bytes], mode: int = 0o644) -> int:
        real = self._calls.places.real(path)
        async with self._calls.request("write", path=real, mode=mode & 0o777) as stream:
            sent = await _send(stream, content)
            await self._calls.conclusion(stream)
        return sent

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        await self._calls.ask("mkdir", path=self._calls.places.real(path), parents=parents)

    async def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        await self._calls.ask("move", path=self._calls.places.real(path), to=self._calls.places.real(to))

    async def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        await self._calls.ask("remove", path=self._calls.places.real(path), recursive=recursive)

    async def watch(
        self, path: PurePosixPath, *, recursive: bool = False
    ) -> AsyncIterator[Mapping[str, Any]]:
        """As FileWatch.watch. Raises Conflict when changes come much faster than they are taken."""
        real = self._calls.places.real(path)
        async with self._calls.request("watch", path=real, recursive=recursive) as stream:
            changes: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue(MOST_CHANGES)
            taking = asyncio.ensure_future(self._take_changes(stream, changes))
            try:
                while (change := await changes.get()) is not None:
                    yield change
                await taking
            finally:
                taking.cancel()

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        reader = ArchiveReader(UPLOAD)
        async with self._calls.request("put", path=self._calls.places.real(path)) as stream:
            try:
                await _send(stream, _checked(tar, reader))
            except ArchiveError as error:
                raise InvalidSpec(f"the archive is refused ({error.reason}): {error}") from error
            await self._calls.conclusion(stream)

    async def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        """As Box.get; the archive is written anew from what was understood of the agent's."""
        reader, writer = ArchiveReader(DOWNLOAD), ArchiveWriter(DOWNLOAD)
        real = self._calls.places.real(path)
        async with self._calls.request("get", path=real, compress=False) as stream:
            async with aclosing(self._output(stream, None)) as output:
                async for data in output:
                    yield _rewritten(data, reader, writer)
            try:
                reader.finish()
            except ArchiveError as error:
                raise FrameError(f"the agent sent a broken archive: {error}") from error
            yield writer.finish()

    async def _take_changes(self, stream: Stream, changes: asyncio.Queue[Mapping[str, Any] | None]) -> None:
        try:
            while (arrival := await stream.receive()).kind != Kind.DONE:
                if arrival.kind == Kind.EVENT and "change" in arrival.value:
                    changes.put_nowait(replies.change(arrival.value, self._calls.places.shown))
            self._calls.concluded(arrival)
        except asyncio.QueueFull:
            # At once: what waits unread would hold up the link.
            await self._calls.abandon(stream, self._calls.patience.cancel)
            raise Conflict(f"more than {MOST_CHANGES} changes were not taken: watch and list anew") from None
        finally:
            if changes.full():
                changes.get_nowait()
            changes.put_nowait(None)

    async def _output(self, stream: Stream, most: int | None) -> AsyncGenerator[bytes, None]:
        """The OUTPUT of *stream* up to a DONE that says all went well; more than *most* bytes is a breach."""
        received = 0
        while (arrival := await self._calls.next(stream)).kind != Kind.DONE:
            if arrival.kind == Kind.OUTPUT:
                received += len(arrival.data)
                if most is not None and received > most:
                    raise FrameError(f"the agent sent more than the {most} bytes it was asked for")
                yield arrival.data
        self._calls.concluded(arrival)


async def _send(stream: Stream, content: AsyncIterable[bytes]) -> int:
    """Send all of *content* as INPUT and its end; stops early when the agent has answered."""
    sent = 0
    try:
        async for data in content:
            await stream.send(Kind.INPUT, data)
            sent += len(data)
    except StreamEnded:
        return sent
    stream.post(Kind.INPUT_END)
    return sent


async def _checked(tar: AsyncIterable[bytes], reader: ArchiveReader) -> AsyncIterator[bytes]:
    """The same bytes; raises ArchiveError before the archive's end has passed on when it is refused."""
    async for data in tar:
        for start in range(0, len(data), _SLICE):
            piece = data[start : start + _SLICE]
            for _event in reader.feed(piece):
                pass
            yield piece
            await asyncio.sleep(0)
    reader.finish()


def _rewritten(data: bytes, reader: ArchiveReader, writer: ArchiveWriter) -> bytes:
    """What *data* of a guest's archive amounts to, in our own words."""
    written = bytearray()
    try:
        for event in reader.feed(data):
            if isinstance(event, Member):
                written += writer.member(event)
            elif isinstance(event, Chunk):
                written += writer.data(event.data)
            else:
                written += writer.end_member()
    except ArchiveError as error:
        if error.reason in ("too_big", "too_many"):
            raise OutputTooLarge(f"what is in the box is too large to take out: {error}") from error
        raise FrameError(f"the agent sent an archive no honest agent makes: {error}") from error
    return bytes(written)


def _refuse_more(entries: int, size: int) -> None:
    if entries > MOST_ENTRIES or size > MOST_NAMES:
        raise OutputTooLarge(
            f"the directory has more than {MOST_ENTRIES} entries or {MOST_NAMES} characters of names: "
            "take it as an archive"
        )
