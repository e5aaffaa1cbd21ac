"""A file verb is a generator; this drives it, a slice at a time, so that no verb holds up the others.

It yields bytes to send as OUTPUT, a dict to send as EVENT, INPUT to be resumed with the next input (None at
its end), or TURN to let others work; it returns the value of DONE. A cancel raises Cancelled where it waits:
its `finally` blocks undo its work, and may take turns for that. The stream ends after the last of them.
"""

from __future__ import annotations

from ..wire.frames import Kind
from .refusal import Refusal, from_os
from .streams import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from typing import Any, Deque, Dict, Generator, Optional, Union

    from .loop import Loop
    from .streams import Stream

    Step = Union[bytes, Dict[str, Any], "Pause"]
    Work = Generator[Step, Optional[bytes], Dict[str, Any]]
else:
    from _collections import deque

_STEPS_PER_TURN = 32


class Pause:
    """Why a generator waits."""


INPUT = Pause()
TURN = Pause()


class Cancelled(Exception):
    """The caller wants nothing more of this request."""


class Task(Conversation):
    """A conversation that is a generator."""

    def __init__(self, stream: Stream, loop: Loop, work: Work, subject: object = None) -> None:
        """Take the generator, which `start` starts. Errors of the kernel are told about *subject*."""
        super().__init__(stream)
        self._loop = loop
        self._work = work
        self._subject = str(subject or "the request")
        self._inbox: Deque[Optional[bytes]] = deque()
        self._pending = b""
        self._wants_input = False
        self._scheduled = False
        self._is_cancelled = self._is_undoing = False

    def start(self) -> None:
        """Take the first steps."""
        self._advance()

    def input(self, data: bytes) -> None:
        """Queue input; credit bounds the queue."""
        self._inbox.append(data)
        self._schedule()

    def input_end(self) -> None:
        """Queue the end of the input."""
        self._inbox.append(None)
        self._schedule()

    def roomy(self) -> None:
        """Go on sending."""
        self._schedule()

    def cancel(self) -> None:
        """Let the generator undo its work; a second time changes nothing."""
        if not self._is_cancelled:
            self._is_cancelled, self._wants_input, self._pending = True, False, b""
            self._inbox.clear()
            self._advance()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.soon(self._advance)

    def _advance(self) -> None:
        self._scheduled = False
        if self.stream.is_done:
            return
        try:
            if self._is_cancelled:
                self._undo()
            else:
                self._do()
        except StopIteration as stop:
            self.stream.done(stop.value)
        except Cancelled:
            self.stream.fail(Refusal("failed", "cancelled by the caller"))
        except (Refusal, OSError) as error:
            self._work.close()
            self.stream.fail(error if isinstance(error, Refusal) else from_os(error, self._subject))

    def _do(self) -> None:
        for _ in range(_STEPS_PER_TURN):
            if not self._step():
                return
        self._schedule()

    def _undo(self) -> None:
        """Let the work clean up, whatever it still says."""
        if self._is_undoing:
            next(self._work)
        else:
            self._is_undoing = True
            self._work.throw(Cancelled())
        self._schedule()

    def _step(self) -> bool:
        """Do one thing; whether another can follow at once."""
        if self._pending:
            return self._send_pending()
        if self.stream.outbox.is_full:
            self.stream.outbox.when_roomy(self.roomy)
            return False
        if self._wants_input and not self._inbox:
            return False
        self._take(self._work.send(self._next_input()))
        return True

    def _next_input(self) -> Optional[bytes]:
        if not self._wants_input:
            return None
        self._wants_input = False
        data = self._inbox.popleft()
        if data:
            self.stream.consumed(len(data))
        return data

    def _take(self, step: Step) -> None:
        if isinstance(step, bytes):
            self._pending = step
        elif isinstance(step, dict):
            self.stream.event(step)
        else:
            self._wants_input = step is INPUT

    def _send_pending(self) -> bool:
        room = self.stream.room
        if not room:
            if self.stream.outbox.is_full:
                self.stream.outbox.when_roomy(self.roomy)
            return False
        self.stream.send(Kind.OUTPUT, self._pending[:room])
        self._pending = self._pending[room:]
        return True
