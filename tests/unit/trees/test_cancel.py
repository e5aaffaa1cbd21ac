"""A cancelled copy out of a box: no thread of ours goes on with descriptors that were given back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandlot.trees import unpack
from sandlot.wire.archive import ArchiveWriter, Member, MemberKind

PIECE = 600_000


def _archive() -> bytes:
    writer = ArchiveWriter()
    head = writer.member(Member("file", MemberKind.FILE, 4 * PIECE))
    return head + writer.data(b"g" * (4 * PIECE)) + writer.end_member() + writer.finish()


def test_cancelling_waits_for_the_thread_that_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writing thread is held in the middle of a file; a cancel may not close that file under it."""
    held, go = os.pipe()
    writing, begun = os.pipe()
    seen: list[str] = []
    plain = unpack._TreeWriter._write

    def slow(self: unpack._TreeWriter, data: bytes) -> None:
        if not seen:
            seen.append("begun")
            os.write(begun, b"!")
            os.read(held, 1)
            seen.append("whole" if self._file is not None else "closed under the thread")
        plain(self, data)

    monkeypatch.setattr(unpack._TreeWriter, "_write", slow)

    async def tar() -> AsyncIterator[bytes]:
        yield _archive()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        started = asyncio.Event()
        loop.add_reader(writing, started.set)
        copying = asyncio.ensure_future(unpack.unpack(tar(), tmp_path))
        await started.wait()
        loop.remove_reader(writing)
        copying.cancel()
        await asyncio.wait([copying], timeout=0.2)
        os.write(go, b"!")
        with pytest.raises(asyncio.CancelledError):
            await copying

    asyncio.run(scene())
    for descriptor in (held, go, writing, begun):
        os.close(descriptor)
    assert seen == ["begun", "whole"]
    assert list(tmp_path.iterdir()) == []
