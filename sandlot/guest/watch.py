"""`watch`: changes below a directory, by inotify(7), until the host cancels.

A flood of changes is told no faster than the host can be expected to take: what happens twice within a tenth
of a second is told once, and what exceeds the rate is told as one "modified" of the watched directory.
"""

from __future__ import annotations

import os
import struct

from ..walls import syscalls
from . import refusal
from .beneath import DIRECTORY
from .files import HIDDEN
from .loop import READ
from .refusal import Refusal, from_os
from .streams import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional, Tuple

    from .beneath import Roots
    from .loop import Loop
    from .streams import Stream

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x002, 0x004, 0x008
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x040, 0x080, 0x100, 0x200
_DELETE_SELF, _OVERFLOW, _IGNORED, _IS_DIRECTORY = 0x400, 0x4000, 0x8000, 0x40000000
_ONLY_DIRECTORIES = 0x01000000
_WANTED = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # inotify_init1(2) uses the same bits
_EVENT = struct.Struct("=iIII")
_KINDS = (
    (_CREATE, "created"),
    (_MOVED_TO, "moved"),
    (_MOVED_FROM, "moved"),
    (_DELETE | _DELETE_SELF, "deleted"),
    (_MODIFY | _ATTRIB | _CLOSE_WRITE, "modified"),
)
_PERIOD = 0.1
_MOST_IN_A_PERIOD = 100
_MOST_DIRECTORIES = 4096
_LONGEST_PATH = 4000


class Watch(Conversation):
    """One watched directory, with all below it when the request says `recursive`."""

    def __init__(self, stream: Stream, request: Dict[str, Any], roots: Roots, loop: Loop) -> None:
        """Parse; raises Refusal."""
        super().__init__(stream)
        self._path: str = refusal.field(request, "path", str).rstrip("/") or "/"
        self._recursive: bool = refusal.field(request, "recursive", bool, False)
        self._roots = roots
        self._loop = loop
        self._inotify = -1
        self._directories: Dict[int, str] = {}
        self._changes: Dict[Tuple[str, str], None] = {}
        self._telling = False

    def start(self) -> None:
        """Watch, and say so by the event {"event": "watching"}: changes before it may be missed."""
        try:
            with self._roots.place(self._path) as place:
                descriptor = place.open(DIRECTORY)
                self._inotify = syscalls.call("inotify_init1", _FLAGS)
                self._add(descriptor, self._path)
        except OSError as error:
            self._close()
            raise from_os(error, self._path) from None
        self._loop.watch(self._inotify, READ, self._read)
        self.stream.event({"event": "watching"})

    def cancel(self) -> None:
        """Stop; this is how a watch ends well."""
        self._close()
        self.stream.done({})

    def _close(self) -> None:
        if self._inotify >= 0:
            self._loop.forget(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def _add(self, descriptor: int, path: str) -> None:
        """Watch an open directory and those below it, by their descriptors, so that no link is followed."""
        waiting = [(descriptor, path)]
        while waiting:
            directory, name = waiting.pop()
            try:
                if len(self._directories) < _MOST_DIRECTORIES:
                    number = syscalls.call(
                        "inotify_add_watch",
                        self._inotify,
                        f"/proc/self/fd/{directory}".encode(),
                        _WANTED | _ONLY_DIRECTORIES,
                    )
                    self._directories[number] = name
                    if self._recursive:
                        waiting.extend(_below(directory, name))
            finally:
                os.close(directory)

    def _read(self) -> None:
        try:
            data = os.read(self._inotify, 65536)
        except BlockingIOError:
            return
        happened = list(_events(data))
        # The agent's draft getting its name is a creation, and what becomes the agent's rubbish is gone.
        drafts = {cookie for _, _, cookie, name in happened if cookie and name.startswith(HIDDEN)}
        for number, mask, cookie, name in happened:
            if mask & _OVERFLOW:
                self._note(self._path, "modified")
            elif mask & _IGNORED:
                self._directories.pop(number, None)
            elif number in self._directories and not name.startswith(HIDDEN):
                self._changed(number, _plain(mask) if cookie in drafts else mask, name)

    def _changed(self, number: int, mask: int, name: str) -> None:
        above = self._directories[number]
        path = f"{above.rstrip('/')}/{name}" if name else above
        kind = next((kind for bits, kind in _KINDS if mask & bits), None)
        # The end of a directory below is told by the one above it.
        if kind is not None and (name or above == self._path) and len(path) <= _LONGEST_PATH:
            self._note(path, kind)
        if self._recursive and name and mask & _IS_DIRECTORY and mask & (_CREATE | _MOVED_TO):
            self._follow(path)
        if mask & _DELETE_SELF and above == self._path:
            self._tell()
            self._close()
            self.stream.fail(Refusal("not_found", f"{self._path} is gone"))

    def _follow(self, path: str) -> None:
        try:
            with self._roots.place(path) as place:
                descriptor = place.open(DIRECTORY)
            self._add(descriptor, path)
        except (OSError, Refusal):  # gone again, or replaced by a link
            return

    def _note(self, path: str, kind: str) -> None:
        if len(self._changes) < _MOST_IN_A_PERIOD:
            self._changes[path, kind] = None
        else:
            self._changes[self._path, "modified"] = None
        if not self._telling:
            self._telling = True
            self._loop.after(_PERIOD, self._tell)

    def _tell(self) -> None:
        self._telling = False
        changes, self._changes = self._changes, {}
        if self.stream.is_done or self._inotify < 0:
            return
        for path, kind in changes:
            self.stream.event({"change": {"path": path, "kind": kind}})


def _below(directory: int, path: str) -> Iterator[Tuple[int, str]]:
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(readable) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(HIDDEN):
                    descriptor = _opened(entry.name, readable)
                    if descriptor is not None:
                        yield descriptor, f"{path.rstrip('/')}/{entry.name}"
    finally:
        os.close(readable)


def _opened(name: str, directory: int) -> Optional[int]:
    try:
        return os.open(name, DIRECTORY, dir_fd=directory)
    except OSError:  # gone meanwhile
        return None


def _plain(mask: int) -> int:
    told = _CREATE if mask & _MOVED_TO else _DELETE
    return (mask & _IS_DIRECTORY) | told


def _events(data: bytes) -> Iterator[Tuple[int, int, int, str]]:
    start = 0
    while start < len(data):
        number, mask, cookie, length = _EVENT.unpack_from(data, start)
        start += _EVENT.size
        yield number, mask, cookie, os.fsdecode(data[start : start + length].rstrip(b"\0"))
        start += length
