"""One command as a process group of this host: output under a cap, a deadline, and an end for all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

from sandlot.contracts.events import Event, Exited, Reason, Started, Stderr, Stdout, exit_code_of

_CHUNK = 65_536
_GRACE = 0.1  # seconds for output that is still in the pipes when the program has ended
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_FLOOD = 64 * 2**20


class Group:
    """A program and all it starts; run it once."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], workdir: str, limit: int) -> None:
        """Nothing is started yet; *limit* is in bytes per stream."""
        self._argv, self._env, self._workdir, self._limit = argv, env, workdir, limit
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Queue[Event | None] = asyncio.Queue(64)
        self._truncated = {Stdout: False, Stderr: False}
        self._reason: Reason | None = None

    async def run(self, stdin: bytes, timeout: float | None) -> AsyncGenerator[Event, None]:
        """Its events; an unfindable program exits with 127, one that is none with 126."""
        started = time.monotonic()
        try:
            self._process = await self._start()
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            yield Stderr(f"{self._argv[0]}: {error.strerror}\n".encode())
            yield Exited(Reason.EXITED, code)
            return
        yield Started(str(self._process.pid))
        serving = asyncio.ensure_future(self._serve(self._process, stdin, timeout))
        try:
            while (event := await self._output.get()) is not None:
                yield event
        finally:
            serving.cancel()
        yield self._ending(self._process.returncode or 0, time.monotonic() - started)

    async def kill(self) -> None:
        """End all of it; idempotent."""
        if self._process is not None:
            _kill_group(self._process.pid)
            await self._process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        # Windows: a console group of its own is the nearest thing to a session.
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        return await asyncio.create_subprocess_exec(
            *self._argv,
            env=dict(self._env),
            cwd=self._workdir,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=flags,
        )

    async def _serve(self, process: asyncio.subprocess.Process, stdin: bytes, timeout: float | None) -> None:
        readers = [
            asyncio.ensure_future(self._read(process.stdout, Stdout)),
            asyncio.ensure_future(self._read(process.stderr, Stderr)),
        ]
        feeding = asyncio.ensure_future(_feed(process, stdin))
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            self._reason = Reason.TIMEOUT
            _kill_group(process.pid)
            await process.wait()
        await asyncio.wait(readers, timeout=_GRACE)
        _kill_group(process.pid)
        for task in (feeding, *readers):
            task.cancel()
        await self._output.put(None)

    async def _read(self, stream: asyncio.StreamReader | None, kind: type[Stdout | Stderr]) -> None:
        kept = dropped = 0
        while stream is not None and (data := await stream.read(_CHUNK)):
            passed = data[: self._limit - kept]
            kept += len(passed)
            dropped += len(data) - len(passed)
            self._truncated[kind] = dropped > 0
            if passed:
                await self._output.put(kind(passed))
            if dropped > _FLOOD and self._process is not None:
                self._reason = self._reason or Reason.OUTPUT_LIMIT
                _kill_group(self._process.pid)

    def _ending(self, status: int, duration: float) -> Exited:
        number = -status if status < 0 else None
        code = None if number else status & 0xFF
        reason = self._reason or (Reason.SIGNALLED if number else Reason.EXITED)
        return Exited(
            reason=reason,
            exit_code=exit_code_of(reason, code, number),
            signal=number,
            stdout_truncated=self._truncated[Stdout],
            stderr_truncated=self._truncated[Stderr],
            duration=duration,
        )


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
        process.stdin.close()


def _kill_group(pid: int) -> None:
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
