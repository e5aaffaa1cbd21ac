"""A host for one agent in tests: two pipes, the real codec, blocking reads under a deadline."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

import sandlot
from sandlot.guest import BOOTSTRAP
from sandlot.wire import frames
from sandlot.wire.frames import Frame, FrameDecoder, Kind

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(sandlot.__file__)))
PATIENCE = 20.0
PLAN: Dict[str, Any] = {
    "rlimits": {},
    "readable": [],
    "writable": [],
    "network": "own",
    "walls": ["session"],  # the only one that is the same outside a box
    "ipc": False,
}


class Reply:
    """Everything that came back on one stream."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""
        self.value = b""
        self.events: List[Dict[str, Any]] = []
        self.done: Optional[Dict[str, Any]] = None
        self.window = frames.Window()

    @property
    def ok(self) -> Dict[str, Any]:
        """The value of a DONE that tells no error."""
        assert self.done is not None
        assert "ok" in self.done, self.done
        value: Dict[str, Any] = self.done["ok"]
        return value

    @property
    def error(self) -> str:
        """The code of a DONE that tells an error."""
        assert self.done is not None
        assert "error" in self.done, self.done
        code: str = self.done["error"]["code"]
        return code


class Host:
    """Starts an agent as a plain process of this machine and talks to it."""

    def __init__(
        self,
        workspace: str,
        plan: Optional[Dict[str, Any]] = None,
        argv: Optional[List[str]] = None,
        env: Optional[Dict[str, str]] = None,
    ) -> None:
        self.workspace = workspace
        self.process = subprocess.Popen(
            argv or [sys.executable, "-I", "-S", "-c", BOOTSTRAP, ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env or {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": workspace},
            cwd=workspace,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.incoming, self.outgoing = self.process.stdout.fileno(), self.process.stdin.fileno()
        self.decoder = FrameDecoder(accept=frames.FROM_AGENT)
        self.replies: Dict[int, Reply] = {}
        self.grants = True
        self.next = 1
        self.greeting: Optional[Dict[str, Any]] = None
        self.plan = PLAN if plan is None else plan

    def __enter__(self) -> Host:  # noqa: PYI034 - `Self` needs Python 3.11
        hello = {"protocol": 1, "workspace": self.workspace, "roots": [self.workspace], "plan": self.plan}
        self.post(frames.json_frame(Kind.HELLO, 0, hello))
        self.until(lambda: self.greeting is not None)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.hang_up()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()

    def hang_up(self) -> None:
        """Close the channel towards the agent."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def post(self, frame: Frame) -> None:
        """Send one frame."""
        data = frames.encode(frame)
        while data:
            data = data[os.write(self.outgoing, data) :]

    def open(self, verb: str, **fields: Any) -> int:
        """Open a stream; its number."""
        number, self.next = self.next, self.next + 2
        self.replies[number] = Reply()
        self.post(frames.json_frame(Kind.OPEN, number, {"verb": verb, **fields}))
        return number

    def send(self, stream: int, kind: int, data: bytes = b"") -> None:
        """Send bytes on a stream; the caller minds the credit."""
        if kind in (Kind.INPUT, Kind.SOURCE):
            self.replies[stream].window.spend(len(data))
        for start in range(0, max(len(data), 1), frames.MAX_PAYLOAD):
            self.post(Frame(kind, stream, data[start : start + frames.MAX_PAYLOAD]))

    def credit(self, stream: int) -> int:
        """Bytes that may be sent on a stream now."""
        return self.replies[stream].window.available

    def ask(self, verb: str, **fields: Any) -> Reply:
        """Open a stream and wait for its end."""
        return self.finish(self.open(verb, **fields))

    def run(self, *argv: str, **fields: Any) -> Reply:
        """Run a command to its end."""
        return self.ask("run", argv=list(argv), **fields)

    def code(self, text: str, **fields: Any) -> Reply:
        """Run a program text to its end."""
        return self.finish(self.start_code(text, **fields))

    def start_code(self, text: str, **fields: Any) -> int:
        """Run a program text; its stream."""
        stream = self.open("run", code=True, **fields)
        self.send(stream, Kind.SOURCE, text.encode("utf-8", "surrogatepass"))
        self.send(stream, Kind.SOURCE_END)
        return stream

    def upload(self, verb: str, data: bytes, **fields: Any) -> Reply:
        """Open a stream, send input within the first credit, and wait for the end."""
        stream = self.open(verb, **fields)
        self.send(stream, Kind.INPUT, data)
        self.send(stream, Kind.INPUT_END)
        return self.finish(stream)

    def finish(self, stream: int) -> Reply:
        """Read until the stream is done."""
        reply = self.replies[stream]
        self.until(lambda: reply.done is not None)
        return reply

    def until(self, holds: Any) -> None:
        """Read frames until something holds; AssertionError with the agent's last words if it never does."""
        limit = time.monotonic() + PATIENCE
        while not holds():
            ready, _, _ = select.select([self.incoming], [], [], max(0.0, limit - time.monotonic()))
            data = os.read(self.incoming, 65536) if ready else b""
            assert data, "the agent fell silent: " + self.last_words()
            for frame in self.decoder.feed(data):
                self._take(frame)

    def last_words(self) -> str:
        """What the agent wrote to its standard error; ends it."""
        self.process.kill()
        assert self.process.stderr is not None
        return self.process.stderr.read().decode("utf-8", "replace")

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:
            self.greeting = frames.parse_json(frame.payload)
            return
        reply = self.replies[frame.stream]
        assert reply.done is None, "a frame behind DONE"
        if frame.kind == Kind.EVENT:
            reply.events.append(frames.parse_json(frame.payload))
        elif frame.kind == Kind.DONE:
            reply.done = frames.parse_json(frame.payload)
        elif frame.kind == Kind.OUTPUT:
            reply.stdout += frame.payload
        elif frame.kind == Kind.ERROUT:
            reply.stderr += frame.payload
        elif frame.kind == Kind.VALUE:
            reply.value += frame.payload
        elif frame.kind == Kind.CREDIT:
            reply.window.grant(frames.parse_credit(frame.payload))
        if frame.kind in (Kind.OUTPUT, Kind.ERROUT, Kind.VALUE) and self.grants and frame.payload:
            self.post(frames.credit_frame(frame.stream, len(frame.payload)))
