"""Terminals: typed to, resized, interrupted, hung up; or a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar, cast

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.engine import Box, Terminal, Terminals
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.events import Event, Exited, Failed, Stderr, Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.testing.suite import NAP, Suite, collect, end_of, python, shell, sleepers

TTY = TerminalSize(30, 100)


async def opened(box: Box, command: Command) -> Terminal:
    """A terminal that runs *command*; ask only where Feature.TERMINALS is offered."""
    terminals: Terminals = cast("Any", box)
    return await terminals.open(command)


class Screen:
    """What a terminal shows, read as far as needed."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self.text = b""
        self.end: Exited | None = None

    async def until(self, wanted: bytes) -> bytes:
        """Everything shown once *wanted* is part of it."""
        while wanted not in self.text:
            await self._more()
        return self.text

    async def ended(self) -> Exited:
        """The end."""
        while self.end is None:
            await self._more()
        return self.end

    async def _more(self) -> None:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise AssertionError(f"the terminal ended after {self.text!r}") from None
        assert not isinstance(event, Stderr), "a terminal has one stream"
        if isinstance(event, Stdout):
            self.text += event.data
        elif isinstance(event, Exited):
            self.end = event


class TerminalTests(Suite):
    """Programs on a pseudo-terminal."""

    terminals_take_all: ClassVar[bool] = True
    """Whether a terminal can be opened for any command; else for a program and a workdir only, for as long as
    it runs. The cases then say the rest in words of the program."""

    async def _opened(self, box: Box, command: Command) -> Terminal:
        if self.terminals_take_all:
            return await opened(box, command)
        argv = command.argv or ("python3", "-c", command.code or "")
        variables = (f"{name}={value}" for name, value in command.env.items())
        return await opened(box, Command(argv=("env", *variables, *argv), tty=command.tty, timeout=None))

    async def test_what_a_terminal_cannot_take_is_refused(self) -> None:
        self._needed()
        if self.terminals_take_all:
            pytest.skip("every command can be given a terminal here")
        asked: list[dict[str, Any]] = [{"env": {"X": "1"}}, {"timeout": Seconds(20)}, {"stdin": b"x"}]
        async with self.box() as box:
            for rest in asked:
                with pytest.raises(Unsupported):
                    await opened(box, Command(argv=("true",), tty=TTY, **{"timeout": None, **rest}))
            with pytest.raises(Unsupported):
                await opened(box, python("", tty=TTY, timeout=None))

    async def test_terminals_are_refused_where_there_are_none(self) -> None:
        if self.offers(Feature.TERMINALS):
            return
        async with self.box() as box:
            end = await end_of(box.run(shell("true", tty=TTY)))
            told = end.code if isinstance(end, (Failed, Unsupported)) else str(end)
            assert told == Unsupported.code

    def _needed(self) -> None:
        if not self.offers(Feature.TERMINALS):
            pytest.skip(f"engine {self.engine_name} has no terminals: their refusal is tested")

    async def test_a_command_with_a_terminal_knows_it(self) -> None:
        self._needed()
        code = "import os; print(os.isatty(0), os.isatty(1), os.isatty(2), *os.get_terminal_size())"
        result = await self.run(python(code, tty=TTY))
        assert result.stdout == b"True True True 100 30\r\n"

    async def test_a_command_without_has_none(self) -> None:
        result = await self.run(python("import sys; print(sys.stdin.isatty(), sys.stdout.isatty())"))
        assert result.stdout == b"False False\n"

    async def test_what_is_typed_is_shown_and_read(self) -> None:
        self._needed()
        async with self.box() as box:
            terminal = await self._opened(box, Command(argv=("/bin/cat",), tty=TTY, timeout=Seconds(20)))
            screen = Screen(terminal.events())
            await terminal.type(b"hello\r")
            assert await screen.until(b"hello\r\nhello\r\n")
            await terminal.type(b"\x04")
            assert (await screen.ended()).exit_code == 0

    async def test_a_shell_converses(self) -> None:
        self._needed()
        async with self.box() as box:
            terminal = await self._opened(
                box, Command(argv=("/bin/sh",), tty=TTY, env={"PS1": "ready> "}, timeout=Seconds(20))
            )
            screen = Screen(terminal.events())
            await screen.until(b"ready> ")
            await terminal.type(b"echo $((6 * 7)); exit 3\r")
            assert (await screen.ended()).exit_code == 3
            assert b"\r\n42\r\n" in screen.text

    async def test_resizing_reaches_the_program(self) -> None:
        self._needed()
        code = """
import os, signal
reader, writer = os.pipe()
signal.signal(signal.SIGWINCH, lambda *_: os.write(writer, b"!"))
print("ready", flush=True)
os.read(reader, 1)
print(*os.get_terminal_size())
"""
        async with self.box() as box:
            terminal = await self._opened(box, python(code, tty=TTY, timeout=Seconds(20)))
            screen = Screen(terminal.events())
            await screen.until(b"ready")
            await terminal.resize(TerminalSize(40, 132))
            await screen.until(b"132 40")
            assert (await screen.ended()).exit_code == 0

    async def test_control_c_interrupts(self) -> None:
        self._needed()
        code = """
import signal
try:
    print('ready', flush=True)
    signal.pause()
except KeyboardInterrupt:
    exit(5)
"""
        async with self.box() as box:
            terminal = await self._opened(box, python(code, tty=TTY, timeout=Seconds(20)))
            screen = Screen(terminal.events())
            await screen.until(b"ready")
            await terminal.type(b"\x03")
            assert (await screen.ended()).exit_code == 5

    async def test_closing_hangs_up_on_the_whole_tree(self) -> None:
        self._needed()
        async with self.box() as box:
            terminal = await self._opened(
                box, shell(f"trap '' HUP; {NAP} & echo ready; {NAP}", tty=TTY, timeout=None)
            )
            await Screen(terminal.events()).until(b"ready")
            await terminal.close()
            await terminal.close()
            assert await sleepers(box) == 0

    async def test_the_timeout_holds_on_a_terminal(self) -> None:
        self._needed()
        result = await self.run(shell(f"echo shown; {NAP}", tty=TTY, timeout=Seconds(0.4)))
        assert (result.exit_code, result.stdout) == (124, b"shown\r\n")

    async def test_terminals_do_not_reach_each_other(self) -> None:
        self._needed()
        async with self.box() as box:
            one = await self._opened(box, Command(argv=("/bin/cat",), tty=TTY, timeout=Seconds(20)))
            two = await self._opened(box, Command(argv=("/bin/cat",), tty=TTY, timeout=Seconds(20)))
            await one.type(b"for one\r")
            assert b"for one" in await Screen(one.events()).until(b"for one\r\nfor one")
            await two.type(b"for two\r")
            assert b"for one" not in await Screen(two.events()).until(b"for two\r\nfor two")
            assert (await collect(box, shell("echo works"))).stdout == b"works\n"
