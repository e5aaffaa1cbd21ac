"""The registry on disk: SQLite behind one thread, so the event loop never waits for a disk.

A commit is in the write-ahead log, that is in the kernel's hands, before `save` returns: it survives
kill -9 of this process. `synchronous=NORMAL` does not wait for the platter: a power cut may lose the last
commits, never the file's integrity (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from sandlot.contracts.errors import Conflict, DiskFull, InvalidSpec, SandlotError, StartFailed

from .claim import Claim, claim
from .codec import record_of, text_of
from .record import Record

Value = TypeVar("Value")
DATABASE = "registry.db"

# user_version counts how many of these a database has had; a change of the schema is one more at the end.
MIGRATIONS = ("CREATE TABLE sandboxes (key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID",)

_PRAGMAS = (
    "busy_timeout = 5000",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "secure_delete = ON",  # variables of sandboxes may be secrets
)
_SAVE = "INSERT INTO sandboxes VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record"


class SqliteRegistry:
    """Implements Registry in a directory of its own; make it with `open`."""

    def __init__(self, directory: Path) -> None:
        """For `open` only."""
        self._path = directory / DATABASE
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, "sandlot-registry")
        self.was_interrupted = False
        self._claim: Claim | None = None
        self._connection: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, directory: Path) -> Self:
        """The registry of *directory*, which is claimed for this process and made when missing.

        Raises Conflict when another server has it or the database is damaged or newer, InvalidSpec when the
        directory cannot be used.
        """
        registry = cls(directory)
        try:
            await registry._do(registry._open)
        except BaseException:
            await registry.close()
            raise
        return registry

    async def load(self) -> tuple[Record, ...]:
        return await self._do(self._load)

    async def save(self, record: Record) -> None:
        text = text_of(record)
        await self._do(lambda: self._database.execute(_SAVE, (record.key, text)))

    async def forget(self, keys: Collection[str]) -> None:
        rows = [(key,) for key in keys]
        await self._do(lambda: self._database.executemany("DELETE FROM sandboxes WHERE key = ?", rows))

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    @property
    def _database(self) -> sqlite3.Connection:
        assert self._connection is not None  # noqa: S101 - `open` hands out no registry without one
        return self._connection

    async def _do(self, work: Callable[[], Value]) -> Value:
        """*work* done in the one thread, in the order of the calls."""
        if self._thread is None:
            raise Conflict("this registry is closed: open it again")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work)
        except sqlite3.Error as cause:
            raise self._told(cause) from cause

    def _open(self) -> None:
        self._claim = claim(self._path.parent)
        self.was_interrupted = self._claim.was_interrupted
        # Made by us first: SQLite would make it as the umask says, and its log gets the database's mode.
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as cause:
            raise InvalidSpec(
                f"{self._path} cannot be opened ({cause.strerror}): choose another data directory"
            ) from cause
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        ((verdict,),) = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise self._damaged(verdict)
        self._migrate(self._connection)

    def _migrate(self, database: sqlite3.Connection) -> None:
        ((version,),) = database.execute("PRAGMA user_version").fetchall()
        if version > len(MIGRATIONS):
            raise Conflict(
                f"{self._path} was written by a newer sandlot (schema {version}, this one knows "
                f"{len(MIGRATIONS)}): upgrade sandlot, or choose another data directory"
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            # One transaction each: after a crash the version and the tables still agree.
            database.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")

    def _load(self) -> tuple[Record, ...]:
        rows = self._database.execute("SELECT key, record FROM sandboxes")
        return tuple(self._read(key, text) for key, text in rows)

    def _close(self) -> None:
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            if self._claim is not None:
                self._claim.release()

    def _read(self, key: str, text: str) -> Record:
        try:
            return record_of(text)
        except InvalidSpec as cause:
            raise self._damaged(f"the record {key} cannot be read: {cause.message}") from cause

    def _told(self, cause: sqlite3.Error) -> SandlotError:
        name = getattr(cause, "sqlite_errorname", "")
        if name == "SQLITE_FULL":
            return DiskFull(f"{self._path} cannot grow ({cause}): free some space")
        if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            return self._damaged(str(cause))
        return StartFailed(f"{self._path} cannot be used ({cause}): see that its disk works and is writable")

    def _damaged(self, how: str) -> Conflict:
        return Conflict(
            f"{self._path} is damaged or no registry of sandlot ({how}): restore it, or move it away "
            "and lose the sandboxes it names"
        )
