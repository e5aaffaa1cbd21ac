"""How the archive cases are played: put what must be refused, get what was laid out, then look at it."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import PurePosixPath

from sandlot.contracts.errors import SandlotError
from sandlot.testing import leaks, tars
from sandlot.testing.suite import collect, shell

from .case import Finding, Outcome, Play
from .filesystem_plays import drain
from .stage import Stage

TARGET = PurePosixPath("/workspace/target")
_MIB = 2**20

_HANG = 30.0
"""Seconds of wall time, on a machine that may be busy, after which a refusal counts as a hang."""
_LONG_HANG = 90.0
"""The same where a hundred thousand files come first: 7 s of work, 33 on a busy machine half as fast."""
_MOST_TAKEN = 200_000
"""Members of a million that are taken before it is refused: twice the bound, for what is on its way."""


async def chunks(data: bytes | Iterable[bytes], size: int = 65536) -> AsyncIterator[bytes]:
    """*data* in pieces, as an upload comes."""
    for piece in (data,) if isinstance(data, bytes) else data:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


async def _refusal(stage: Stage, name: str, data: bytes | Iterable[bytes], hang: float = _HANG) -> Finding:
    began = time.monotonic()
    try:
        await stage.box.put(TARGET, chunks(data))
    except SandlotError as error:
        seconds = time.monotonic() - began
        return Finding(
            f"{name} was refused late", seconds > hang, f"{error.code} after {seconds:.2f} s: {error}"[:250]
        )
    return Finding(f"{name} was taken", True)


async def _prepared(stage: Stage) -> Outcome:
    """A target that already holds a file: it must be as it was after every refusal."""
    outcome = await stage.attack("files_inside:nothing")
    await stage.box.put(TARGET, chunks(tars.plain("kept")))
    return outcome


_TREE = "find . -print; find \"${TMPDIR:-/tmp}\" -name '*escaped*'; cat target/kept"


async def _untouched(stage: Stage) -> Finding:
    """Only the file from before is there: nothing half-extracted, nothing beside the target."""
    result = await collect(stage.box, shell(_TREE))
    lines = sorted(result.text.replace("honest", "").split())
    expected = sorted([".", "./target", "./target/kept"])
    return Finding(
        "something was written", lines != expected or "honest" not in result.text, str(lines)[:250]
    )


def refused_whole(case: str) -> Play:
    """Every archive of *case*, as it is and compressed; then the workspace is looked at."""

    async def run(stage: Stage) -> Outcome:
        outcome = await _prepared(stage)
        found = []
        for name, data in tars.REFUSED[case]:
            first = tars.archive(tars.Entry(b"half-extracted", data=b"x"))[: -2 * tars.BLOCK]
            found.append(await _refusal(stage, name, first + data if data[:2] != b"\x1f\x8b" else data))
            found.append(await _refusal(stage, f"{name}, compressed", gzip.compress(data)))
            found.append(await _untouched(stage))
        return outcome.plus(*found)

    return run


def extracted_carelessly(case: str) -> Play:
    """Control: the same archives by tarfile with its filter off, in the box."""

    async def run(stage: Stage) -> Outcome:
        texts = [base64.b64encode(data).decode() for _, data in tars.REFUSED[case]]
        return await stage.attack("archives_careless:extract", archives=texts)

    return run


async def odd_metadata(stage: Stage) -> Outcome:
    """Z07: taken, with the bits and times made harmless, owned by the box's user."""
    outcome = await _prepared(stage)
    entries = (
        tars.Entry(b"set-uid", data=b"x", mode=0o6755),
        tars.Entry(b"sticky", data=b"x", mode=0o1777),
        tars.Entry(b"owned", data=b"x", uid=0o1777777),
        tars.Entry(b"future", data=b"x", mtime=b"\x80" + (2**40).to_bytes(11, "big")),
        tars.Entry(b"past", data=b"x", mtime=b"\xff" * 12),
        tars.Entry(b"unreadable", data=b"x", mode=0),
    )
    found = []
    for entry in entries:
        target = TARGET / entry.name.decode()
        try:
            await stage.box.put(target, chunks(tars.archive(entry)))
        except SandlotError as error:
            found.append(Finding(f"{entry.name.decode()}", False, f"refused: {error}"[:200]))
    result = await collect(stage.box, shell("find target -type f -printf '%m %U %T@ %p\\n'; id -u"))
    *lines, user = result.text.split("\n")[:-1]
    for line in lines:
        mode, owner, when, path = line.split(" ", 3)
        odd = int(mode, 8) & 0o7000 or owner != user or not 0 <= float(when) <= 2**33
        found.append(Finding(f"metadata of {path}", bool(odd), line))
    return outcome.plus(*found)


