"""A service of a few lines on loopback that writes down what arrives and answers what it is told."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple


class Request(NamedTuple):
    line: str
    headers: Dict[str, str]
    body: bytes

    @property
    def readable(self) -> str:
        """Method, target and body; of an archive names and sizes, sorted: a directory's order is chance."""
        words = self.line.split(" ")
        shown = (
            repr(sorted(members(self.body)))
            if self.body.startswith(b"\x1f\x8b")
            else self.body.decode("ascii")
        )
        return " ".join((*words[:2], shown)).strip()


Answer = Tuple[int, bytes]


class Recorder:
    """`requests` as they came; answers are taken from `answers`, then made by `reply`."""

    def __init__(self) -> None:
        self.requests: List[Request] = []
        self.answers: List[Answer] = []
        self.reply: Callable[[Request], Answer] = lambda _request: (200, b"{}")
        self.url = ""

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else self.reply(request)

    def heard(self) -> List[str]:
        """What arrived since the last look."""
        lines = [request.readable for request in self.requests]
        self.requests.clear()
        return lines


@contextmanager
def recording() -> Iterator[Recorder]:
    recorder = Recorder()

    def serve(handler: Any) -> None:
        handler.raw_requestline = handler.rfile.readline(65537)
        if not handler.raw_requestline or not handler.parse_request():
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        line = handler.raw_requestline.decode("latin-1").rstrip("\r\n")
        status, answer = recorder.answer(Request(line, dict(handler.headers.items()), body))
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    methods = {"handle_one_request": serve, "log_message": lambda *_arguments: None}
    quiet = type("Handler", (BaseHTTPRequestHandler,), methods)
    with HTTPServer(("127.0.0.1", 0), quiet) as server:
        recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


def archive(*entries: Tuple[str, Any], gzipped: bool = True) -> bytes:
    """A tar archive: (name, contents) for files, (name, {field: value}) for anything else."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as written:
        for name, what in entries:
            entry = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else what.get("data", b"")
            entry.size = len(data)
            for field, value in {} if isinstance(what, bytes) else what.items():
                if field != "data":
                    setattr(entry, field, value)
            written.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue()) if gzipped else packed.getvalue()


def members(packed: bytes) -> List[Tuple[str, int]]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:*") as found:
        return [(entry.name, entry.size) for entry in found]
