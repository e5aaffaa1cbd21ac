"""Which verb is answered by what. Rooms are imported when their first verb is asked for."""

from __future__ import annotations

from . import commands, process_verbs, processes
from .refusal import Refusal
from .tasks import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

    from ..wire.order import Order
    from .beneath import Roots
    from .greeting import Box
    from .loop import Loop
    from .streams import Conversation, Stream
    from .takeover import Underway
    from .tasks import Work

    FileVerb = Callable[[Roots, Dict[str, Any]], Work]


class Verbs:
    """Makes the conversation that answers a request."""

    def __init__(self, box: Box, loop: Loop) -> None:
        """Nothing runs, nothing is open."""
        self._box = box
        self._loop = loop
        self._roots: Optional[Roots] = None
        self._table = processes.Table(loop, box)
        self.is_over = False
        self._on_processes: Dict[str, Callable[..., Work]] = {
            "processes": process_verbs.listed,
            "process_signal": process_verbs.signalled,
            "process_output": process_verbs.output,
        }
        self._talks: Dict[str, Callable[..., Conversation]] = {
            "run": commands.Run,
            "process_input": process_verbs.ProcessInput,
            "process_wait": process_verbs.ProcessWait,
        }

    def conversation(self, stream: Stream, request: Dict[str, Any]) -> Conversation:
        """Raises Refusal for a request that cannot be understood, or a verb that nobody knows."""
        verb = request.get("verb")
        if not isinstance(verb, str):
            raise Refusal("invalid", "a request needs the text 'verb'")
        if verb in self._talks:
            return self._talks[verb](stream, request, self._table)
        if verb in self._on_processes:
            return Task(stream, self._loop, self._on_processes[verb](self._table, request))
        if verb in ("ping", "shutdown"):
            self.is_over = self.is_over or verb == "shutdown"
            return Task(stream, self._loop, _nothing())
        if verb == "watch":
            from .watch import Watch

            return Watch(stream, request, self._open_roots(), self._loop)
        return Task(stream, self._loop, _file_verb(verb)(self._open_roots(), request), request.get("path"))

    def ordered(self, stream: Stream, wanted: Order) -> Conversation:
        """The conversation that answers an ORDER. Raises Refusal."""
        return commands.Ordered(stream, wanted, self._table)

    def resume(self, commands_before: int) -> None:
        """Count on from so many commands."""
        self._table.resume(commands_before)

    def resumed(self, stream: Stream, underway: Underway) -> Conversation:
        """The conversation about a command that runs already."""
        conversation = commands.Ordered(stream, underway.order, self._table)
        conversation.resume(underway)
        return conversation

    def end(self) -> None:
        """Leave nothing running."""
        self._table.end()

    def _open_roots(self) -> Roots:
        if self._roots is None:
            from .beneath import Roots

            self._roots = Roots(self._box.roots)
        return self._roots


def _nothing() -> Work:
    yield from ()
    return {}


def _file_verb(verb: str) -> FileVerb:
    from . import archives, files, removal

    known: Dict[str, FileVerb] = {
        "stat": files.stat,
        "list": files.listed,
        "read": files.read,
        "write": files.write,
        "mkdir": files.make_directory,
        "move": files.move,
        "remove": removal.remove,
        "put": archives.put,
        "get": archives.get,
    }
    if verb not in known:
        raise Refusal("unsupported", f"no verb {verb!r}; a newer host may need a newer agent")
    return known[verb]
