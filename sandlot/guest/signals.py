"""Signal dispositions of the three kinds of process in a box.

`_signal` is the C core of `signal`: the module around it builds enums for 4 ms, which the agent has not got.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

SIGINT = 2
SIGKILL = 9
SIGPIPE = 13
SIGCHLD = 17
SIGSTOP = 19
SIGXFSZ = 25
LAST = 64
_UNTOUCHABLE = frozenset((9, 17, 18, 19, 32, 33))  # KILL, CHLD, CONT, STOP; 32 and 33 are glibc's own


def ignore_all() -> None:
    """Let no signal but KILL and STOP reach this process: a payload of the same uid may send any.

    Children inherit it, so whoever becomes a payload calls `restore`. SIGCHLD stays, since ignoring it would
    reap children unseen.
    """
    _set_all(_signal.SIG_IGN)


def restore(*, python: bool) -> None:
    """Give a payload the dispositions and the mask of a fresh process, with *python* of an interpreter."""
    _signal.set_wakeup_fd(-1)
    _set_all(_signal.SIG_DFL)
    _signal.signal(SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    if python:
        _signal.signal(SIGINT, _signal.default_int_handler)
        _signal.signal(SIGPIPE, _signal.SIG_IGN)
        _signal.signal(SIGXFSZ, _signal.SIG_IGN)


def wake_on_child(descriptor: int) -> None:
    """Write a byte to this non-blocking descriptor whenever a child changes state (or somebody claims so)."""
    _signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    _signal.signal(SIGCHLD, lambda _number, _frame: None)


def _set_all(action: _signal.Handlers) -> None:
    for number in range(1, LAST + 1):
        if number not in _UNTOUCHABLE:
            _signal.signal(number, action)
