from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest

from sandlot.contracts import errors
from sandlot.link.files import MOST_CHANGES, MOST_NAMES
from sandlot.wire.archive import ArchiveReader, ArchiveWriter, Member, MemberKind
from sandlot.wire.frames import Kind, parse_json
from tests.unit.link.fake_agent import Stage, stage

WORKSPACE = PurePosixPath("/workspace")
ENTRY = {"name": "f", "path": "/workspace/f", "kind": "file", "size": 3, "mode": 0o100644, "mtime": 1.5}


def _archive(*members: Member) -> bytes:
    writer = ArchiveWriter()
    written = b""
    for member in members:
        written += writer.member(member)
        written += writer.data(bytes(member.size)) if member.size else b""
        written += writer.end_member()
    return written + writer.finish()


def _names(tar: bytes) -> list[str]:
    reader = ArchiveReader()
    names = [event.name for event in reader.feed(tar) if isinstance(event, Member)]
    reader.finish()
    return names


async def _pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def _asked(on: Stage) -> Mapping[str, Any]:
    return parse_json((await on.agent.frame(Kind.OPEN)).payload)


async def _count(changes: AsyncIterator[Mapping[str, Any]]) -> int:
    return len([change async for change in changes])


async def _input(on: Stage) -> bytes:
    given = b""
    while (frame := await on.agent.frame(Kind.INPUT, Kind.INPUT_END)).kind != Kind.INPUT_END:
        given += frame.payload
    return given


def test_stat_tells_the_documented_fields_only() -> None:
    async def scene() -> Mapping[str, Any]:
        async with stage() as on:
            asking = asyncio.ensure_future(on.box.stat(WORKSPACE / "f"))
            assert await _asked(on) == {"verb": "stat", "path": "/workspace/f"}
            on.agent.send(Kind.DONE, 1, {"ok": {**ENTRY, "surprise": "x"}})
            return await asking

    assert asyncio.run(scene()) == {**ENTRY, "mode": 0o644}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not_found", errors.NotFound),
        ("already_exists", errors.Conflict),
        ("permission_denied", errors.Conflict),
        ("path_escape", errors.PathEscape),
        ("no_space", errors.DiskFull),
        ("too_large", errors.OutputTooLarge),
        ("invalid", errors.InvalidSpec),
        ("archive", errors.InvalidSpec),
    ],
)
def test_what_the_agent_refuses_is_raised_by_fault(code: str, kind: type[errors.SandlotError]) -> None:
    async def scene() -> None:
        async with stage() as on:
            asking = asyncio.ensure_future(on.box.mkdir(WORKSPACE / "d"))
            await _asked(on)
            on.agent.refuse(1, code, "why")
            with pytest.raises(kind, match="why"):
                await asking

    asyncio.run(scene())


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "/workspacex", "/workspace/../etc"])
def test_paths_outside_the_roots_never_reach_the_agent(path: str) -> None:
    async def scene() -> None:
        async with stage() as on:
            with pytest.raises(errors.PathEscape):
                await on.box.remove(PurePosixPath(path))

    asyncio.run(scene())


def test_more_content_than_was_asked_for_is_a_breach() -> None:
    async def scene() -> int:
        async with stage() as on:

            async def read() -> list[bytes]:
                return [data async for data in on.box.read(WORKSPACE / "f", 0, 3)]

            asking = asyncio.ensure_future(read())
            await _asked(on)
            on.agent.send(Kind.OUTPUT, 1, b"four")
            with pytest.raises(errors.BoxDied):
                await asking
            return on.life.kills

    assert asyncio.run(scene()) == 1


def test_writing_stops_when_the_agent_refuses_early() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    async def scene() -> None:
        async with stage() as on:
            writing = asyncio.ensure_future(on.box.write(WORKSPACE / "f", endless()))
            await _asked(on)
            await on.agent.frame(Kind.INPUT)
            on.agent.refuse(1, "no_space", "No space left on device")
            with pytest.raises(errors.DiskFull):
                await writing

    asyncio.run(scene())


def test_an_upload_passes_on_as_it_came_and_is_committed_by_its_end() -> None:
    tar = _archive(Member("a", MemberKind.FILE, 3), Member("d", MemberKind.DIRECTORY))

    async def scene() -> bytes:
        async with stage() as on:
            putting = asyncio.ensure_future(on.box.put(WORKSPACE, _pieces(tar[:100], tar[100:])))
            await _asked(on)
            given = await _input(on)
            on.agent.send(Kind.DONE, 1, {"ok": {"members": 2, "bytes": 3}})
            await putting
            return given

    assert asyncio.run(scene()) == tar


