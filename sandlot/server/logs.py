"""The server's log: JSON lines, or text on a terminal. It never holds tokens, bodies, code or variables.

Lines are written by a thread of their own: a reader of our stderr that stands still must not stop the
server. It gathers all but warnings and errors for a moment, because requests wait for the interpreter each
time it wakes. What is more than the bounds allow is dropped and counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from sandlot.wire.problems import readable

from .keys import without_secrets

_PER_SECOND = 200.0
_BURST = 1000.0
_WAITING = 4096
_LONGEST = 8192
_GATHER_SECONDS = 0.05
_FLUSH_SECONDS = 1.0
# What uvicorn would say of a request the frame has said already, and every answer that breaks off is an
# error to it.
_CHATTY = {"uvicorn.error": logging.CRITICAL, "websockets": logging.WARNING, "asyncio": logging.WARNING}


class TokenBucket:
    """So many at once, and so many per second on average."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._since = burst, clock()

    def take(self) -> bool:
        """Whether one more is within the bounds."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Bounds(logging.Filter):
    """Keeps a flood of requests from filling a disk; warnings and errors have a bucket of their own."""

    def __init__(self, make: Callable[[], TokenBucket] = lambda: TokenBucket(_PER_SECOND, _BURST)) -> None:
        """Bound by buckets of *make*."""
        super().__init__()
        self._usual, self._grave = make(), make()
        self._dropped = 0

    def filter(self, record: logging.LogRecord) -> bool:
        bucket = self._grave if record.levelno >= logging.WARNING else self._usual
        if not bucket.take():
            self._dropped += 1
            return False
        if self._dropped:
            record.dropped, self._dropped = self._dropped, 0
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII, so that no text of a stranger can end a line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"time": _time(record), "level": record.levelname.lower(), **_fields(record)})


class Text(logging.Formatter):
    """A line for people: what happened, then the rest of what is known."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        trace = fields.pop("traceback", "")
        first = f"{_time(record)[11:19]} {record.levelname.lower():7} {fields.pop('message')}"
        rest = " ".join(f"{name}={value}" for name, value in fields.items() if name != "logger")
        lines = [readable(f"{first}  {rest}".rstrip()), *map(readable, str(trace).splitlines())]
        return "\n".join(lines)


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    # A key may come where none belongs, such as in a path.
    message = without_secrets(record.getMessage()[:_LONGEST])
    fields: dict[str, object] = {"logger": record.name, "message": message}
    about = getattr(record, "about", {})
    fields.update({name: value for name, value in about.items() if value is not None})
    if getattr(record, "dropped", 0):
        fields["dropped"] = record.dropped  # type: ignore[attr-defined]
    if record.exc_info:
        trace = logging.Formatter().formatException(record.exc_info)
        fields["traceback"] = without_secrets(trace)[-_LONGEST:]
    return fields


class _Writer(logging.Handler):
    """Hands records to a thread that writes them, and never waits for it."""

    def __init__(self, descriptor: int, form: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(form)
        self._descriptor = descriptor
        self._waiting: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        # It may stand in a write for ever; the end of the process does not wait for it.
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._waiting.qsize() < _WAITING:  # else nobody reads our stderr
            self._waiting.put(record)
        if record.levelno >= logging.WARNING:
            self._hurry.set()

    def finish(self) -> None:
        """Write what waits, unless that takes too long."""
        self._waiting.put(None)
        self._hurry.set()
        self._thread.join(2 * _FLUSH_SECONDS)

    def _write_all(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._write(record)
            if self._waiting.empty():
                self._hurry.wait(_GATHER_SECONDS)
                self._hurry.clear()

    def _write(self, record: logging.LogRecord) -> None:
        line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):  # whoever read our stderr has gone
            while line:
                # Not by sys.stderr: its lock, held in a stuck write, would stop the interpreter's end.
                line = line[os.write(self._descriptor, line) :]


def _spare() -> None:
    """Have records tell nothing that no line of ours shows: that takes most of the time each of them takes.

    As Python's documentation has it (logging HOWTO, Optimization); it holds for the whole process.
    """
    for name in ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing"):
        setattr(logging, name, None)


@contextlib.contextmanager
def logging_to(stream: TextIO = sys.stderr) -> Iterator[None]:
    """Write the log to the file of *stream* while the block lasts."""
    handler = _Writer(stream.fileno(), Text() if stream.isatty() else JsonLines())
    handler.addFilter(Bounds())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    _spare()
    for chatty, level in _CHATTY.items():
        logging.getLogger(chatty).setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.finish()
