"""The file of API keys: written whole and atomically under a lock, noticed by the server when it changes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sandlot.contracts.errors import InvalidSpec, NotFound

from .keys import Key, key_from, opened

_log = logging.getLogger(__name__)
_VERSION = 1


class KeyRing:
    """The keys in a file. Reading never raises: a file that cannot be trusted opens nothing."""

    def __init__(self, path: Path) -> None:
        """Look at *path*, which need not exist."""
        self.path = path
        self._signature: tuple[int, ...] | None = None
        self._keys: dict[str, Key] = {}
        self._is_closed = False

    @property
    def is_in_use(self) -> bool:
        """Whether there is a key, were it revoked, or a file that hides whether there is one."""
        self._refresh()
        return bool(self._keys) or self._is_closed

    def opened(self, token: str, now: float) -> Key | None:
        """The valid key that *token* is."""
        self._refresh()
        return opened(token, self._keys, now)

    def all(self) -> tuple[Key, ...]:
        """Every key, oldest first. Raises InvalidSpec for a file that cannot be trusted."""
        return tuple(sorted(_read(self.path).values(), key=lambda key: (key.created, key.id)))

    def add(self, key: Key) -> None:
        """Keep *key*. Raises InvalidSpec for a place or a file that cannot be trusted."""
        with _changing(self.path) as keys:
            keys[key.id] = key

    def revoke(self, key_id: str, now: float) -> Key:
        """Let a key open nothing from *now* on. Raises NotFound."""
        with _changing(self.path) as keys:
            if key_id not in keys:
                raise NotFound(f"there is no key {key_id!r}: see sandlot key list")
            key = keys[key_id]
            keys[key_id] = Key(**{**vars(key), "revoked": key.revoked or now})
            return keys[key_id]

    def _refresh(self) -> None:
        signature = _signature(self.path)
        if signature == self._signature:
            return
        # Closed until it was read: whatever reading raises, this file is not looked at again.
        self._signature, self._keys, self._is_closed = signature, {}, True
        try:
            self._keys, self._is_closed = _read(self.path), False
        except InvalidSpec as error:
            _log.error("%s; no key is accepted until that is mended", error.message)


class NoKeys(KeyRing):
    """A ring that opens nothing, for a server that has no keys."""

    def __init__(self) -> None:
        """There is no file."""
        super().__init__(Path(os.devnull))

    def _refresh(self) -> None:
        """There is nothing to be noticed."""


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when the file does: it is replaced, so at least its inode or its times."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def _read(path: Path) -> dict[str, Key]:
    try:
        with open(path, "rb", opener=_without_links) as file:
            _trust(os.fstat(file.fileno()), f"the file of keys {path}", 0o077)
            value = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as cause:
        raise InvalidSpec(f"the file of keys {path} cannot be read: {type(cause).__name__}") from cause
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        raise InvalidSpec(f"the file of keys {path} is not of version {_VERSION}: restore it")
    keys = value.get("keys", [])
    if not isinstance(keys, list):
        raise InvalidSpec(f"the file of keys {path} holds no list of keys: restore it")
    return {key.id: key for key in map(key_from, keys)}


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)


def _trust(found: os.stat_result, what: str, forbidden: int) -> None:
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & forbidden:
        owner, mode = found.st_uid, stat.S_IMODE(found.st_mode)
        raise InvalidSpec(f"{what} is of uid {owner} with mode {mode:04o}: others could change or read it")


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Key]]:
    """The keys, to be changed in the block and then written whole."""
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    _trust(os.stat(folder), f"the directory of keys {folder}", 0o022)
    lock = os.open(folder / "keys.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = _read(path)
        yield keys
        _write(path, {"version": _VERSION, "keys": [key.to_json() for key in keys.values()]})
    finally:
        os.close(lock)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    """Replace the file: readers see the old one or the new one, and a crash leaves one of them."""
    descriptor, name = tempfile.mkstemp(prefix=".keys-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise
