"""How the other file cases are played: names, depth, other boxes, and what is left behind."""

from __future__ import annotations

import asyncio
import io
import secrets
import tarfile
from pathlib import PurePosixPath

from sandlot.contracts.spec import Mount, SandboxSpec
from sandlot.testing.suite import collect, files, shell

from .case import Finding, Outcome, Play
from .filesystem_plays import WORKSPACE, drain, empty_tar, one_chunk, refused
from .stage import Stage

_BOUNDED = 10.0
"""Seconds within which a tree is removed, whatever a program made of it."""

_NAMES = (
    "new\nline",
    "-rf",
    "é" * 127,
    "x" * 255,
    "\u202egnp.exe",
    "CON",
    " leading",
    "trailing ",
    "a'b\"c",
    "$(id)",
    "*",
    "\x7f\x1b[31m",
    "漢字",
    "\U0001f600",
    "a\\b",
    "%2e%2e",
    "...",
    "~",
    "nul\u2400",
)
_REFUSED_NAMES = ("a\0b", "x" * 256, "..", "", ".", "\udcff")


async def odd_names(stage: Stage) -> Outcome:
    """F09: a name comes back as it went in, or is refused; none becomes another."""
    outcome = await stage.attack("files_inside:nothing")
    box = files(stage.box)
    found = []
    for name in _NAMES:
        path = WORKSPACE / "names" / name
        await box.mkdir(WORKSPACE / "names", parents=True)
        await box.write(path, one_chunk(name.encode()))
        listed = [entry["name"] async for entry in box.list(WORKSPACE / "names")]
        content = await drain(box.read(path))
        await box.remove(path)
        found.append(
            Finding(f"name {name!r:.30}", listed != [name] or content != name.encode(), f"{listed!r:.80}")
        )
    for name in _REFUSED_NAMES:
        path = PurePosixPath(f"/workspace/names/{name}")
        if path == WORKSPACE / "names":  # PurePosixPath itself drops the empty name and the dot
            continue
        found.append(await refused(f"write {name!r:.30}", box.write(path, one_chunk(b"x"))))
    made = await collect(stage.box, shell("cd names && touch \"$(printf 'bad\\377name')\""))
    listed = [entry["name"] async for entry in box.list(WORKSPACE / "names")]
    found.append(Finding("an undecodable name is lost", not made.ok or len(listed) != 1, f"{listed!r}"))
    await box.remove(WORKSPACE / "names", recursive=True)
    return outcome.plus(*found)


async def deep(stage: Stage) -> Outcome:
    """F10: the tree is deleted in bounded time by the interface; another is left for the box's end."""
    outcome = await stage.attack("files_inside:dig", depth=10_000)
    box = files(stage.box)
    await asyncio.wait_for(box.remove(WORKSPACE / "deep", recursive=True), _BOUNDED)
    listed = [entry["name"] async for entry in box.list(WORKSPACE)]
    again = await stage.attack("files_inside:dig", depth=2000)
    gone = Finding("the deep tree is still there", "deep" in listed, str(listed))
    return outcome.plus(gone, *again.findings)


async def set_uid(stage: Stage) -> Outcome:
    """F11: no effect inside, and the bits are gone from a download."""
    outcome = await stage.attack("files_inside:set_uid")
    archive = await drain(stage.box.get(WORKSPACE))
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        kept = [member.name for member in opened.getmembers() if member.mode & 0o7000]
    return outcome.plus(Finding("set-uid bits in a download", bool(kept), str(kept)))


async def other_box(stage: Stage) -> Outcome:
    """F13: a second box of the same engine leaves marks everywhere while the first looks for them."""
    mark = secrets.token_hex(12)
    other = await stage.engine.create(SandboxSpec())
    try:
        left = await Stage(other, stage.engine, stage.canaries).attack("files_outside:leave_marks", mark=mark)
        outcome = await stage.attack("files_outside:find_marks", mark=mark)
    finally:
        await other.close()
    return outcome.plus(_was_left(left))


async def next_box(stage: Stage) -> Outcome:
    """F14: the box is closed, and the next one looks."""
    mark = secrets.token_hex(12)
    left = await stage.attack("files_outside:leave_marks", mark=mark)
    await stage.box.close()
    following = await stage.engine.create(SandboxSpec())
    try:
        outcome = await Stage(following, stage.engine, stage.canaries).attack(
            "files_outside:find_marks", mark=mark
        )
    finally:
        await following.close()
    return outcome.plus(_was_left(left))


async def same_box(stage: Stage) -> Outcome:
    """Control of F13 and F14: in the same box the marks are found."""
    mark = secrets.token_hex(12)
    left = await stage.attack("files_outside:leave_marks", mark=mark)
    outcome = await stage.attack("files_outside:find_marks", mark=mark)
    return outcome.plus(_was_left(left))


def _was_left(left: Outcome) -> Finding:
    marked = [finding.name for finding in left.findings if finding.seen == "marked"]
    if not (left.finished and marked):
        raise AssertionError(f"no mark was left anywhere, so finding none means nothing: {left}")
    return Finding("marks were left", False, ", ".join(marked))


async def closed_tree(stage: Stage) -> Outcome:
    """F16: deleting works all the same, by the interface and at the box's end."""
    outcome = await stage.attack("files_inside:close_everything")
    box = files(stage.box)
    await asyncio.wait_for(box.remove(WORKSPACE / "closed", recursive=True), _BOUNDED)
    listed = [entry["name"] async for entry in box.list(WORKSPACE)]
    await stage.attack("files_inside:close_everything")
    return outcome.plus(Finding("the closed tree is still there", "closed" in listed, str(listed)))


async def poison(stage: Stage) -> Outcome:
    """F17: every verb of the agent and another program's start, with poison lying around."""
    await stage.attack("files_inside:poison")
    for command in (shell("true"), stage.command("files_inside:nothing")):
        await collect(stage.box, command)
    await drain(stage.box.get(WORKSPACE))
    await stage.box.put(WORKSPACE / "put", one_chunk(empty_tar()))
    return await stage.attack("files_inside:poisoned")


def host_shown(program: str) -> Play:
    """Control of what is outside: a box that is shown the canaries' directory plays *program* on it."""

    async def run(stage: Stage) -> Outcome:
        shown = PurePosixPath("/mnt/host")
        mount = Mount(str(stage.canaries.directory), shown, writable=True)
        box = await stage.engine.create(SandboxSpec(mounts=(mount,)))
        try:
            facts = {name: str(shown / file) for name, file in _SHOWN}
            return await Stage(box, stage.engine, stage.canaries).attack(program, facts)
        finally:
            await box.close()

    return run


_SHOWN = (("canary", "secret"), ("writable", "writable"), ("open_to_all", "open-to-all"))
