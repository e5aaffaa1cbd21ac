"""The first process of a parked box in C, while all it does is simple; the sources are in `native/`.

An interpreter that looks after a box copies a page of memory for whatever it touches, which is most of what a
box costs. This one makes the box from a tape, keeps a spare and runs one order at a time in it, and touches
hardly a page. What it cannot do it returns to Python for, with all it has (`takeover`).

It is there where a compiler was when the environment was first used (environments.native); without it
`parked` does the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from ..walls import lockdown
from ..walls.syscalls import address_of
from ..wire import frames, json_object
from ..wire.frames import Kind
from . import clones, payload, runner, spare
from .greeting import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Tuple, Union

    from ..walls.tape import Tape
    from .parked import Mould

_MOST_GIVEN, _TAPS, _MOST_READY, _MOST_CLAIM = 16, 3, 4096, 16384
_ROOM_IN, _ROOM_OUT = 196608, 131072
_SPARE, _AGENT = -1000001, -1000002

_Long, _Address = ctypes.c_long, ctypes.c_void_p


class _Tape(ctypes.Structure):
    _fields_ = (("calls", _Address), ("count", _Long), ("answers", _Address), ("answer_count", _Long))


class _Text(ctypes.Structure):
    _fields_ = (("text", _Address), ("length", _Long))


class _Mould(ctypes.Structure):
    _fields_ = (
        ("clone_flags", _Long),
        ("tid_at", _Long),
        ("making", _Tape),
        ("enclosing", _Tape),
        ("confining", _Tape),
        ("settling", _Tape),
        ("widening", _Tape),
        ("hello", _Text),
        ("answer", _Text),
        ("answer_end", _Text),
        ("enclosed", _Text),
        ("stands_alone", _Long),
        ("is_limited", _Long),
        ("held_first", _Long),
        ("held_count", _Long),
    )


class _Box(ctypes.Structure):
    _fields_ = (
        ("waiting", _Long),
        ("go", _Long),
        ("given", _Long * _MOST_GIVEN),
        ("given_count", _Long),
        ("pidfd", _Long),
    )


class _Heard(ctypes.Structure):
    _fields_ = (("length", _Long), ("bytes", ctypes.c_ubyte * _MOST_READY))


class _Spare(ctypes.Structure):
    _fields_ = (("pid", _Long), ("heard", _Heard))


class Tap(ctypes.Structure):
    """An output of the command under way: is_open, and bytes to pass on, to drop, passed on, dropped."""

    _fields_ = (
        ("is_open", _Long),
        ("keep", ctypes.c_uint64),
        ("drop", ctypes.c_uint64),
        ("kept", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
    )


class Run(ctypes.Structure):
    """The command under way, as struct run of native/init.h; stream is 0 when there is none."""

    _fields_ = (
        *((name, _Long) for name in ("stream", "pid", "base", "is_told", "is_dead", "is_ending", "is_over")),
        *((name, _Long) for name in ("is_last", "is_failed", "by", "reason", "status", "window")),
        *((name, ctypes.c_double) for name in ("begun", "seconds", "timeout")),
        *((name, ctypes.c_double) for name in ("grace_until", "patience_until", "words_until")),
        *((name, ctypes.c_double) for name in ("main_cpu", "spare_cpu", "strangers_cpu")),
        *((name, _Long) for name in ("main_peak", "strangers_peak")),
        ("taps", Tap * _TAPS),
        ("is_exec", _Long),
        ("order", _Address),
        ("order_length", _Long),
        ("unsent", _Address),
        ("unsent_length", _Long),
        ("heard", _Heard),
    )


class State(ctypes.Structure):
    """All that a first process has, as struct init of native/init.h."""

    _fields_ = (
        *((name, _Long) for name in ("is_greeted", "is_moved", "is_claimed", "latest", "commands")),
        ("spare", _Spare),
        ("run", Run),
        ("flush_at", ctypes.c_double),
        *((name, _Long) for name in ("in_begin", "in_end", "out_begin", "out_end")),
        ("claim_length", _Long),
        ("message_length", _Long),
        ("claim", ctypes.c_ubyte * _MOST_CLAIM),
        ("message", ctypes.c_ubyte * (_MOST_CLAIM + frames.MAX_PAYLOAD + 8)),
        ("incoming", ctypes.c_ubyte * _ROOM_IN),
        ("outgoing", ctypes.c_ubyte * _ROOM_OUT),
    )


class Spare:
    """A process of a box that waits for its order."""

    def __init__(self, mould: Mould, wait: Callable[[], bytes]) -> None:
        """Born just now, behind its early walls; *wait* gives the text of its order, behind the others."""
        self._mould, self._wait = mould, wait

    def serve(self) -> int:
        """Wait; leaves by payload.Handover, or by the end of the process."""
        with payload.Edge():
            spare.get_ready(self._mould.box, list(self._mould.enclosed))
            spare.carry_out(self._wait())


class Agent:
    """The first process of a box, which had better go on in Python."""

    def __init__(self, mould: Mould, state: State) -> None:
        """*state* is how far it came."""
        self._mould, self._state = mould, state

    def serve(self) -> int:
        """Be the box's agent; as agent.serve."""
        runner.step_down()
        from . import takeover

        return takeover.serve(self._mould, self._state)


