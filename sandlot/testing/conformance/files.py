"""Files: every verb of the file interface, and each of its errors; refusal where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import (
    Conflict,
    DiskFull,
    InvalidSpec,
    Misuse,
    NotFound,
    PathEscape,
    Unsupported,
)
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import Limits, SandboxSpec
from sandlot.testing.suite import Suite, collect, files, python, shell

HERE = PurePosixPath("/workspace")


async def once(*pieces: bytes) -> AsyncIterator[bytes]:
    """*pieces* as a stream."""
    for piece in pieces:
        yield piece


async def content(box: Box, path: PurePosixPath, *span: int) -> bytes:
    """What `read` gives of *path*."""
    return b"".join([piece async for piece in files(box).read(path, *span)])


async def names(box: Box, path: PurePosixPath) -> list[str]:
    """The names in a directory, sorted."""
    return sorted([str(entry["name"]) async for entry in files(box).list(path)])


class FileTests(Suite):
    """Single file operations."""

    @pytest.fixture(autouse=True)
    def _offered(self, request: pytest.FixtureRequest) -> None:
        name = request.function.__name__
        mine = name in vars(FileTests) and name != "test_files_are_refused_where_there_are_none"
        if mine and not self.offers(Feature.FILES):
            pytest.skip(f"engine {self.engine_name} has no files: their refusal is tested")

    async def test_files_are_refused_where_there_are_none(self) -> None:
        if self.offers(Feature.FILES):
            return
        async with self.box() as box:
            with pytest.raises((Unsupported, AttributeError)):
                await files(box).stat(HERE)

    async def test_write_then_read(self) -> None:
        data = bytes(range(256)) * 2000
        async with self.box() as box:
            assert await files(box).write(HERE / "file", once(data[:1000], b"", data[1000:])) == len(data)
            assert await content(box, HERE / "file") == data
            assert (await collect(box, shell("wc -c < file"))).text.strip() == str(len(data))

    async def test_read_a_range(self) -> None:
        async with self.box() as box:
            await files(box).write(HERE / "file", once(b"0123456789"))
            assert await content(box, HERE / "file", 3) == b"3456789"
            assert await content(box, HERE / "file", 3, 4) == b"3456"
            assert await content(box, HERE / "file", 8, 40) == b"89"
            assert await content(box, HERE / "file", 99) == b""
            assert await content(box, HERE / "file", 0, 0) == b""
            with pytest.raises(InvalidSpec):
                await content(box, HERE / "file", -1)

    async def test_an_empty_file(self) -> None:
        async with self.box() as box:
            assert await files(box).write(HERE / "empty", once()) == 0
            assert await content(box, HERE / "empty") == b""
            assert (await files(box).stat(HERE / "empty"))["size"] == 0

    async def test_write_replaces_as_a_whole_and_sets_the_mode(self) -> None:
        async with self.box() as box:
            await files(box).write(HERE / "file", once(b"a long first version"))
            await files(box).write(HERE / "file", once(b"short"), mode=0o755)
            assert await content(box, HERE / "file") == b"short"
            assert (await files(box).stat(HERE / "file"))["mode"] & 0o777 == 0o755
            assert await names(box, HERE) == ["file"]

    async def test_a_reader_sees_the_old_file_or_the_new_never_half(self) -> None:
        async def slowly(box: Box) -> AsyncIterator[bytes]:
            yield b"new" * 1000
            seen.append(await content(box, HERE / "file"))
            yield b"new" * 1000

        seen: list[bytes] = []
        async with self.box() as box:
            await files(box).write(HERE / "file", once(b"old"))
            await files(box).write(HERE / "file", slowly(box))
            assert seen == [b"old"]
            assert await content(box, HERE / "file") == b"new" * 2000

    async def test_a_writer_that_fails_leaves_nothing(self) -> None:
        async def breaks() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the source broke")

        async with self.box() as box:
            with pytest.raises(RuntimeError):
                await files(box).write(HERE / "file", breaks())
            async with asyncio.timeout(10):  # over a network the other end notices later
                while await names(box, HERE):
                    pass
            assert (await collect(box, shell("ls -A | wc -l"))).text.strip() == "0"

    async def test_stat_tells_each_kind(self) -> None:
        line = "echo hi > file; mkdir dir; ln -s file link; mkfifo fifo; ln -s nowhere dangling"
        async with self.box() as box:
            await collect(box, shell(line))
            kinds = {name: (await files(box).stat(HERE / name))["kind"] for name in await names(box, HERE)}
            assert kinds == {
                "file": "file", "dir": "directory", "link": "symlink", "fifo": "fifo", "dangling": "symlink"
            }  # fmt: skip
            told = await files(box).stat(HERE / "file")
            assert (told["size"], told["name"]) == (3, "file")
            assert abs(told["mtime"] - time.time()) < 3600
            assert (await files(box).stat(HERE / "link"))["target"] == "file"
            assert (await files(box).stat(HERE))["kind"] == "directory"

    async def test_list_tells_every_entry_once(self) -> None:
        async with self.box() as box:
            await collect(box, python("for n in range(3000): open(f'f{n}', 'w').close()"))
            assert await names(box, HERE) == sorted(f"f{n}" for n in range(3000))

    async def test_mkdir_with_and_without_parents(self) -> None:
        async with self.box() as box:
            await files(box).mkdir(HERE / "a")
            await files(box).mkdir(HERE / "b/c/d", parents=True)
            with pytest.raises(NotFound):
                await files(box).mkdir(HERE / "x/y")
            with pytest.raises(Conflict):
                await files(box).mkdir(HERE / "a")
            assert (await collect(box, shell("test -d a && test -d b/c/d && echo yes"))).stdout == b"yes\n"

    async def test_move_a_file_and_a_directory(self) -> None:
        async with self.box() as box:
            await files(box).write(HERE / "file", once(b"x"))
            await files(box).mkdir(HERE / "dir/sub", parents=True)
            await files(box).move(HERE / "file", HERE / "dir/moved")
            await files(box).move(HERE / "dir", HERE / "other")
            assert await names(box, HERE) == ["other"]
            assert await content(box, HERE / "other/moved") == b"x"
            with pytest.raises(NotFound):
                await files(box).move(HERE / "file", HERE / "again")

    async def test_remove(self) -> None:
        async with self.box() as box:
            await collect(box, shell("echo > file; mkdir empty full; echo > full/x; ln -s full link"))
            for name in ("file", "empty", "link"):
                await files(box).remove(HERE / name)
            with pytest.raises(Conflict):
                await files(box).remove(HERE / "full")
            assert await names(box, HERE) == ["full"]
            await files(box).remove(HERE / "full", recursive=True)
            with pytest.raises(NotFound):
                await files(box).remove(HERE / "full", recursive=True)
            assert await names(box, HERE) == []

    async def test_what_is_not_there_is_not_found(self) -> None:
        async with self.box() as box:
            for action in (files(box).stat(HERE / "no"), content(box, HERE / "no"), names(box, HERE / "no")):
                with pytest.raises(NotFound):
                    await action

    async def test_a_file_is_no_directory_and_the_reverse(self) -> None:
        async with self.box() as box:
            await collect(box, shell("echo > file; mkdir dir"))
            for action in (
                names(box, HERE / "file"),
                content(box, HERE / "dir"),
                content(box, HERE / "file/x"),
            ):
                with pytest.raises(Misuse):
                    await action
            with pytest.raises(Misuse):
                await files(box).write(HERE / "dir", once(b"x"))

    @pytest.mark.parametrize("path", ["/workspace/../etc/passwd", "/etc/passwd", "/workspace/a/../../x", "/"])
    async def test_a_path_that_leads_out_is_refused(self, path: str) -> None:
        async with self.box() as box:
            for action in (
                files(box).stat(PurePosixPath(path)),
                content(box, PurePosixPath(path)),
                files(box).write(PurePosixPath(path), once(b"x")),
                files(box).remove(PurePosixPath(path)),
            ):
                with pytest.raises(PathEscape):
                    await action

    async def test_links_are_not_followed(self) -> None:
        async with self.box() as box:
            await collect(
                box, shell("ln -s /etc/passwd out; mkdir real; ln -s real inside; echo x > real/file")
            )
            for path in ("out", "inside/file"):
                with pytest.raises(Misuse):
                    await content(box, HERE / path)

    async def test_a_fifo_is_refused_at_once(self) -> None:
        async with self.box() as box:
            await collect(box, shell("mkfifo fifo"))
            began = time.monotonic()
            with pytest.raises(Misuse):
                await content(box, HERE / "fifo")
            with pytest.raises(Misuse):
                await files(box).write(HERE / "fifo/x", once(b"x"))
            assert time.monotonic() - began < 5

    async def test_the_temporary_directory_is_reachable_too(self) -> None:
        async with self.box() as box:
            await files(box).write(PurePosixPath("/tmp/file"), once(b"x"))
            assert (await collect(box, shell('cat "$TMPDIR/file"'))).stdout == b"x"

    async def test_a_full_disk_is_said(self) -> None:
        if not self.offers(Feature.LIMIT_DISK):
            pytest.skip(f"engine {self.engine_name} limits no disk here: its refusal is tested")
        async with self.box(SandboxSpec(limits=Limits(disk=Bytes(8 * 2**20)))) as box:
            with pytest.raises(DiskFull):
                await files(box).write(HERE / "big", once(*[bytes(2**20)] * 16))
            assert await names(box, HERE) == []
            assert await files(box).write(HERE / "small", once(b"x")) == 1

    async def test_a_directory_ten_thousand_deep_is_removed(self) -> None:
        # By chains: Landlock walks up from each new directory, so that to walk down takes seconds.
        code = """
import os
chain = "/".join("d" * 100)
os.mkdir("d")
for _ in range(100):
    os.rename("d", "grown")
    os.makedirs(os.path.dirname(chain))
    os.rename("grown", chain)
"""
        async with self.box() as box:
            assert (await collect(box, python(code))).ok
            began = time.monotonic()
            await files(box).remove(HERE / "d", recursive=True)
            assert time.monotonic() - began < 15
            assert await names(box, HERE) == []
