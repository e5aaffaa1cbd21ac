"""A document service and its storage in one: what download_from_efast speaks to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

ASK = "/api/efast/v1/file/osdownload/"
CONTENT = {
    "gns://one": b"the first document",
    "gns://two": b"\x00\x01" * 5000,
    "gns://large": b"x" * (4 * 2**20),
}


class DocumentService:
    """Listens while a block lasts; `asked` is what came: path and headers, and what was sent."""

    token = "canary-token-4711"

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.elsewhere = "http://127.0.0.1:1"

        def post(request: BaseHTTPRequestHandler) -> None:
            self._ask(request)

        def get(request: BaseHTTPRequestHandler) -> None:
            self._give(request)

        methods = {"do_POST": post, "do_GET": get, "log_message": lambda *_said: None}
        handler = type("Handler", (BaseHTTPRequestHandler,), methods)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _ask(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.asked.append((request.path, dict(request.headers.items()), body))
        docid = json.loads(body)["docid"]
        if docid not in CONTENT and docid not in ("gns://elsewhere", "gns://moved", "gns://odd"):
            _answer(request, 404, b'{"cause": "no such document"}')
            return
        base = self.elsewhere if docid == "gns://elsewhere" else self.url
        ticket = ["GET", f"{base}/store?id={docid}", "Authorization: AWS test:sig", "x-amz-date: today"]
        told = {"authrequest": ticket, "name": "told.bin", "size": len(CONTENT.get(docid, b"")), "rev": "r1"}
        _answer(request, 200, b"odd" if docid == "gns://odd" else json.dumps(told).encode())

    def _give(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, dict(request.headers.items()), b""))
        docid = request.path.partition("id=")[2]
        if docid == "gns://moved":
            _answer(request, 302, b"", Location=f"{self.url}/store?id=gns://one")
        else:
            _answer(request, 200, CONTENT[docid])


def _answer(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
