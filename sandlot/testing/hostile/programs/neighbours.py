"""Be reached by another box, and try to reach it: N06."""

from __future__ import annotations

import ctypes
import os
import socket
from functools import partial
from typing import Any, Iterator, List, Tuple

from .report import Found, facts, held, refused, say

_LOOPBACK = "127.0.0.1"
_CREATE = 0o1000 | 0o666  # IPC_CREAT


def _libc(name: str, *arguments: Any) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(getattr(libc, name)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def _queue_of(name: str, flags: int) -> int:
    return _libc("mq_open", name.encode(), flags, 0o666, None)


def listen() -> Iterator[Found]:
    """Be reachable in every way there is between processes, and answer whoever comes."""
    port, key, name = facts()["port"], facts()["key"], facts()["name"]
    made = _sockets(port, name)
    for what, make in (
        ("a System V segment", partial(_libc, "shmget", key, 4096, _CREATE)),
        ("a System V queue", partial(_libc, "msgget", key, _CREATE)),
        ("a System V semaphore", partial(_libc, "semget", key, 1, _CREATE)),
        ("a POSIX queue", partial(_queue_of, f"/{name}", os.O_CREAT | os.O_RDWR)),
        ("a POSIX segment", partial(_libc, "shm_open", f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666)),
    ):
        try:
            make()
            yield held(what, "made")
        except (OSError, AttributeError) as error:
            yield held(what, error)
    say("LISTENING")
    while True:
        data, address = made[0].recvfrom(100)
        made[0].sendto(data, address)


def _sockets(port: int, name: str) -> List[socket.socket]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream, abstract = socket.socket(), socket.socket(socket.AF_UNIX)
    datagrams.bind(("", port))
    stream.bind(("", port))
    abstract.bind("\0" + name)
    stream.listen()
    abstract.listen()
    return [datagrams, stream, abstract]


def reach() -> Iterator[Found]:
    """Try every one of them."""
    port, key, name = facts()["port"], facts()["key"], facts()["name"]
    for host in (_LOOPBACK, "127.9.9.9", "0.0.0.0"):  # noqa: S104 - a target
        yield refused(f"TCP {host}", partial(_connect, socket.AF_INET, (host, port)))
        yield refused(f"UDP {host}", partial(_ask, (host, port)))
    yield refused("an abstract socket", partial(_connect, socket.AF_UNIX, "\0" + name))
    yield refused("a System V segment", partial(_libc, "shmget", key, 0, 0))
    yield refused("a System V queue", partial(_libc, "msgget", key, 0))
    yield refused("a System V semaphore", partial(_libc, "semget", key, 0, 0))
    yield refused("a POSIX segment", partial(_libc, "shm_open", f"/{name}".encode(), os.O_RDONLY, 0))
    if hasattr(ctypes.CDLL(None), "mq_open"):
        yield refused("a POSIX queue", partial(_queue_of, f"/{name}", os.O_RDONLY))


def _connect(family: int, address: Any) -> str:
    with socket.socket(family) as made:
        made.settimeout(1)
        made.connect(address)
    return "connected"


def _ask(address: Tuple[str, int]) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(0.3)
        made.sendto(b"anybody there?", address)
        return made.recv(100)
