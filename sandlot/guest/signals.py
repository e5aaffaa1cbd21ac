"""Signal dispositions of the three kinds of process in a box.

`_signal` is the C core of `signal`: the module around it builds enums for 4 ms, which the agent has not got.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Dict
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
_OF_PYTHON: Dict[int, _signal._HANDLER] = {
    SIGINT: _signal.default_int_handler,
    SIGPIPE: _signal.SIG_IGN,
    SIGXFSZ: _signal.SIG_IGN,
}
"""What an interpreter sets for itself when it starts."""


_changed = {number for number in range(1, LAST + 1) if number not in _UNTOUCHABLE} | {SIGCHLD}
"""Numbers that may be treated otherwise than a fresh interpreter treats them: nobody knows at first."""


def ignore_all() -> None:
    """Let no signal but KILL and STOP reach this process: a payload of the same uid may send any.

    Children inherit it, so whoever becomes a payload calls `restore`. SIGCHLD stays, since ignoring it would
    reap children unseen.
    """
    for number in range(1, LAST + 1):
        if number not in _UNTOUCHABLE:
            _set(number, _signal.SIG_IGN)


def shield() -> None:
    """As `ignore_all`, for a freshly restored interpreter that is the first process of a pid namespace.

    No signal without a handler reaches such a process but KILL and STOP from outside (pid_namespaces(7)), and
    an interpreter has a handler for one.
    """
    _set(SIGINT, _signal.SIG_IGN)


def restore(*, python: bool) -> None:
    """Give a payload the dispositions and the mask of a fresh process, with *python* of an interpreter."""
    _signal.set_wakeup_fd(-1)
    for number in _changed if python else _changed.union(_OF_PYTHON):
        _signal.signal(number, _OF_PYTHON.get(number, _signal.SIG_DFL) if python else _signal.SIG_DFL)
    _changed.clear()
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def wake_on_child(descriptor: int) -> None:
    """Write a byte to this non-blocking descriptor whenever a child changes state (or somebody claims so)."""
    _signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    _set(SIGCHLD, lambda _number, _frame: None)


def _set(number: int, action: _signal._HANDLER) -> None:
    _signal.signal(number, action)
    _changed.add(number)
