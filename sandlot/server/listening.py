"""Where the server listens: an address and port, a Unix socket, or a socket it was handed."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from sandlot.contracts.errors import Conflict, InvalidSpec
from sandlot.settings import Settings

BACKLOG = 2048
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
_SPARE = 256
"""Descriptors kept for files, boxes and the like when connections are counted."""


@dataclass(frozen=True)
class Place:
    """An address and its port, or the path of a Unix socket with None for a port."""

    host: str
    port: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.port is None or ipaddress.ip_address(self.host.partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """How clients write it."""
        if self.port is None:
            return f"unix://{self.host}"
        return f"http://{self.literal}:{self.port}"

    @property
    def literal(self) -> str:
        """The address as it stands in a header or a URL (RFC 3986, section 3.2.2)."""
        return f"[{self.host}]" if ":" in self.host else self.host


def listen(settings: Settings, descriptor: int | None = None) -> socket.socket:
    """A listening socket as *settings* say; *descriptor* is one that was opened for us (systemd, fd 3).

    Raises Conflict when the place is taken, InvalidSpec when it cannot be listened at.
    """
    if descriptor is not None:
        return _handed(descriptor)
    if settings.unix is not None:
        return _unix(settings.unix)
    return _tcp(settings.host, settings.port)


def place_of(listener: socket.socket) -> Place:
    """Where *listener* really listens."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return Place(str(name))
    return Place(str(name[0]), int(name[1]))


def most_connections() -> int:
    """How many connections there is room for, once this process may open as many files as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    room = 1_000_000 if soft == resource.RLIM_INFINITY else soft
    return max(64, room - _SPARE - room // 8)


def _tcp(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _name, place = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as cause:
        raise InvalidSpec(f"{host!r} is no address to listen at: {cause.strerror}") from cause
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else `::` would take IPv4 as well, whose addresses then look like others.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as cause:
        listener.close()
        raise Conflict(
            f"cannot listen at {host} port {port} ({cause.strerror}): choose another --port"
        ) from cause
    return listener


def _unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        # The mode is right from the first moment on: there is no time in which others could connect.
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
    except OSError as cause:
        listener.close()
        raise Conflict(
            f"cannot listen at {path}: {cause.strerror or cause}: choose another --unix"
        ) from cause
    except Conflict:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove a socket that a killed server left. Raises Conflict for one in use and for anything else."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise Conflict(f"{path} is there and no socket: choose another --unix")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                os.unlink(path)
                return
        raise Conflict(f"another server listens at {path}: stop it, or choose another --unix")


def _handed(descriptor: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as cause:
        raise InvalidSpec(f"descriptor {descriptor} is no socket: {cause.strerror}") from cause
    if not listens or listener.type != socket.SOCK_STREAM:
        raise InvalidSpec(f"descriptor {descriptor} is no listening stream socket")
    if listener.family not in _FAMILIES:
        raise InvalidSpec(
            f"descriptor {descriptor} listens at no address and no path: pass a TCP or Unix socket"
        )
    listener.set_inheritable(False)  # who passes one leaves it open for every program we start
    return listener
