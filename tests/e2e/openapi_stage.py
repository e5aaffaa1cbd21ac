"""What requests made up from a document meet, and how they are kept from wearing the machine out."""

from __future__ import annotations

import json
import time
import zlib
from typing import Any

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response

from sandlot.testing.servers import RunningServer

PATIENCE = 20
RUNTIME = "/workspace/se/"
SSE = "text/event-stream"
_LIVE = "live"
_TICKING = "i=0; while :; do i=$((i+1)); echo $i; echo $i > tick; sleep 0.05; done"
_STREAMED_SECONDS = 20.0
"""How long a streamed command without a reader is used: the server kills it after thirty seconds."""

Case = schemathesis.Case[Any]


class Stage:
    """A sandbox that lives, with a file, a process and a streamed command, whatever requests do to it."""

    def __init__(self, server: RunningServer, key: str | None) -> None:
        self.url = server.url
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.session = requests.Session()
        self.met = self.asked = 0
        self._pod = ""
        self._names: dict[str, str] = {"id": _LIVE, "context": "default", "kernel": "none"}
        self._streamed = 0.0

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request outside of the play."""
        headers = {**self.headers, **more.pop("headers", {})}
        return self.session.request(method, self.url + path, headers=headers, timeout=PATIENCE, **more)

    def aim(self, case: Case) -> None:
        """Let every other request whose path is as the document wants it meet what lives."""
        self.asked += 1
        meta = case.meta
        if "{id}" not in case.path or meta is None or meta.is_negative_at(ParameterLocation.PATH):
            return
        if zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2:
            return
        self.met += 1
        names = {"id": self._live_kernel()} if case.path.startswith("/api/") else self._alive()
        for name in case.path_parameters:
            if name in names:  # what lives has no name for a path
                case.path_parameters[name] = names[name]

    def tidy(self, case: Case, response: Response) -> None:
        """End what a request has begun: a thousand of them share the machine."""
        name = (case.path_parameters or {}).get("id")
        if case.path.startswith(RUNTIME) and response.status_code == 200 and name != _LIVE:
            self.ask("DELETE", f"/v1/sandboxes/{name}")
        if case.method == "PUT" and case.path.endswith("{id}") and response.status_code == 200:
            name = response.json()["id"]
            if name != _LIVE:
                self.ask("DELETE", f"/v1/sandboxes/{name}")
        if case.path.endswith("/processes") and response.status_code == 201:
            path = f"/v1/sandboxes/{_LIVE}/processes/{response.json()['process']}/signal"
            self.ask("POST", path, json={"signal": 9})
        if case.path.endswith(("/contexts", "/kernels", "/fork")) and response.status_code == 201:
            place = "/api/kernels" if case.path.startswith("/api") else f"/v1/sandboxes/{_LIVE}/contexts"
            self.ask("DELETE", f"{place}/{response.json()['id']}")
        if case.path.endswith("/checkpoints") and response.status_code == 201:
            path = f"/v1/sandboxes/{_LIVE}/contexts/default/checkpoints/{response.json()['id']}"
            self.ask("DELETE", path)

    def close(self) -> None:
        """Delete every sandbox there is."""
        listing = "/v1/sandboxes?state=running,stopped"
        while names := [each["id"] for each in self.ask("GET", listing).json()["sandboxes"]]:
            for name in names:
                self.ask("DELETE", f"/v1/sandboxes/{name}")
        self.session.close()

    def _alive(self) -> dict[str, str]:
        told = self.ask("PUT", f"/v1/sandboxes/{_LIVE}", json={"ttlSeconds": 600})
        assert told.status_code == 200, told.text
        if told.json()["podName"] != self._pod:
            self._pod, self._streamed = told.json()["podName"], 0.0
            self._start()
            self._names["process"] = self._start()
            self.ask("PUT", f"/v1/sandboxes/{_LIVE}/files/content?path=0", data=b"0123456789")
        if time.monotonic() - self._streamed > _STREAMED_SECONDS:
            self._names["exec"], self._names["cell"] = self._stream(), self._cell()
            self._streamed = time.monotonic()
        return self._names

    def _live_kernel(self) -> str:
        if self.ask("GET", "/api/kernels/" + self._names["kernel"]).status_code != 200:
            self._names["kernel"] = str(self.ask("POST", "/api/kernels", json={}).json()["id"])
        return self._names["kernel"]

    def _start(self) -> str:
        asked = {"cmd": ["sh", "-c", _TICKING]}
        return str(self.ask("POST", f"/v1/sandboxes/{_LIVE}/processes", json=asked).json()["process"])

    def _stream(self) -> str:
        """A command whose events are streamed to nobody."""
        asked = {"cmd": ["sh", "-c", _TICKING], "stdinStream": True}
        path = f"/v1/sandboxes/{_LIVE}/exec"
        with self.ask("POST", path, json=asked, headers={"Accept": SSE}, stream=True) as stream:
            for line in stream.iter_lines():
                if line.startswith(b"data:"):
                    return str(json.loads(line[5:])["exec"])
        raise AssertionError(stream.status_code)

    def _cell(self) -> str:
        """A cell whose events are kept, in the context that other requests meet."""
        path = f"/v1/sandboxes/{_LIVE}/contexts/default/run"
        told = self.ask("POST", path, json={"code": "1"}, headers={"Accept": SSE}).text
        return str(json.loads(told.split("data: ")[1].split("\n")[0])["cell"])