@pytest.mark.parametrize(
    "tar",
    [
        pytest.param(_archive(Member("l", MemberKind.SYMLINK, link="a")), id="link"),
        pytest.param(_archive(Member("a", MemberKind.FILE, 3))[:600], id="truncated"),
        pytest.param(b"not an archive" * 100, id="garbage"),
        pytest.param(_archive(Member("a", MemberKind.FILE, 3)) + b"x" * 512, id="trailing"),
    ],
)
def test_a_hostile_upload_is_cancelled_before_it_is_committed(tar: bytes) -> None:
    async def scene() -> bool:
        async with stage() as on:
            putting = asyncio.ensure_future(on.box.put(WORKSPACE, _pieces(tar)))
            await _asked(on)
            frame = await on.agent.frame(Kind.INPUT_END, Kind.CANCEL)
            on.agent.refuse(1, "failed", "cancelled")
            with pytest.raises(errors.InvalidSpec, match="the archive is refused"):
                await putting
            return frame.kind == Kind.CANCEL

    assert asyncio.run(scene())


async def _get(on: Stage) -> bytes:
    return b"".join([data async for data in on.box.get(WORKSPACE)])


def test_a_download_is_written_anew_member_by_member() -> None:
    tar = _archive(Member("a", MemberKind.FILE, 70_000), Member("d/b", MemberKind.FILE, 1))

    async def scene() -> bytes:
        async with stage() as on:
            getting = asyncio.ensure_future(_get(on))
            assert (await _asked(on))["compress"] is False
            for start in range(0, len(tar), 60_000):
                on.agent.send(Kind.OUTPUT, 1, tar[start : start + 60_000])
            on.agent.send(Kind.DONE, 1, {"ok": {"members": 2}})
            return await getting

    assert _names(asyncio.run(scene())) == ["a", "d/b"]


@pytest.mark.parametrize(
    "tar",
    [
        pytest.param(b"junk" * 200, id="garbage"),
        pytest.param(_archive(Member("a", MemberKind.FILE, 3))[:700], id="truncated"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_broken_archive_from_inside_never_ends_well(tar: bytes) -> None:
    async def scene() -> int:
        async with stage() as on:
            getting = asyncio.ensure_future(_get(on))
            await _asked(on)
            on.agent.send(Kind.OUTPUT, 1, tar)
            on.agent.send(Kind.DONE, 1, {"ok": {}})
            with pytest.raises(errors.BoxDied):
                await getting
            return on.life.kills

    assert asyncio.run(scene()) == 1


def test_a_long_listing_arrives_whole() -> None:
    async def scene() -> int:
        async with stage() as on:

            async def listing() -> int:
                return len([entry async for entry in on.box.list(WORKSPACE)])

            asking = asyncio.ensure_future(listing())
            await _asked(on)
            for _ in range(5_000):
                on.agent.send(Kind.EVENT, 1, {"entry": ENTRY})
            on.agent.send(Kind.DONE, 1, {"ok": {}})
            return await asking

    assert asyncio.run(scene()) == 5_000


def test_a_listing_of_huge_names_is_refused_before_it_fills_the_memory() -> None:
    huge = {**ENTRY, "name": "n" * 4000, "path": "/workspace/" + "p" * 4000, "target": "t" * 4000}

    async def scene() -> int:
        async with stage() as on:

            async def listing() -> int:
                return len([entry async for entry in on.box.list(WORKSPACE)])

            asking = asyncio.ensure_future(listing())
            await _asked(on)
            cancelled, sent = asyncio.ensure_future(on.agent.frame(Kind.CANCEL)), 0
            while not cancelled.done():
                on.agent.send(Kind.EVENT, 1, {"entry": huge})
                sent += 1
                await on.agent.drained()
                await asyncio.sleep(0)
            on.agent.refuse(1, "failed", "cancelled")
            with pytest.raises(errors.OutputTooLarge):
                await asking
            return sent * 12_000

    assert MOST_NAMES < 2 * asyncio.run(scene()) < 4 * MOST_NAMES


def test_changes_nobody_takes_end_the_watch_and_not_the_box() -> None:
    change = {"change": {"path": "/workspace/f", "kind": "modified"}}

    async def answer_cancel(on: Stage) -> None:
        await on.agent.frame(Kind.CANCEL)
        on.agent.refuse(1, "failed", "cancelled")

    async def scene() -> int:
        async with stage() as on:
            watching = aiter(on.box.watch(WORKSPACE))
            first = asyncio.ensure_future(anext(watching))
            await _asked(on)
            answering = asyncio.ensure_future(answer_cancel(on))
            for _ in range(MOST_CHANGES + 2_000):
                on.agent.send(Kind.EVENT, 1, change)
            await first
            await answering
            asking = asyncio.ensure_future(on.box.mkdir(WORKSPACE / "d"))
            await _asked(on)
            on.agent.send(Kind.DONE, 3, {"ok": {}})
            await asking
            with pytest.raises(errors.Conflict, match="watch and list anew"):
                await _count(watching)
            return on.life.kills

    assert asyncio.run(scene()) == 0
