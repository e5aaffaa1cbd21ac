"""One poll(2), its callbacks and its timers: all waiting of the agent and of a supervisor happens here."""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    Callback = Callable[[], None]

READ = select.POLLIN
WRITE = select.POLLOUT
_LONGEST_WAIT = 3600.0
now = time.monotonic


class Timer:
    """A callback that is due at an instant of the monotonic clock, unless cancelled before."""

    def __init__(self, due: float, callback: Callback) -> None:
        """Take the instant and what to call."""
        self.due = due
        self.callback: Optional[Callback] = callback

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class Loop:
    """Calls back when descriptors are ready and timers are due. A descriptor has at most one watcher.

    poll(2) reports hang-ups unasked, so what has nobody to read it now is forgotten, not watched for nothing.
    """

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._poll = select.poll()
        self._watchers: Dict[int, Callback] = {}
        self._timers: List[Timer] = []

    def watch(self, descriptor: int, events: int, callback: Callback) -> None:
        """Call back, until forgotten, whenever the descriptor is ready for READ or WRITE or has failed."""
        self._poll.register(descriptor, events)
        self._watchers[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """Stop watching; call it before the descriptor is closed. Not watched is fine."""
        if self._watchers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, callback: Callback) -> Timer:
        """Call back once, when that many seconds have passed."""
        timer = Timer(now() + seconds, callback)
        self._timers.append(timer)
        return timer

    def soon(self, callback: Callback) -> None:
        """Call back once, after what is ready now had its turn."""
        self.after(0.0, callback)

    def turn(self) -> None:
        """Wait for the next thing to happen and let everything that is ready or due happen."""
        for descriptor, _ in self._poll.poll(self._patience()):
            callback = self._watchers.get(descriptor)
            if callback is not None:  # an earlier callback of this turn may have forgotten it
                callback()
        due = [timer for timer in self._timers if timer.due <= now()]
        for timer in due:
            if timer.callback is not None:
                timer.callback()
        self._timers = [timer for timer in self._timers if timer.callback is not None and timer not in due]

    def _patience(self) -> float:
        """Milliseconds until the next timer is due."""
        pending = [timer.due for timer in self._timers if timer.callback is not None]
        seconds = min([_LONGEST_WAIT, *(due - now() for due in pending)])
        return max(0.0, seconds) * 1000
