"""`sandlot repl`: cells typed at a prompt, or read from a pipe, in an interpreter that keeps its state."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import signal
import sys
import threading
from typing import Any, Iterator, Optional, Sequence

from sandlot.contracts.cell_result import CellFold, CellResult
from sandlot.contracts.cells import Cell, CellStatus, InputAsked
from sandlot.contracts.errors import Conflict, SandlotError
from sandlot.contracts.quantity import Seconds

from . import arguments_sandboxes, cells, interpreter, keyboard, pictures, prompt, render, service
from .interpreter import AnyContext

_LEAVING = ("exit", "exit()", "quit", "quit()")


def main(words: Sequence[str]) -> int:
    """Work with the interpreter that *words* ask for; 0, or the exit code of the first cell that failed."""
    parser = arguments_sandboxes.repl()
    options = parser.parse_args(words)
    if options.context is not None and options.sandbox is None:
        parser.error("--context needs --sandbox: a new sandbox has none")
    asked = service.asked(options, {"environment": options.environment})
    with _ended_properly(), interpreter.opened(options, asked) as context:
        session = Session(context, options)
        if options.json or not keyboard.is_terminal():
            return session.read_all()
        return session.converse()


class Session:
    """One stretch of work with a context."""

    def __init__(self, context: AnyContext, options: argparse.Namespace) -> None:
        """Begin to work with *context*."""
        self._context = context
        self._timeout = None if options.timeout is None else Seconds.parse(options.timeout)
        self._as_json: bool = options.json
        self._album = pictures.Album(options.images)

    def read_all(self) -> int:
        """Run the cells of standard input; the exit code of the first that fails, 0 when none does."""
        shower = cells.Shower(self._album, with_numbers=False)
        for code in prompt.parted(sys.stdin):
            result = self._run(code, None if self._as_json else shower)
            if self._as_json:
                print(json.dumps(result.to_json()), flush=True)
            if not result.ok:
                return cells.EXIT_CODES[result.status]
        return 0

    def converse(self) -> int:
        """Run what is typed until whoever types leaves; 0."""
        facts = self._context.facts
        told = " ".join(filter(None, (facts.language, facts.version, facts.shell, facts.shell_version)))
        render.say(f"{told}; Ctrl-C interrupts, Ctrl-D ends" if told else "Ctrl-C interrupts, Ctrl-D ends")
        shower = cells.Shower(self._album, with_numbers=True)
        typed = prompt.Prompt(self._context)
        while True:
            try:
                code = typed.cell(shower.count + 1)
            except KeyboardInterrupt:
                print()
                continue
            if code is None or code.strip() in _LEAVING:
                return 0
            if code.strip():
                self._run_typed(code, shower)

    def _run_typed(self, code: str, shower: cells.Shower) -> None:
        result = self._run(code, shower, is_typed=True)
        if result.status is CellStatus.DIED:
            self._context.restart()
            shower.count = 0
            render.say("another interpreter was started: what the old one knew is gone")

    def _run(self, code: str, shower: Optional[cells.Shower], *, is_typed: bool = False) -> CellResult:
        """The result of *code*, which was shown as it came. Ctrl-C interrupts it."""
        folded = CellFold()
        cell = Cell(code, timeout=self._timeout, allow_input=is_typed)
        with contextlib.closing(self._context.run(cell)) as events, self._interruptible():
            for event in events:
                folded.add(event)
                if isinstance(event, InputAsked):
                    self._answer(event)
                elif shower is not None:
                    shower.show(event)
        return folded.result

    def _answer(self, asked: InputAsked) -> None:
        """Ask whoever types; Ctrl-C and Ctrl-D interrupt the cell."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            line = getpass.getpass(asked.prompt) if asked.password else input(asked.prompt)
        except (KeyboardInterrupt, EOFError):
            print()
            self._context.interrupt()
            return
        finally:
            signal.signal(signal.SIGINT, before)
        with contextlib.suppress(Conflict):  # its time was over before: its end tells
            self._context.answer(line)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """While a cell runs Ctrl-C interrupts it; a second one that is not heeded leaves it."""
        times = 0

        def interrupt(number: int, frame: Any) -> None:
            nonlocal times
            times += 1
            if times > 1:
                signal.default_int_handler(number, frame)
            # In a thread of its own: the handler came in the middle of a read from the same context.
            threading.Thread(target=_quietly, args=(self._context,), daemon=True).start()

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _quietly(context: AnyContext) -> None:
    with contextlib.suppress(SandlotError):  # the cell's own end tells what went wrong
        context.interrupt()


@contextlib.contextmanager
def _ended_properly() -> Iterator[None]:
    """Told to end, we end the sandbox that is ours first."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)
