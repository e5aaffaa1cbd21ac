"""The loop of a context: greet, then answer one request after the other until there are no more."""

from __future__ import annotations

import builtins
import os
import sys

from ...wire.json_object import JsonError
from .. import handler
from . import ipython, printing
from .branching import Branching, NothingGiven, Unsafe, private
from .channel import Channel
from .interrupts import Interrupts, Loop, forget_half_imports
from .outlet import Outlet
from .plain import PlainShell
from .streams import Typed, Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Protocol, Tuple

    class Shell(Protocol):
        """What runs cells."""

        language: Tuple[str, str]
        name: str
        version: str
        features: Tuple[str, ...]

        @property
        def count(self) -> int:
            """The number of the next cell."""

        @property
        def is_leaving(self) -> bool:
            """The last cell ended the context."""

        def run(self, code: str, *, store: bool, silent: bool) -> str:
            """Run a cell: ok, error or interrupted."""

        def evaluate(self, expressions: Dict[str, str]) -> None:
            """Tell the values of *expressions* by their names."""

        def complete(self, code: str, cursor: int) -> Dict[str, Any]:
            """matches, start, end, metadata."""

        def inspect(self, code: str, cursor: int, detail: int) -> Dict[str, Any]:
            """found, data, metadata."""

        def is_complete(self, code: str) -> Tuple[str, str]:
            """Its status and the indent of the next line."""

        def history(self, most: int) -> List[Tuple[int, str]]:
            """The last cells and their numbers."""


class Program:
    """One context in its process."""

    def __init__(self, namespace: Dict[str, Any]) -> None:
        """Take the process over: descriptors, streams, input, SIGINT."""
        self._pid = os.getpid()
        self._branching = Branching(private(handler.PASSING))
        self._channel = Channel(private(0), private(handler.VALUE), self._branching.bell())
        _put_null(0)
        self._outlet = Outlet(self._channel)
        self._interrupts = Interrupts(self._puts_off)
        self._loop = Loop(self._interrupts)
        sys.stdin, sys.stdout, sys.stderr = self._streams()
        self._shell = self._made_shell(namespace)
        self._take_input()
        printing.install()
        self._interrupts.install()
        os.register_at_fork(after_in_child=self._leave)

    def _made_shell(self, namespace: Dict[str, Any]) -> Shell:
        own = ipython.shell(self._outlet, self._loop)
        return PlainShell(namespace, self._outlet, self._loop) if own is None else own

    def _rest(self) -> None:
        self._loop.rest(self._channel.requests, lambda: self._channel.has_request)

    def _puts_off(self) -> bool:
        return self._channel.puts_off()

    def serve(self) -> None:
        """Greet the host and answer it; in a copy of this process, its own."""
        self._greet()
        while not self._shell.is_leaving:
            self._rest()
            request = self._channel.ask()
            if request is None:
                return
            self._answer(request)

    def _greet(self) -> None:
        shell = self._shell
        language, version = shell.language
        self._channel.tell(
            {
                "event": "ready",
                "language": language,
                "version": version,
                "shell": shell.name,
                "shell_version": shell.version,
                "features": list(shell.features),
            }
        )

    def _answer(self, request: Dict[str, Any]) -> None:
        do, number = request.get("do"), request.get("id")
        if do == "execute":
            self._execute(request, number)
        elif do == "fork":
            self._fork(number)
        elif do != "answer":  # that one came too late: the cell was interrupted
            self._channel.tell({"event": "reply", "id": number, **self._reply(str(do), request)})

    def _execute(self, request: Dict[str, Any], number: Any) -> None:
        shell, outlet = self._shell, self._outlet
        outlet.takes_input, outlet.has_raised, outlet.is_interrupted = (
            bool(request.get("input")),
            False,
            False,
        )
        self._loop.is_interrupted = False
        count = shell.count
        try:
            with self._interrupts:  # before it is told: who hears that a cell has begun may interrupt it
                self._channel.tell({"event": "begun", "id": number, "count": count})
                status = shell.run(
                    str(request["code"]), store=bool(request["store"]), silent=bool(request["silent"])
                )
                if status == "ok" and os.getpid() == self._pid:
                    shell.evaluate(dict(request.get("expressions") or {}))
        except KeyboardInterrupt:  # between the cell's last step and the end of its time
            status = "interrupted"
            if not outlet.has_raised:
                outlet.error("KeyboardInterrupt", "", ["KeyboardInterrupt\n"])
        if os.getpid() != self._pid:  # the cell forked, and this is the child: nobody awaits it here
            _flush()
            os._exit(0)
        _flush()
        if status == "interrupted":
            forget_half_imports()
        self._channel.tell({"event": "done", "id": number, "status": status, "count": count})

    def _fork(self, number: Any) -> None:
        """Answer in the original; greet in the copy."""
        _flush()
        told: Dict[str, Any] = {}
        try:
            if "fork" not in self._shell.features:
                raise Unsafe("it has a kernel, which is another process")
            busy = self._loop.left()
            if busy:
                raise Unsafe(f"it has tasks of the event loop that wait ({busy}): await or cancel them first")
            ends = self._branching.fork({0, 1, 2, *self._channel.descriptors, *self._loop.descriptors})
        except (Unsafe, OSError) as error:
            told = {"error": str(error), "given": not isinstance(error, NothingGiven)}
        else:
            if ends is not None:
                self._pid = os.getpid()
                self._channel.move(ends.requests, ends.events, ends.bell)
                self._loop.part()
                self._greet()
                return
        self._channel.tell({"event": "reply", "id": number, **told})

    def _reply(self, do: str, request: Dict[str, Any]) -> Dict[str, Any]:
        """The answer to a question; of one that fails, because objects of the user had a say in it, why."""
        try:
            return self._replied(do, request)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - see above
            return {"error": f"{type(error).__name__}: {error}"[:1000].encode("ascii", "replace").decode()}

    def _replied(self, do: str, request: Dict[str, Any]) -> Dict[str, Any]:
        shell = self._shell
        if do == "complete":
            return shell.complete(request["code"], request["cursor"])
        if do == "inspect":
            return shell.inspect(request["code"], request["cursor"], request["detail"])
        if do == "is_complete":
            status, indent = shell.is_complete(request["code"])
            return {"status": status, "indent": indent}
        if do == "history":
            return {"entries": [[number, code] for number, code in shell.history(request["most"])]}
        raise ValueError(f"nobody knows how to {do!r}")

    def _streams(self) -> Tuple[Any, Any, Any]:
        return Typed(self._outlet), Written(self._outlet, "stdout", 1), Written(self._outlet, "stderr", 2)

    def _take_input(self) -> None:
        import getpass

        vars(builtins)["input"] = self._input
        vars(getpass)["getpass"] = self._getpass

    def _input(self, prompt: object = "") -> str:
        """What `input` is in a cell."""
        __tracebackhide__ = True
        return self._outlet.ask(str(prompt))

    def _getpass(self, prompt: str = "Password: ", _stream: object = None, **_rest: object) -> str:
        """What `getpass.getpass` is in a cell."""
        __tracebackhide__ = True
        return self._outlet.ask(prompt, password=True)

    def _leave(self) -> None:
        """In a fork of the context: what it says goes where its parent's children write."""
        if not self._branching.is_under_way:
            self._channel.leave()
            self._loop.forget()


def _put_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)


def _flush() -> None:
    """What the cell left in buffers, also of streams that were there before ours."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError, AttributeError, JsonError):  # it may be any object
            continue
