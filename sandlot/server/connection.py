"""The other end of a connection: which user it is, and whether it is still there."""

from __future__ import annotations

import asyncio
import socket

from starlette.requests import ClientDisconnect

from . import peers

User = tuple[bool, int | None]
"""Whether this machine tells the user at the other end, and their uid (peers)."""


class Connection:
    """One connection. Its user is looked up at most once."""

    def __init__(self, raw: socket.socket | None) -> None:
        """Remember the connection's own socket."""
        self._socket = raw
        self._user: User | None = None
        self._looking: asyncio.Task[User] | None = None
        self._is_lost = False
        self._stays: set[Stay] = set()

    async def user(self) -> User:
        """Whether this machine tells the peer's user, and their uid (peers)."""
        if self._user is None:
            self._looking = self._looking or asyncio.ensure_future(self._look())
            self._user = await asyncio.shield(self._looking)
        return self._user

    def lost(self) -> None:
        """Note that the client has gone."""
        self._is_lost = True
        for stay in self._stays:
            stay.end()

    def stay(self) -> Stay:
        """The length of a block, which ends with ClientDisconnect when the client leaves."""
        return Stay(self._stays, is_over=self._is_lost)

    async def _look(self) -> User:
        if self._socket is None:
            return True, None
        try:
            if self._socket.family == socket.AF_UNIX:
                return peers.uid_of_unix(self._socket)
            peer, local = self._socket.getpeername()[:2], self._socket.getsockname()[:2]
        except OSError:
            return True, None  # it is gone
        uid = peers.quick_uid_of_tcp(peer, local)
        if uid is not None:
            return True, uid
        # The kernel's table takes it long to print: it is read beside the event loop.
        return await asyncio.to_thread(peers.uid_of_tcp, peer, local)


class Stay:
    """As long as a client is there; made by Connection.stay. The task is cancelled as by asyncio.timeout."""

    def __init__(self, stays: set[Stay], *, is_over: bool) -> None:
        """Be one of *stays* for the length of a block."""
        self._stays, self._is_over = stays, is_over
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0

    def end(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._is_over = self._task.cancel()

    def __enter__(self) -> None:
        if self._is_over:
            raise ClientDisconnect
        self._task = asyncio.current_task()
        assert self._task is not None  # noqa: S101 - a request is answered by a task
        self._cancels = self._task.cancelling()
        self._stays.add(self)

    def __exit__(self, kind: type[BaseException] | None, *_why: object) -> None:
        self._stays.discard(self)
        if not self._is_over or self._task is None:
            return
        if self._task.uncancel() <= self._cancels and kind is asyncio.CancelledError:
            raise ClientDisconnect
