"""How the file cases are played: what the guest lays out, and what the host then does with it."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from pathlib import PurePosixPath
from typing import Any

from sandlot.contracts.engine import Files
from sandlot.contracts.errors import Misuse, SandlotError
from sandlot.contracts.events import Reason
from sandlot.testing.suite import collect, files, shell, stop

from .case import Finding, Outcome
from .stage import Stage

WORKSPACE = PurePosixPath("/workspace")
_SHORT = 5.0


async def one_chunk(data: bytes) -> AsyncIterator[bytes]:
    """*data* as a stream."""
    yield data


async def drain(chunks: AsyncIterable[Any], most: int = 64 * 2**20) -> bytes:
    """The bytes of a stream; more than *most* of them is a finding of its own."""
    kept = bytearray()
    async for chunk in chunks:
        kept += chunk if isinstance(chunk, bytes) else repr(chunk).encode()
        if len(kept) > most:
            raise OverflowError(f"more than {most} bytes came")
    return bytes(kept)


async def refused(
    name: str, action: Awaitable[object], *, harmless: Callable[[object], bool] | None = None
) -> Finding:
    """*action* must raise a SandlotError within a short time, or give what *harmless* accepts."""
    try:
        value = await asyncio.wait_for(action, _SHORT)
    except SandlotError as error:
        return Finding(name, False, f"{error.code}: {error}"[:200])
    except TimeoutError:
        return Finding(name, True, f"no answer within {_SHORT} s")
    if harmless is not None and harmless(value):
        return Finding(name, False, "harmless")
    return Finding(name, True, f"it was done: {value!r:.100}")


def _escaping(stage: Stage) -> tuple[str, ...]:
    canary = "/opt" + str(stage.canaries.secret)  # the canary itself lies where a box has a root of its own
    return (
        "/workspace/../../etc/passwd",
        "/workspace/../etc/passwd",
        "/etc/passwd",
        canary,
        "/workspace/../../.." + canary,
        "/workspace/./../etc/passwd",
        "//etc/passwd",
        "/workspace2",
        "/workspace/../workspace2/x",
        "/proc/self/environ",
        "/workspace/a/../../b",
        "/tmp/../etc/passwd",
        "/dev/null",
        "/",
    )


async def climb(stage: Stage) -> Outcome:
    """F03: every verb of the file interface on every path that leads out."""
    outcome = await stage.attack("files_inside:nothing")
    found = []
    for text in _escaping(stage):
        path = PurePosixPath(text)
        box = files(stage.box)
        inside = WORKSPACE / "inside"
        for name, action in (
            ("stat", box.stat(path)),
            ("read", drain(box.read(path))),
            ("list", drain(box.list(path))),
            ("write", box.write(path, one_chunk(b"x"))),
            ("mkdir", box.mkdir(path, parents=True)),
            ("remove", box.remove(path, recursive=True)),
            ("move out", box.move(inside, path)),
            ("move in", box.move(path, inside)),
            ("put", stage.box.put(path, one_chunk(empty_tar()))),
            ("get", drain(stage.box.get(path))),
        ):
            found.append(await refused(f"{name} {text}", action))
    return outcome.plus(*found)


async def climb_carelessly(stage: Stage) -> Outcome:
    """Control of F03: the same path joined and opened as careless code does, in the box itself."""
    return await stage.attack("files_inside:climb")


def empty_tar() -> bytes:
    """An archive without a member."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w"):
        pass
    return target.getvalue()


