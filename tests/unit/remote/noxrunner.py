"""A backend of NoxRunner v1 on loopback: the seven operations, and no wall around the tests' programs."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qs, urlsplit

POD = {"podName": "sbx-abc123def4", "expiresAt": "2030-01-02T12:34:56Z"}


class NoxRunner:
    """Sandboxes are folders below *home*; `heard` are the requests, `touched` is released by each renewal."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = ""
        self.heard: list[tuple[str, str, Any]] = []
        self.touched = threading.Semaphore(0)

    def folder(self, name: str, inside: str = "/workspace") -> Path:
        return self.home / name / inside.lstrip("/")

    def names(self) -> list[str]:
        return sorted(each.name for each in self.home.iterdir())

    def bodies(self, method: str, end: str) -> list[Any]:
        """What came with *method* to paths that end so."""
        return [body for verb, path, body in self.heard if verb == method and path.endswith(end)]


class _Handler(BaseHTTPRequestHandler):
    place: NoxRunner

    def get(self) -> None:
        name, verb, query = self._asked()
        if verb == "files/download" and self._is_there(name):
            self._answer(200, _packed(self.place.folder(name, query["src"])))
        elif verb != "files/download":
            self._answer(405, b"no such operation")

    def ensure(self) -> None:
        name, _, _ = self._asked(json.loads(self._body()))
        self.place.folder(name).mkdir(parents=True, exist_ok=True)
        self._answer(200, json.dumps(POD).encode())

    def delete(self) -> None:
        name, _, _ = self._asked()
        if self._is_there(name):
            shutil.rmtree(self.place.home / name)
            self._answer(204)

    def post(self) -> None:
        body = self._body()
        name, verb, query = self._asked(
            json.loads(body) if urlsplit(self.path).path.endswith("exec") else body
        )
        if not self._is_there(name):
            return
        if verb == "touch":
            self.place.touched.release()
            self._answer(200)
        elif verb == "exec":
            self._answer(200, json.dumps(_run(self.place.folder(name), json.loads(body))).encode())
        else:
            _unpack(gzip.decompress(body), self.place.folder(name, query["dest"]))
            self._answer(200)

    def _asked(self, body: Any = None) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        self.place.heard.append((self.command, parts.path, body))
        name, _, verb = parts.path.removeprefix("/v1/sandboxes/").partition("/")
        return name, verb, {key: values[0] for key, values in parse_qs(parts.query).items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _is_there(self, name: str) -> bool:
        if not self.place.folder(name).exists():
            self._answer(404, b'{"error": "no such sandbox"}')
            return False
        return True

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _run(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    env = {"PATH": "/usr/bin:/bin", **asked.get("env", {})}
    try:
        with subprocess.Popen(
            asked["cmd"], cwd=folder, env=env, stdout=PIPE, stderr=PIPE, start_new_session=True
        ) as program:
            code, output, errors = _followed(program, asked["timeoutSeconds"])
    except FileNotFoundError:
        code, output, errors = 127, b"", b"not found"
    return {
        "exitCode": code,
        "stdout": output.decode("utf-8", "replace"),
        "stderr": errors.decode("utf-8", "replace"),
        "durationMs": int((time.monotonic() - began) * 1000),
    }


def _followed(program: subprocess.Popen[bytes], seconds: float) -> tuple[int, bytes, bytes]:
    try:
        output, errors = program.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        output, errors = program.communicate()
        return 124, output, errors
    return program.returncode, output, errors


def _unpack(archive: bytes, into: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path, file = into / member.name, tar.extractfile(member)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"" if file is None else file.read())


def _packed(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for each in sorted(folder.rglob("*")):
            tar.add(each, str(each.relative_to(folder)), recursive=False)
    return packed.getvalue()


_METHODS = {
    "protocol_version": "HTTP/1.1",
    "log_message": lambda *_words: None,
    "do_GET": _Handler.get,
    "do_PUT": _Handler.ensure,
    "do_POST": _Handler.post,
    "do_DELETE": _Handler.delete,
}


@contextmanager
def serving(home: Path) -> Iterator[NoxRunner]:
    """The backend, for the length of a block."""
    place = NoxRunner(home)
    handler = type("Handler", (_Handler,), {"place": place, **_METHODS})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        place.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
