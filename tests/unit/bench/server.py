"""A server that answers by a script, for what has to be tested with a real socket and no sandbox."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandlot.bench.connection import Door, door

Reply = Callable[[bytes], bytes | None]
"""The bytes that answer a request's head, or None to hang up."""


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """An answer with a length."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def serving(reply: Reply) -> Iterator[Door]:
    """A server that gives each request's head to *reply*, for the length of a block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, reply), daemon=True)
        thread.start()
        try:
            yield door(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, reply: Reply) -> None:
    threads = []
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:  # the test is over
            break
        threads.append(threading.Thread(target=_answer, args=(accepted, reply), daemon=True))
        threads[-1].start()
    for each in threads:
        each.join()


def _answer(accepted: socket.socket, reply: Reply) -> None:
    with accepted:
        head = b""
        while data := accepted.recv(65536):
            head += data
            if b"\r\n\r\n" in head:
                said = reply(head)
                head = b""
                if said is None:
                    return
                accepted.sendall(said)
