from __future__ import annotations

import gzip
import random
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.gzip_writer import GzipWriter

NOISE = random.Random(1).getrandbits(8 * 200_000).to_bytes(200_000, "big")  # noqa: S311 - the same each time
TEXT = b"words of a text " * 20_000


def packed(pieces: List[bytes]) -> bytes:
    writer = GzipWriter()
    written = b"".join(map(writer.write, pieces))
    return written + writer.finish()


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b""],
        [b"a"],
        [NOISE],
        [TEXT],
        [TEXT, NOISE, TEXT, TEXT, NOISE, NOISE, TEXT],
        [NOISE[:65_535], NOISE[:65_536], b"", TEXT[:10]],
        # A text that follows itself across noise must not refer back to where the deflater left it.
        [NOISE[:30_000] + TEXT, NOISE[30_000:60_000], TEXT, NOISE[:30_000]],
    ],
)
def test_what_was_packed_comes_out_again(pieces: List[bytes]) -> None:
    assert gzip.decompress(packed(pieces)) == b"".join(pieces)


@given(st.lists(st.binary(max_size=300).map(lambda data: data * 7) | st.sampled_from([NOISE, TEXT])))
def test_any_pieces_come_out_again(pieces: List[bytes]) -> None:
    assert gzip.decompress(packed(pieces)) == b"".join(pieces)


def test_what_shrinks_is_deflated_and_what_does_not_hardly_grows() -> None:
    assert len(packed([TEXT])) < len(TEXT) // 50
    assert len(packed([NOISE])) < len(NOISE) + 60