async def follow_links(stage: Stage) -> Outcome:
    """F04: links as files, as directories on the way, and as the tree to download."""
    outcome = await stage.attack("files_inside:plant_links")
    found = []
    box = files(stage.box)
    for name in (
        "file",
        "canary",
        "up",
        "chain",
        "loop",
        "proc",
        "directory/passwd",
        "directory/x/../passwd",
    ):
        path = WORKSPACE / name
        found.append(await refused(f"read {name}", drain(box.read(path))))
        found.append(await refused(f"download {name}", drain(stage.box.get(path)), harmless=_holds_no_target))
    found.append(await refused("list through a link", drain(box.list(WORKSPACE / "directory"))))
    found.append(
        await refused("write through a link", box.write(WORKSPACE / "directory/new", one_chunk(b"x")))
    )
    found.append(
        await refused("put through a link", stage.box.put(WORKSPACE / "directory", one_chunk(empty_tar())))
    )
    found.append(
        await refused("move through a link", box.move(WORKSPACE / "directory/passwd", WORKSPACE / "gone"))
    )
    archive = await drain(stage.box.get(WORKSPACE))
    found.append(Finding("the download holds a target", not _holds_no_target(archive), ""))
    for name in ("file", "canary", "directory"):
        await box.remove(WORKSPACE / name)
    check = await collect(
        stage.box, shell("ls -d file canary directory 2>/dev/null; test -s /etc/passwd || echo gone")
    )
    found.append(Finding("deleting a link deleted its target", check.stdout != b"", repr(check.stdout)))
    return outcome.plus(*found)


def _holds_no_target(archive: object) -> bool:
    assert isinstance(archive, bytes)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        contents = [opened.extractfile(member) for member in opened.getmembers() if member.isreg()]
    return all(content is None or b":x:" not in content.read() for content in contents)


async def swap_race(stage: Stage) -> Outcome:
    """F05: a thousand writes through a name that is now a directory, now a link elsewhere."""
    box = files(stage.box)
    events = stage.box.run(stage.command("files_inside:swap"))
    swapping = asyncio.create_task(_outcome_of_events(stage, events))
    try:
        await _appears(box, WORKSPACE / "link")
        for number in range(1000):
            try:
                await box.write(WORKSPACE / f"flip/file-{number}", one_chunk(b"x"))
            except SandlotError:
                continue
        await box.write(WORKSPACE / "stop", one_chunk(b""))
        return await swapping
    finally:
        swapping.cancel()
        await stop(events)


async def _appears(box: Files, path: PurePosixPath) -> None:
    """Return once *path* is there: the guest makes it when it is ready."""
    while True:
        try:
            await box.stat(path)
        except Misuse:
            continue
        return


async def _outcome_of_events(stage: Stage, events: Any) -> Outcome:
    from sandlot.contracts.result import fold

    from .stage import outcome_of

    kept = [event async for event in events]
    result = fold(kept, engine=stage.box.engine, isolation=stage.box.isolation, enforced=stage.box.enforced)
    return outcome_of(result, stage.nonce)


async def odd_files(stage: Stage) -> Outcome:
    """F08: nothing hangs, nothing endless is sent, and what is downloaded has lost its set-uid bits."""
    outcome = await stage.attack("files_inside:plant_odd_files")
    box = files(stage.box)
    found = [await refused(f"read {name}", drain(box.read(WORKSPACE / name))) for name in ("fifo", "socket")]
    found.append(
        await refused("read 1 TiB", drain(box.read(WORKSPACE / "sparse", 0, 1024)), harmless=lambda _: True)
    )
    found.append(
        await refused("download a FIFO", drain(stage.box.get(WORKSPACE / "fifo")), harmless=_is_small)
    )
    found.append(await refused("download 1 TiB", drain(stage.box.get(WORKSPACE)), harmless=_is_small))
    await collect(stage.box, shell("rm -f sparse"))
    archive = await drain(stage.box.get(WORKSPACE))
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        odd = [
            m.name
            for m in opened.getmembers()
            if m.mode & 0o7000 or not (m.isreg() or m.isdir() or m.issym())
        ]
        names = opened.getnames()
    found.append(Finding("odd members in a download", bool(odd), f"{odd} of {names}"))
    found.append(
        Finding("the plain file is missing", not any(n.endswith("set-uid") for n in names), str(names))
    )
    return outcome.plus(*found)


def _is_small(archive: object) -> bool:
    return isinstance(archive, bytes) and len(archive) < 2**20


async def open_fifo_carelessly(stage: Stage) -> Outcome:
    """Control of F08: an open that does not think of FIFOs waits until the timeout."""
    outcome = await stage.attack("files_inside:careless_fifo", timeout=0.5)
    hung = outcome.result is not None and outcome.result.reason is Reason.TIMEOUT
    return outcome.plus(Finding("a plain open hangs", hung))
