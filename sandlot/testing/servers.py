"""A real `sandlot serve` in a process of its own, for tests: private state, a free port, an end.

    with running_server() as server:
        client = Client(server.url)

It needs the extra `server` in the Python that runs it; the test itself may run on Python 3.8.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Dict, Iterator, List, Mapping, Match, Optional, Pattern, Sequence

from .host_processes import descendants

_LISTENING = re.compile(r"listening on ((?:http|unix)://[^\s\"]+)")
_START_SECONDS = 30.0
_END_SECONDS = 40.0
_SOURCE = Path(__file__).resolve().parents[2]


class ServerDidNotStart(Exception):
    """The server ended, or did not get ready in time; the message is what it said."""


class Log:
    """What a server says, read as it comes, so that the server never waits for us."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Begin to read *stream* until its end."""
        self._stream = stream
        self._lines: List[str] = []
        self._is_whole = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def lines(self) -> List[str]:
        """What was said so far."""
        with self._changed:
            return list(self._lines)

    def wait_for(self, pattern: Pattern[str], seconds: float) -> Optional[Match[str]]:
        """Where *pattern* is first said; None when the server has ended, or time has, without it."""
        deadline, seen = time.monotonic() + seconds, 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    found = pattern.search(line)
                    if found:
                        return found
                seen, left = len(self._lines), deadline - time.monotonic()
                if self._is_whole or left <= 0:
                    return None
                self._changed.wait(left)

    def finish(self) -> None:
        """Wait for the end of it; the server has ended."""
        self._thread.join(_END_SECONDS)

    def _read(self) -> None:
        with self._stream:
            for raw in self._stream:
                self._add(raw.decode("utf-8", "replace").rstrip("\n"))
        with self._changed:
            self._is_whole = True
            self._changed.notify_all()

    def _add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()


@dataclass
class RunningServer:
    """A server that takes requests at `url`."""

    url: str
    process: subprocess.Popen[bytes]
    directory: Path
    """Its data is in `data` there; give the directory to the next server to find it again."""
    _log: Log
    _command: Sequence[str]
    _environ: Mapping[str, str]

    @property
    def said(self) -> List[str]:
        """The lines of its log so far; once it has ended, all of them."""
        return self._log.lines

    def heard(self, text: str, seconds: float = 10.0) -> str:
        """The first line of its log that holds *text*; the log comes a moment after what it tells of.

        Raises AssertionError when no such line comes.
        """
        found = self._log.wait_for(re.compile(re.escape(text)), seconds)
        assert found is not None, f"the server never said {text!r}"
        return found.string

    @property
    def pid(self) -> int:
        """The process that answers."""
        return self.process.pid

    def key(self, name: str, *scopes: str, owner: str = "", expires: str = "") -> str:
        """A new API key of this server. Once there is one, every caller needs one."""
        words = ["key", "create", name, "--json"]
        words += ["--scope", *scopes] if scopes else []
        words += ["--owner", owner] if owner else []
        words += ["--expires", expires] if expires else []
        made = subprocess.run([*self._command, *words], env=self._environ, stdout=subprocess.PIPE, check=True)
        return str(json.loads(made.stdout)["key"])

    def revoke(self, key: str) -> None:
        """Let *key* open nothing any more."""
        words = ["key", "revoke", key.split("_")[1]]
        subprocess.run([*self._command, *words], env=self._environ, stderr=subprocess.DEVNULL, check=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell the server to end in order, and wait until it has; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._wait()

    def kill(self) -> None:
        """End the server by SIGKILL, and wait until what it had started has ended too."""
        started = descendants(self.pid)
        self.process.kill()
        self._wait()
        for process in started:
            _wait_for_end(process.pid, _END_SECONDS)

    def _wait(self) -> int:
        try:
            return self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end: {self.said[-20:]}") from None
        finally:
            self._log.finish()


@contextmanager
def running_server(
    *flags: str,
    directory: Optional[Path] = None,
    environ: Optional[Mapping[str, str]] = None,
    python: str = sys.executable,
    listen: Sequence[str] = ("--port", "0"),
    pass_fds: Sequence[int] = (),
) -> Iterator[RunningServer]:
    """A server with *flags* of `sandlot serve`, once it takes requests; it has ended after the block.

    *directory* is where its state lies and stays (an earlier server's, say); by default a new one that is
    removed at the end, readable by boxes. *environ* are variables over a clean environment. *python* runs
    it, *listen* says where, and descriptors *pass_fds* are handed on. Raises ServerDidNotStart.
    """
    place = directory or Path(tempfile.mkdtemp(prefix="sandlot-test-"))
    place.chmod(0o755)
    command = [python, "-m", "sandlot.cli.main"]
    variables = {**_clean_environ(place), **(environ or {})}
    try:
        server = _started(command, [*listen, *flags], variables, place, pass_fds)
        try:
            yield server
        finally:
            server.stop()
    finally:
        if directory is None:
            shutil.rmtree(place)


def _clean_environ(place: Path) -> Dict[str, str]:
    """This process's variables without what would choose settings, and with *place* for all state."""
    ours = ("SANDLOT_", "SANDBOX_", "NOXRUNNER_", "NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept.update(
        SANDLOT_DATA_DIRECTORY=str(place / "data"),
        SANDLOT_RUNTIME_DIRECTORY=str(place / "run"),
        PYTHONPATH=os.pathsep.join([str(_SOURCE), *filter(None, [kept.get("PYTHONPATH")])]),
        PYTHONDONTWRITEBYTECODE="1",
        SANDLOT_POOL_DEPTH="2",  # a test takes one box or two, and a deeper pool more time than the test
    )
    return kept


def _started(
    command: List[str], words: Sequence[str], environ: Mapping[str, str], place: Path, pass_fds: Sequence[int]
) -> RunningServer:
    process = subprocess.Popen(
        [*command, "serve", *words],
        env=environ,
        cwd=str(place),
        pass_fds=tuple(pass_fds),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    log = Log(process.stderr)
    address = log.wait_for(_LISTENING, _START_SECONDS)
    if address is None:
        process.kill()
        process.wait()
        log.finish()
        raise ServerDidNotStart("\n".join(log.lines[-50:]) or f"no word in {_START_SECONDS:g} s")
    return RunningServer(address.group(1), process, place, log, command, environ)


def _wait_for_end(pid: int, seconds: float) -> None:
    """Wait until the process *pid* has ended. Raises AssertionError after *seconds*."""
    if not hasattr(os, "pidfd_open"):  # Python 3.8
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(seconds * 1000), f"process {pid} outlived its server"
    finally:
        os.close(descriptor)
