"""Files of a sandbox: single ones, watched directories, and whole trees as archives."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Dict, List, Mapping, Optional, Tuple

from sandlot.contracts.errors import ConnectionLost, InvalidSpec
from sandlot.contracts.events import Failed
from sandlot.contracts.result import error_of
from sandlot.wire.entries import change_from, entries_from, entry_from
from sandlot.wire.events import NDJSON, EventReader
from sandlot.wire.fields import Fields
from sandlot.wire.http import Head

from .exchange import (
    WORKING,
    Ask,
    Flow,
    Pieces,
    Stream,
    accepted,
    asking,
    sandbox_target,
    streaming,
    understood,
    value_of,
)

_OCTETS = "application/octet-stream"
_TAR = "application/x-tar"


def stat(sandbox: str, path: PurePosixPath) -> Flow[Mapping[str, Any]]:
    """One file, link or directory itself."""
    answer = yield Ask(asking("GET", _target(sandbox, "stat", path)))
    return value_of(accepted(answer, 200), entry_from)


def entries(sandbox: str, path: PurePosixPath) -> Flow[Tuple[Mapping[str, Any], ...]]:
    """What is in a directory."""
    answer = yield Ask(asking("GET", _target(sandbox, "list", path)))
    return value_of(accepted(answer, 200), entries_from)


def content(
    sandbox: str, path: PurePosixPath, offset: int = 0, length: Optional[int] = None
) -> Stream[bytes]:
    """*length* bytes of a regular file from *offset*; the rest of it for None."""
    if offset < 0 or (length is not None and length < 0):
        raise InvalidSpec(f"offset {offset} and length {length} count bytes: use 0 or more")
    request = asking("GET", _target(sandbox, "content", path), accept=_OCTETS)
    if offset or length is not None:
        # A range of no bytes cannot be asked for (RFC 9110, 14.1.1): one byte is, and dropped.
        last = "" if length is None else str(offset + max(length, 1) - 1)
        request = replace(request, headers={**request.headers, "Range": f"bytes={offset}-{last}"})
    # 416: the file ends before the offset.
    return Stream(request, lambda head: _Slice(head, offset, length), accepted=(200, 206, 416))


def write(sandbox: str, path: PurePosixPath, mode: int = 0o644) -> Flow[int]:
    """Replace a regular file by the content that the caller streams; the bytes written."""
    query = [("path", str(path)), ("mode", f"{mode & 0o7777:04o}")]
    answer = yield streaming("PUT", sandbox_target(sandbox, "files", "content", query=query), _OCTETS)
    return value_of(accepted(answer, 200), lambda value: Fields(value).count("bytes"))


def mkdir(sandbox: str, path: PurePosixPath, *, parents: bool = False) -> Flow[None]:
    """Make a directory."""
    told: Dict[str, Any] = {"path": str(path), "parents": parents}
    accepted((yield Ask(asking("POST", sandbox_target(sandbox, "files", "mkdir"), told))), 204)


def move(sandbox: str, path: PurePosixPath, to: PurePosixPath) -> Flow[None]:
    """Rename within the sandbox."""
    told = {"path": str(path), "to": str(to)}
    accepted((yield Ask(asking("POST", sandbox_target(sandbox, "files", "move"), told))), 204)


def remove(sandbox: str, path: PurePosixPath, *, recursive: bool = False) -> Flow[None]:
    """Remove a file or directory."""
    query = [("path", str(path)), ("recursive", _flag(recursive))]
    request = asking("DELETE", sandbox_target(sandbox, "files", query=query))
    accepted((yield Ask(request, patience=WORKING)), 204)


def watch(sandbox: str, path: PurePosixPath, *, recursive: bool = False) -> Stream[Mapping[str, Any]]:
    """Changes beneath *path* as they happen, until the caller has enough."""
    query = [("path", str(path)), ("recursive", _flag(recursive))]
    where = sandbox_target(sandbox, "files", "watch", query=query)
    return Stream(asking("GET", where, accept=NDJSON), _Changes)


def upload(sandbox: str, path: PurePosixPath) -> Flow[None]:
    """Unpack the tar archive that the caller streams under *path*: all of it or nothing."""
    where = sandbox_target(sandbox, "files", "upload", query=[("dest", str(path))])
    answer = yield streaming("POST", where, _TAR)
    accepted(answer, 200)


def download(sandbox: str, path: PurePosixPath) -> Stream[bytes]:
    """The gzipped tar archive of *path*."""
    where = sandbox_target(sandbox, "files", "download", query=[("src", str(path))])
    return Stream(asking("GET", where, accept=_TAR), Pieces)


class _Slice:
    """The bytes asked for, also from a server that pays no heed to ranges."""

    is_complete = False

    def __init__(self, head: Head, offset: int, length: Optional[int]) -> None:
        self._skip = offset if head.status == 200 else 0
        self._left = 0 if head.status == 416 else length

    def feed(self, data: bytes) -> List[bytes]:
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        wanted = data[skipped:] if self._left is None else data[skipped : skipped + self._left]
        if self._left is not None:
            self._left -= len(wanted)
            self.is_complete = not self._left
        return [wanted] if wanted else []

    def finish(self) -> None:
        """An end before *length* is the file's own."""


class _Changes:
    """Understands the events of a watch; a server that ends it tells why in a last one."""

    is_complete = False

    def __init__(self, _head: Head) -> None:
        self._reader = EventReader()

    def feed(self, data: bytes) -> List[Mapping[str, Any]]:
        found: List[Mapping[str, Any]] = []
        for received in understood(lambda: self._reader.feed(data)):
            if isinstance(received.event, Failed):
                raise error_of(received.event)
            if received.fields.get("event") == "change":
                found.append(received.fields)
        return [understood(partial(change_from, fields)) for fields in found]

    def finish(self) -> None:
        raise ConnectionLost("the server ended the watch: watch anew, and list to see what was missed")


def _target(sandbox: str, verb: str, path: PurePosixPath) -> str:
    return sandbox_target(sandbox, "files", verb, query=[("path", str(path))])


def _flag(value: bool) -> str:
    return "true" if value else "false"
