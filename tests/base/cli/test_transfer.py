from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path
from typing import AsyncIterator, List

import pytest

from sandlot.cli import transfer
from sandlot.contracts.errors import InvalidSpec


async def _stream(pieces: List[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _gzipped(pieces: List[bytes]) -> bytes:
    async def all_of_it() -> bytes:
        return b"".join([data async for data in transfer.gzipped(_stream(pieces))])

    return asyncio.run(all_of_it())


@pytest.mark.parametrize("pieces", [[b"a.txt" * 1000], [b"a", b".", b"txt", b""], [b"a", b"\x8b\x1f"]])
def test_a_plain_archive_comes_out_gzipped(pieces: List[bytes]) -> None:
    assert gzip.decompress(_gzipped(pieces)) == b"".join(pieces)


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_gzipped_archive_stays_as_it_is(cut: int) -> None:
    made = gzip.compress(b"content")
    assert _gzipped([made[:cut], made[cut:]]) == made


def test_the_meter_counts_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    meter = transfer.Meter("uploading")

    async def all_of_it() -> List[bytes]:
        return [data async for data in meter.counted(_stream([b"ab", b"c" * 1024]))]

    assert asyncio.run(all_of_it()) == [b"ab", b"c" * 1024]
    assert meter.end().startswith("1.002 KiB, ")
    assert capsys.readouterr().err == ""


def test_the_meter_of_nothing_says_so() -> None:
    assert transfer.Meter("uploading").end().startswith("0 B, ")


def test_a_file_is_replaced_when_all_of_it_is_there(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_bytes(b"old")
    with transfer.replacing(str(target)) as descriptor:
        os.write(descriptor, b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.tar.gz"]


def _break_off(target: Path) -> None:
    with transfer.replacing(str(target)) as descriptor:
        os.write(descriptor, b"half")
        raise KeyboardInterrupt


def test_a_file_stays_when_the_rest_does_not_come(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        _break_off(target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.tar.gz"]


def test_what_a_link_leads_to_is_replaced_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    with transfer.replacing(str(tmp_path / "link")) as descriptor:
        os.write(descriptor, b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_device_is_written_to_and_stays_one() -> None:
    with transfer.replacing(os.devnull) as descriptor:
        os.write(descriptor, b"x")
    assert not os.path.isfile(os.devnull)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="cannot be written"), transfer.replacing(str(tmp_path / "no/a")):
        pass
