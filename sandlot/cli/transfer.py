"""Bytes on their way: how many, how fast, as one gzipped archive, into a file that is there whole or not."""

from __future__ import annotations

import os
import secrets
import stat
import time
import zlib
from contextlib import contextmanager
from typing import AsyncIterable, AsyncIterator, Iterator

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes

from . import render

_GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1; no tar begins with it
_GZIP_BITS = 31  # zlib: the largest window, with gzip's header and checksum
_LEVEL = 1  # of compression: it keeps up with most networks
_PERIOD = 0.1


class Meter:
    """Counts what passes and, after a first second, shows it on a terminal."""

    def __init__(self, what: str) -> None:
        """Begin to count; *what* is going on."""
        self.total = 0
        self._what = what
        self._since = self._shown = time.monotonic()
        self._progress = render.Progress(patient=True, only_live=True)

    async def counted(self, data: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """*data* as it is, counted."""
        async for piece in data:
            self._add(len(piece))
            yield piece

    def end(self) -> str:
        """Stop showing; what passed and how fast, in words."""
        self._progress.end()
        return self._words(time.monotonic())

    def _add(self, count: int) -> None:
        self.total += count
        now = time.monotonic()
        if now - self._shown >= _PERIOD:
            self._shown = now
            self._progress(f"{self._what}: {self._words(now)}")

    def _words(self, now: float) -> str:
        rate = self.total / max(now - self._since, 0.001)
        return f"{Bytes(self.total)}, {Bytes(rate)}/s"


async def gzipped(tar: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The archive *tar*, gzipped unless it is already."""
    squeeze = None
    begun = b""
    async for data in tar:
        if len(begun) >= len(_GZIP):
            yield data if squeeze is None else squeeze.compress(data)
            continue
        begun += data
        if len(begun) >= len(_GZIP):
            squeeze = None if begun.startswith(_GZIP) else zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
            yield begun if squeeze is None else squeeze.compress(begun)
    if squeeze is not None:
        yield squeeze.flush()


@contextmanager
def replacing(path: str) -> Iterator[int]:
    """A descriptor to write to; afterwards the file *path* is replaced as a whole, or as it was.

    What is no regular file (a device, a pipe) is written to directly. Raises InvalidSpec when it cannot be.
    """
    path = os.path.realpath(path)
    is_direct = os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)
    part = path if is_direct else os.path.join(os.path.dirname(path), f".sandlot-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(part, os.O_WRONLY | (0 if is_direct else os.O_CREAT | os.O_EXCL), 0o666)
    except OSError as cause:
        raise InvalidSpec(f"{path} cannot be written: {cause.strerror}") from cause
    try:
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        if not is_direct:
            os.replace(part, path)
    except BaseException:
        if not is_direct:
            os.unlink(part)
        raise