class Init:
    """Makes boxes whose first process is ours."""

    is_native = True

    def __init__(self, path: str, mould: Mould, cloner: clones.Cloner, flags: int) -> None:
        """Load the library *path*; the boxes are clones with these *flags*. OSError, AttributeError."""
        library = ctypes.PyDLL(path)
        self._birth: Any = library.sandlot_box_birth
        self._birth.restype = _Long
        self._wait: Any = library.sandlot_spare_wait
        self._wait.restype = None
        self._order = _Text()
        sizes = library.sandlot_init_sizes
        sizes.restype = _Long
        if sizes() != sum(
            ctypes.sizeof(each) * 1000**place for place, each in enumerate((_Mould, _Box, State))
        ):
            raise OSError(errno.ENOEXEC, f"{path} is of another version", path)
        find = library.sandlot_init_state
        find.restype = ctypes.POINTER(State)
        self._state: State = find().contents
        self._kept: List[object] = []
        self._mould = mould
        self._native = self._packed(mould, cloner, flags)

    def birth(self, waiting: int, go: int, given: List[int]) -> Union[Tuple[int, int], Spare, Agent]:
        """A box that begins when `+` comes out of *waiting*: pid and pidfd of its first process.

        *given* as parked.serve takes them. In the processes of the box it returns what they are to be.
        Raises OSError.
        """
        box = _Box(waiting, go, (_Long * _MOST_GIVEN)(*given), len(given), -1)
        pid = self._birth(ctypes.byref(self._native), ctypes.byref(box))
        if pid == _SPARE:
            return Spare(self._mould, self._await_order)
        if pid == _AGENT:
            return Agent(self._mould, self._state)
        if pid < 0:
            raise OSError(-pid, f"clone3: {os.strerror(-pid)}")
        return pid, box.pidfd

    def _await_order(self) -> bytes:
        self._wait(ctypes.byref(self._native), ctypes.byref(self._order))
        return ctypes.string_at(self._order.text, self._order.length)

    def _packed(self, mould: Mould, cloner: clones.Cloner, flags: int) -> _Mould:
        answer = {"protocol": PROTOCOL, "python": sys.version.split()[0], "orders": True}
        opening = json_object.render({**answer, "walls": {"agent": mould.own}})[:-2]
        held = lockdown.held()
        return _Mould(
            clone_flags=flags | clones.CHILD_SETTID | clones.CHILD_CLEARTID,
            tid_at=cloner.tid_at,
            making=self._tape(mould.making),
            enclosing=self._tape(mould.box.enclosing),
            confining=self._tape(mould.confining),
            settling=self._tape(mould.settling),
            widening=self._tape(mould.widening),
            hello=self._text(frames.json_frame(Kind.HELLO, 0, mould.nest.hello).payload),
            answer=self._text(opening + b',"payload":'),
            answer_end=self._text(b"}}"),
            enclosed=self._text(" or ".join(mould.enclosed).encode()),
            stands_alone="session" in mould.box.early.walls,
            is_limited="rlimits" in mould.box.plan.walls,
            held_first=min(held, default=0),
            held_count=len(held),
        )

    def _tape(self, tape: Tape) -> _Tape:
        calls, answers = tape.packed()
        self._kept += [tape, calls, answers]
        return _Tape(
            ctypes.addressof(calls), tape.length, ctypes.addressof(answers), len(answers) // tape.ANSWER_WORDS
        )

    def _text(self, content: bytes) -> _Text:
        self._kept.append(content)
        return _Text(address_of(content), len(content))