async def metadata_kept(stage: Stage) -> Outcome:
    """Control of Z07: a plain extraction keeps the set-uid bit."""
    data = tars.archive(tars.Entry(b"set-uid", data=b"x", mode=0o6755))
    return await stage.attack("archives_careless:metadata", archives=[base64.b64encode(data).decode()])


async def zeros(stage: Stage) -> Outcome:
    """Z08: refused for its size or for want of room, without our memory growing."""
    outcome = await _prepared(stage)
    before = leaks.resident()
    found = [await _refusal(stage, "10 GB of zeros", tars.zeros_bomb(10 * 2**30))]
    nested = gzip.compress(b"".join(tars.zeros_bomb(512 * _MIB)))
    found.append(await _refusal(stage, "a bomb in a bomb", nested))
    grown = leaks.resident() - before
    found += [Finding("our memory grew", grown > 32 * _MIB, f"{grown} bytes"), await _untouched(stage)]
    return outcome.plus(*found)


async def zeros_unbounded(stage: Stage) -> Outcome:
    """Control of Z08: an extraction without rules fills the workspace."""
    data = b"".join(tars.zeros_bomb(16 * _MIB))
    return await stage.attack("archives_careless:bomb", archives=[base64.b64encode(data).decode()])


async def million(stage: Stage) -> Outcome:
    """Z09: refused at the bound; nothing of it stays."""
    outcome = await _prepared(stage)
    taken = 0

    def members() -> Iterator[bytes]:
        nonlocal taken
        for piece in tars.many(1_000_000):
            taken += len(piece) // tars.BLOCK
            yield piece

    refused = await _refusal(stage, "a million members", members(), _LONG_HANG)
    found = Finding("far more than the bound was taken", taken > _MOST_TAKEN, f"{taken} members")
    return outcome.plus(refused, found, await _untouched(stage))


async def download(stage: Stage) -> Outcome:
    """Z15: an archive of safe members only, that our own rules would take again."""
    traps = await stage.attack("files_inside:plant_links")
    odd = await stage.attack("files_inside:plant_odd_files")
    await collect(
        stage.box, shell("rm -f sparse; touch \"$(printf 'bad\\377name')\" \"$(printf 'new\\nline')\"")
    )
    data = await drain(stage.box.get(PurePosixPath("/workspace")))
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        members = opened.getmembers()
        contents = [opened.extractfile(member) for member in members if member.isreg()]
        read = b"".join(content.read() for content in contents if content)
    bad = [m.name for m in members if not (m.isreg() or m.isdir() or m.issym()) or m.mode & 0o7000]
    out = [
        m.name for m in members if m.issym() and (m.linkname.startswith("/") or ".." in m.linkname.split("/"))
    ]
    climbing = [m.name for m in members if m.name.startswith("/") or ".." in m.name.split("/")]
    return Outcome(traps.alive and odd.alive, traps.finished and odd.finished, odd.findings, odd.result).plus(
        Finding("odd members", bool(bad), str(bad)),
        Finding("links out", bool(out), str(out)),
        Finding("names that climb", bool(climbing), str(climbing)),
        Finding("a target was read", b":x:" in read or stage.canaries.seen_in(read)),
        Finding("honest files are missing", b"set-uid" not in read, f"{len(members)} members"),
    )


async def download_carelessly(stage: Stage) -> Outcome:
    """Control of Z15: a plain archive keeps set-uid bits, FIFOs and links out."""
    return await stage.attack("archives_careless:pack")
