"""One command as a process group of this host: output under a cap, a deadline, and an end for all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

from sandlot.contracts.events import Event, Exited, Reason, Started, Stderr, Stdout, exit_code_of

_GRACE = 0.1  # seconds for output that is still in the pipes when the program has ended
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_FLOOD = 64 * 2**20
_MANY = 64  # pieces of output that may wait for the reader


class Group:
    """A program and all it starts; run it once."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], workdir: str, limit: int) -> None:
        """Nothing is started yet; *limit* is in bytes per stream."""
        self._argv, self._env, self._workdir = argv, env, workdir
        self._program = _Program(limit, self._flooded)
        self._transport: asyncio.SubprocessTransport | None = None
        self._reason: Reason | None = None

    async def run(self, stdin: AsyncIterator[bytes], timeout: float | None) -> AsyncGenerator[Event, None]:
        """Its events; *stdin* is taken as the program reads it, and its error raised at the end.

        A program that cannot be found exits with 127, one that is none with 126.
        """
        started, program = time.monotonic(), self._program
        try:
            self._transport, _ = await self._start(program)
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            yield Stderr(f"{self._argv[0]}: {error.strerror}\n".encode())
            yield Exited(Reason.EXITED, code)
            return
        yield Started(str(self._transport.get_pid()))
        feeding = asyncio.ensure_future(program.feed(stdin))
        feeding.add_done_callback(lambda ended: self._stop(Reason.KILLED) if _error_of(ended) else None)
        watching = asyncio.ensure_future(self._watch(program, timeout))
        try:
            while (event := await program.next()) is not None:
                yield event
        finally:
            feeding.cancel()
            watching.cancel()
            await asyncio.wait([feeding, watching])
            await self.kill()
        yield self._ending(program, time.monotonic() - started)
        if (broken := _error_of(feeding)) is not None:
            raise broken

    async def kill(self) -> None:
        """End all of it; idempotent."""
        if self._transport is not None:
            _kill_group(self._transport.get_pid())
            await self._program.exited.wait()
            self._transport.close()

    async def _start(self, program: _Program) -> tuple[asyncio.SubprocessTransport, _Program]:
        return await asyncio.get_running_loop().subprocess_exec(
            lambda: program,
            *self._argv,
            env=dict(self._env),
            cwd=self._workdir,
            start_new_session=True,
            # Windows: a console group of its own is the nearest thing to a session.
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    async def _watch(self, program: _Program, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await program.exited.wait()
        except TimeoutError:
            self._stop(Reason.TIMEOUT)
            await program.exited.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await program.drained.wait()
        program.finish()

    def _flooded(self) -> None:
        self._stop(Reason.OUTPUT_LIMIT)

    def _stop(self, reason: Reason) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            _kill_group(self._transport.get_pid())

    def _ending(self, program: _Program, duration: float) -> Exited:
        status = program.status
        number = -status if status < 0 else None
        code = None if number else status & 0xFF
        reason = self._reason or (Reason.SIGNALLED if number else Reason.EXITED)
        return Exited(
            reason=reason,
            exit_code=exit_code_of(reason, code, number),
            signal=number,
            stdout_truncated=program.dropped[1] > 0,
            stderr_truncated=program.dropped[2] > 0,
            duration=duration,
        )


class _Program(asyncio.SubprocessProtocol):
    """What a program says, and when it has ended: at once, whoever still holds its pipes."""

    def __init__(self, limit: int, flooded: Callable[[], None]) -> None:
        self.exited, self.drained, self._writable = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writable.set()
        self.status = 0
        self.dropped = {1: 0, 2: 0}
        self._kept = {1: 0, 2: 0}
        self._limit, self._flooded = limit, flooded
        self._open = {1, 2}
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._transport: asyncio.SubprocessTransport | None = None

    async def next(self) -> Event | None:
        """The next piece of output; None at the end."""
        event = await self._events.get()
        if self._events.qsize() == _MANY // 2:
            for pipe in self._pipes():
                pipe.resume_reading()
        return event

    def finish(self) -> None:
        """No more output is wanted."""
        self._events.put_nowait(None)

    async def feed(self, stdin: AsyncIterator[bytes]) -> None:
        """Write *stdin* as fast as the program reads, then close it."""
        pipe = self._transport.get_pipe_transport(0) if self._transport else None
        if not isinstance(pipe, asyncio.WriteTransport):
            return
        async for data in stdin:
            await self._writable.wait()
            if pipe.is_closing():  # the program reads no more; an input without end would be taken for ever
                return
            pipe.write(data)
            await asyncio.sleep(0)  # an input that never waits must not keep everybody else from running
        pipe.write_eof()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101 - as subprocess_exec promises
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        kept = data[: self._limit - self._kept[fd]]
        self._kept[fd] += len(kept)
        self.dropped[fd] += len(data) - len(kept)
        if kept:
            self._events.put_nowait(Stdout(kept) if fd == 1 else Stderr(kept))
        if self._events.qsize() >= _MANY:
            for pipe in self._pipes():
                pipe.pause_reading()
        if self.dropped[fd] > _FLOOD:
            self._flooded()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc
        self._open.discard(fd)
        if not self._open:
            self.drained.set()

    def process_exited(self) -> None:
        self.status = (self._transport.get_returncode() if self._transport else None) or 0
        self.exited.set()

    def _pipes(self) -> list[asyncio.ReadTransport]:
        found = [self._transport.get_pipe_transport(fd) for fd in self._open] if self._transport else []
        return [pipe for pipe in found if isinstance(pipe, asyncio.ReadTransport)]


def _error_of(task: asyncio.Future[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _kill_group(pid: int | None) -> None:
    if pid is None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
