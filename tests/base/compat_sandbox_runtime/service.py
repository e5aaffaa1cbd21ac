"""A service of a few lines on loopback that writes down what arrives and answers what it is told."""

from __future__ import annotations

import email
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

HEALTHY = "GET /workspace/se/healthy"


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b"{}"
    kind: str = "application/json"


class Service:
    """`heard` gives the requests that came; `answers` are given in turn, `health` to who asks how it is."""

    def __init__(self) -> None:
        self.requests: List[str] = []
        self.answers: List[Answer] = []
        self.health = Answer(200, b'{"status": "success"}')
        self.headers: List[Dict[str, str]] = []
        self.url = ""

    def answer(self, line: str, headers: Dict[str, str], body: bytes) -> Answer:
        if line == HEALTHY:
            self.requests.append(line)
            return self.health
        self.requests.append(f"{line} {_readable(headers, body)}".strip())
        self.headers.append(headers)
        return self.answers.pop(0) if self.answers else Answer()

    def heard(self) -> List[str]:
        """What arrived since the last look, questions for health left out."""
        lines = [line for line in self.requests if line != HEALTHY]
        self.requests.clear()
        return lines


def _readable(headers: Dict[str, str], body: bytes) -> str:
    """JSON with its names in order, a form as names and contents; its boundary is chance."""
    kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        parts = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
        return json.dumps([_part(part) for part in parts])
    return json.dumps(json.loads(body), sort_keys=True) if body else ""


def _part(part: Any) -> Tuple[Any, ...]:
    return (
        part.get_param("name", header="content-disposition"),
        part.get_param("filename", header="content-disposition"),
        part.get_payload(decode=True).decode(),
    )


def _whole(handler: Any) -> bytes:
    """The body, counted or in chunks (RFC 9112, 7.1)."""
    if handler.headers.get("Transfer-Encoding") != "chunked":
        whole: bytes = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        return whole
    body: bytes = b""
    while True:
        size = int(handler.rfile.readline(), 16)
        body += handler.rfile.read(size)
        handler.rfile.readline()
        if not size:
            return body


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()

    def serve(handler: Any) -> None:
        handler.raw_requestline = handler.rfile.readline(65537)
        if not handler.raw_requestline or not handler.parse_request():
            return
        line = f"{handler.command} {handler.path}"
        told = service.answer(line, dict(handler.headers.items()), _whole(handler))
        handler.send_response(told.status)
        handler.send_header("Content-Type", told.kind)
        handler.send_header("Content-Length", str(len(told.body)))
        handler.end_headers()
        handler.wfile.write(told.body)

    methods = {"handle_one_request": serve, "log_message": lambda *_arguments: None}
    quiet = type("Handler", (BaseHTTPRequestHandler,), methods)
    with HTTPServer(("127.0.0.1", 0), quiet) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
