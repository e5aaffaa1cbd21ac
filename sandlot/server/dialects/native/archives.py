"""Whole trees as archives: unpacked in a sandbox, and packed from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.streams import ended
from sandlot.server import answers
from sandlot.server.reading import query_of, raw_body
from sandlot.wire.gzip_writer import GzipWriter

from .files import ATTACHED
from .reading import box_of

TAR = "application/x-tar"

_SLICE = 131_072  # takes some 5 ms to compress at worst; then others have a turn


async def upload(request: Request) -> Response:
    """POST .../files/upload; the whole archive, or nothing of it."""
    dest = query_of(request).path("dest", "/workspace")
    box = await box_of(request)
    await box.put(dest, raw_body(request))
    return answers.json({"dest": str(dest)})


async def download(request: Request) -> Response:
    """GET .../files/download; always gzip, NoxRunner's clients open nothing else."""
    src = query_of(request).path("src", "/workspace")
    box = await box_of(request)
    pieces = await answers.begun(compressed(box.get(src)))
    return answers.ByteStream(pieces, TAR, headers=ATTACHED)


async def compressed(tar: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """*tar* as gzip. Between slices others have a turn, for compressing does not wait for anything."""
    packer = GzipWriter()
    async with ended(tar) as pieces:
        async for piece in pieces:
            for begin in range(0, len(piece), _SLICE):
                packed = packer.write(piece[begin : begin + _SLICE])
                if packed:
                    yield packed
                await asyncio.sleep(0)
    yield packer.finish()
