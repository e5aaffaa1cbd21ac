"""The registry on disk: what it keeps, what it refuses, and that one process has it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.contracts.errors import Conflict, InvalidSpec, SandlotError, StartFailed
from sandlot.contracts.lease import Ending, EndReason, State
from sandlot.sandboxes.claim import LOCK, claim
from sandlot.sandboxes.record import Record
from sandlot.sandboxes.registry import MemoryRegistry, Registry
from sandlot.sandboxes.sqlite import DATABASE, MIGRATIONS, SqliteRegistry
from tests.unit.sandboxes.house import record

Open = Callable[[], Awaitable[Registry]]


async def _memory() -> Registry:
    return MemoryRegistry()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return _memory if request.param == "memory" else lambda: SqliteRegistry.open(tmp_path)


def by_key(records: tuple[Record, ...]) -> dict[str, Record]:
    return {each.key: each for each in records}


def test_what_was_saved_last_is_remembered(opened: Open) -> None:
    async def work() -> None:
        registry = await opened()
        one, two = record(), record(name="two")
        await asyncio.gather(registry.save(one), registry.save(two))
        changed = [replace(one, state=state) for state in (State.RUNNING, State.STOPPED) * 20]
        await asyncio.gather(*map(registry.save, changed))
        assert by_key(await registry.load()) == {one.key: changed[-1], two.key: two}
        await registry.forget([two.key, "unknown"])
        await registry.forget([])
        assert by_key(await registry.load()) == {one.key: changed[-1]}
        await registry.close()
        await registry.close()

    asyncio.run(work())


def test_the_next_one_reads_what_the_last_one_wrote(tmp_path: Path) -> None:
    kept = replace(record(), ending=Ending(EndReason.SHUTDOWN, 1.5, "\N{SNOWMAN}"))

    async def write() -> None:
        registry = await SqliteRegistry.open(tmp_path)
        await registry.save(kept)
        await registry.close()

    async def read() -> tuple[Record, ...]:
        registry = await SqliteRegistry.open(tmp_path)
        try:
            return await registry.load()
        finally:
            await registry.close()

    threads = threading.active_count()
    asyncio.run(write())
    assert asyncio.run(read()) == (kept,)
    assert threading.active_count() == threads


def test_its_files_are_nobody_elses_to_read(tmp_path: Path) -> None:
    async def work() -> None:
        registry = await SqliteRegistry.open(tmp_path)
        await registry.save(record())
        modes.update({name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)})
        await registry.close()

    modes: dict[str, int] = {}
    before = os.umask(0)
    try:
        asyncio.run(work())
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {DATABASE, f"{DATABASE}-wal", LOCK} <= set(modes)


def refusal(place: Path) -> SandlotError:
    async def work() -> None:
        registry = await SqliteRegistry.open(place)
        try:
            await registry.load()
        finally:
            await registry.close()

    with pytest.raises(SandlotError) as caught:
        asyncio.run(work())
    return caught.value


def make(place: Path) -> Path:
    """A registry with a record in it."""

    async def work() -> None:
        registry = await SqliteRegistry.open(place)
        await registry.save(record())
        await registry.close()

    asyncio.run(work())
    return place / DATABASE


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(make(tmp_path))) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    error = refusal(tmp_path)
    assert isinstance(error, Conflict)
    assert "newer sandlot (schema 2, this one knows 1)" in error.message


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"precious" * 1000)
    error = refusal(tmp_path)
    assert isinstance(error, Conflict)
    assert "is damaged or no registry of sandlot" in error.message
    assert (tmp_path / DATABASE).read_bytes() == b"precious" * 1000


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[4096:8192] = b"\xff" * 4096
    path.write_bytes(damaged)
    assert "is damaged" in refusal(tmp_path).message


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with closing(sqlite3.connect(make(tmp_path))) as database:
        database.execute("INSERT INTO sandboxes VALUES ('strange', '{}')")
        database.commit()
    assert "the record strange cannot be read: field" in refusal(tmp_path).message


def test_a_database_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        registry = await SqliteRegistry.open(tmp_path)
        connection = registry._database
        await registry._do(lambda: connection.execute("PRAGMA query_only = ON"))
        try:
            with pytest.raises(StartFailed, match=DATABASE):
                await registry.save(record())
        finally:
            await registry.close()
        with pytest.raises(Conflict, match="closed"):
            await registry.save(record())

    asyncio.run(work())


@pytest.mark.parametrize("name", [DATABASE, LOCK])
def test_a_link_in_place_of_a_file_of_ours_is_not_followed(tmp_path: Path, name: str) -> None:
    place = tmp_path / "state"
    place.mkdir()
    (place / name).symlink_to(tmp_path / "elsewhere")
    assert isinstance(refusal(place), InvalidSpec)
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_server_is_told_who_has_the_directory(tmp_path: Path) -> None:
    held = claim(tmp_path / "new" / "deep")
    try:
        with pytest.raises(Conflict, match=f"running server with pid {os.getpid()}:"):
            claim(tmp_path / "new" / "deep")
    finally:
        held.release()
        held.release()
    claim(tmp_path / "new" / "deep").release()


_HOLD = """
import sys, time
from pathlib import Path
from sandlot.sandboxes.claim import claim
claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_claim_ends_with_a_killed_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert f"pid {holder.pid}:" in refusal(tmp_path).message
        holder.kill()
        holder.wait()
        after = claim(tmp_path)
        assert after.was_interrupted
        after.release()
        last = claim(tmp_path)
        assert not last.was_interrupted
        last.release()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert isinstance(refusal(tmp_path / "file" / "below"), InvalidSpec)
