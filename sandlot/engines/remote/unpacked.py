"""The archive that a backend sends, as the plain tar stream that Box.get promises."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sandlot.contracts.errors import ConnectionLost
from sandlot.wire.archive_rules import ArchiveError
from sandlot.wire.expander import Expander

# Deflate makes at most 1032 bytes of one. Nothing is held of what is read, so any ratio will do.
_MOST_RATIO = 2048


async def unpacked(packed: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The tar bytes in *packed*, gzipped or not. Raises ConnectionLost for a gzip stream that is damaged."""
    expander = Expander(_MOST_RATIO)
    try:
        async with aclosing(packed) as pieces:
            async for piece in pieces:
                expander.feed(piece)
                while expander.fill():
                    yield bytes(expander.ready)
                    expander.ready.clear()
        expander.finish()
    except ArchiveError as error:
        raise ConnectionLost(f"the archive of the backend cannot be read: {error}; get it again") from error
