"""Archives: whole trees in and out, all or nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import InvalidSpec, Misuse, NotFound, PathEscape
from sandlot.contracts.events import Reason
from sandlot.testing import tars
from sandlot.testing.suite import Suite, collect, python, shell

HERE = PurePosixPath("/workspace")
TREE = {
    "a.txt": b"one",
    "dir/b.bin": bytes(range(256)) * 1000,
    "dir/sub/é 漢.txt": b"",
    "x" * 150 + "/" + "y" * 150: b"z",
}


async def pieces(data: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    """*data* as an upload comes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def contents(box: Box, path: PurePosixPath = HERE) -> dict[str, bytes]:
    """The regular files of a download, by name."""
    data = b"".join([piece async for piece in box.get(path)])
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for member in opened.getmembers():
            file = opened.extractfile(member) if member.isreg() else None
            if file is not None:
                found[member.name] = file.read()
    return found


class ArchiveTests(Suite):
    """put and get."""

    @pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
    async def test_what_was_put_comes_back(self, packed: bool) -> None:
        data = tars.honest_by_library(TREE)
        async with self.box() as box:
            await box.put(HERE / "in", pieces(data if packed else gzip.decompress(data)))
            back = await contents(box, HERE / "in")
        assert {name.removeprefix("in/"): text for name, text in back.items()} == TREE

    async def test_programs_see_what_was_put(self) -> None:
        async with self.box() as box:
            await box.put(
                HERE,
                pieces(tars.honest_by_library({"main.py": b"print(open('data').read())", "data": b"42"})),
            )
            assert (await collect(box, shell("python3 main.py"))).stdout == b"42\n"

    async def test_put_adds_to_what_is_there(self) -> None:
        async with self.box() as box:
            await collect(box, shell("echo old > old; mkdir dir; echo old > dir/old"))
            await box.put(HERE, pieces(tars.plain("new", "dir/new")))
            assert set(await _plain(box)) == {"old", "new", "dir/old", "dir/new"}

    async def test_get_of_a_file_and_of_an_empty_directory(self) -> None:
        async with self.box() as box:
            await collect(box, shell("echo x > file; mkdir empty"))
            assert list((await contents(box, HERE / "file")).values()) == [b"x\n"]
            assert await contents(box, HERE / "empty") == {}

    async def test_get_of_nothing_is_not_found(self) -> None:
        async with self.box() as box:
            with pytest.raises(NotFound):
                await contents(box, HERE / "nowhere")

    @pytest.mark.parametrize("case", sorted(tars.REFUSED))
    async def test_a_refused_archive_leaves_nothing(self, case: str) -> None:
        async with self.box() as box:
            await collect(box, shell("echo kept > kept"))
            for name, data in tars.REFUSED[case]:
                with pytest.raises(Misuse):
                    await box.put(HERE, pieces(data))
                assert await contents(box) == {next(iter(await contents(box))): b"kept\n"}, name
            assert (await collect(box, shell("ls -A"))).stdout == b"kept\n"

    async def test_a_refused_archive_says_so(self) -> None:
        async with self.box() as box:
            with pytest.raises(InvalidSpec, match="archive"):
                await box.put(HERE, pieces(tars.archive(tars.Entry(b"../x", data=b"x"))))

    @pytest.mark.parametrize("path", ["/etc", "/workspace/../etc", "/"])
    async def test_a_path_that_leads_out_is_refused(self, path: str) -> None:
        async with self.box() as box:
            with pytest.raises(PathEscape):
                await box.put(PurePosixPath(path), pieces(tars.plain("a")))
            with pytest.raises(PathEscape):
                await contents(box, PurePosixPath(path))

    async def test_an_upload_that_breaks_leaves_nothing(self) -> None:
        async def breaks() -> AsyncIterator[bytes]:
            yield tars.plain("a", "b")[:1024]
            raise RuntimeError("the client went away")

        async with self.box() as box:
            with pytest.raises(RuntimeError):
                await box.put(HERE, breaks())
            # A server learns of it by the end of the connection, which may come a moment later.
            deadline = time.monotonic() + (10 if self.engine_name == "remote" else 0)
            while (left := (await collect(box, shell("ls -A"))).stdout) and time.monotonic() < deadline:
                pass
            assert left == b""

    async def test_a_fifo_and_links_out_do_not_hold_up_a_download(self) -> None:
        async with self.box() as box:
            await collect(box, shell("mkfifo fifo; ln -s /etc/passwd out; ln -s loop loop; echo x > file"))
            assert set(await _plain(box)) == {"file"}

    async def test_links_swapped_while_a_download_runs_lead_nowhere(self) -> None:
        code = """
import os
os.mkdir('real'); open('real/file', 'w').write('inside'); os.symlink('/etc', 'link')
for _ in range(20000):
    for name in ('real', 'link'): os.rename(name, 'swapped'); os.rename('swapped', name)
"""
        async with self.box() as box:
            events = box.run(python(code))
            await anext(events)
            for _ in range(20):
                assert all(b"root:" not in data for data in (await contents(box)).values())
            async for event in events:
                assert getattr(event, "reason", Reason.EXITED) is Reason.EXITED

    async def test_a_larger_tree_makes_the_round(self) -> None:
        tree = {f"d{number % 50}/f{number}": b"x" * (number % 700) for number in range(2000)}
        tree["big"] = b"0123456789abcdef" * (2**20)
        async with self.box() as box:
            await box.put(HERE / "in", pieces(tars.honest_by_library(tree), 60_000))
            back = await contents(box, HERE / "in")
        assert {name.removeprefix("in/"): data for name, data in back.items()} == tree


async def _plain(box: Box) -> list[str]:
    """Names of a download of the workspace, relative to it."""
    return [name.removeprefix("workspace/").removeprefix("./") for name in await contents(box)]
