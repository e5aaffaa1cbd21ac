"""Watching: changes as they happen, or a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, cast

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.engine import Box, FileWatch
from sandlot.contracts.errors import NotFound, Unsupported
from sandlot.testing.suite import Suite, collect, shell

HERE = PurePosixPath("/workspace")


def watching(box: Box) -> FileWatch:
    """The box's watch; ask only where Feature.FILE_WATCH is offered."""
    return cast("FileWatch", box)


class WatchTests(Suite):
    """What happens beneath a directory."""

    async def test_changes_are_told_or_watching_is_refused(self) -> None:
        async with self.box() as box:
            if not self.offers(Feature.FILE_WATCH):
                with pytest.raises((Unsupported, AttributeError)):
                    await anext(aiter(watching(box).watch(HERE)))
                return
            await collect(box, shell("echo 1 > old; echo 1 > gone"))
            line = "echo 1 > new; echo 2 >> old; rm gone; mv new named"
            wanted = {("new", "created"), ("old", "modified"), ("gone", "deleted")}
            assert wanted <= {(name, kind) for name, kind in await _seen(box, line, wanted)}

    async def test_recursive_watching_sees_new_directories(self) -> None:
        if not self.offers(Feature.FILE_WATCH):
            pytest.skip("refused above")
        async with self.box() as box:
            await collect(box, shell("mkdir -p a/b"))
            wanted = {("a/b/deep", "created")}
            assert wanted <= await _seen(box, "echo > a/b/deep", wanted, recursive=True)

    async def test_watching_what_is_not_there_is_not_found(self) -> None:
        if not self.offers(Feature.FILE_WATCH):
            pytest.skip("refused above")
        async with self.box() as box:
            with pytest.raises(NotFound):
                await anext(aiter(watching(box).watch(HERE / "nowhere")))


async def _seen(
    box: Box, line: str, wanted: set[tuple[str, str]], *, recursive: bool = False
) -> set[tuple[str, str]]:
    """Name and kind of the changes, until *wanted* have come; *line* is run again until the watch is up."""
    seen: set[tuple[str, str]] = set()

    async def follow() -> None:
        async for change in watching(box).watch(HERE, recursive=recursive):
            seen.add(_short(change))
            if wanted <= seen:
                return

    following = asyncio.create_task(follow())
    while not following.done():
        await collect(box, shell(f"echo 1 > gone; {line}; rm -f named a/b/deep"))
        await asyncio.wait([following], timeout=0.05)
    await following
    return seen


def _short(change: Mapping[str, Any]) -> tuple[str, str]:
    return str(PurePosixPath(change["path"]).relative_to(HERE)), str(change["kind"])
