"""The zygote: an interpreter that has loaded an environment's packages and forks boxes out of itself.

It runs as the environment's own user, in namespaces of the environment: what it loads is the code of others
and gets no power over the host. It makes one box for each packet on its socket, and dies without harm: boxes
are its siblings. Its packets are answered in order; each answer carries the descriptor of the box's first
process, since numbers that it says are not believed.
"""

from __future__ import annotations

import gc
import os
import sys
import time

from ..walls import lockdown, namespaces
from ..wire import json_object
from . import clones, hugepages, rehearsal, reseed, runner, stage
from .contexts import ipython
from .nest import Nest
from .parked import Mould, Newborn

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as _socket
    from typing import Any, Dict, List, NoReturn, Protocol, Tuple, Union

    class Process(Protocol):
        """A process of a box, before its first step."""

        def serve(self) -> int:
            """Be it; the exit status, or a payload.Handover."""

    class Midwife(Protocol):
        """What makes boxes. is_native: those have no interpreter until they need one."""

        is_native: bool

        def birth(self, waiting: int, go: int, given: List[int]) -> Union[Tuple[int, int], Process]:
            """As init.Init.birth."""
else:
    import _socket

_JOINED = 0.5  # seconds
_LARGEST = 65536
_MOST_DESCRIPTORS = 16
_INTEGER = 4  # bytes of a C int
_SIGCHLD = 17
_ALWAYS = ("user", "mnt")
_kept: List[object] = []  # what no box takes apart: that would copy the pages it lies on
_NAMESPACES = ("pid", "ipc", "uts", "net")


class Born(BaseException):  # nothing on the way up to `main` may catch it
    """Leaves the zygote's frames in a new box's first process."""

    def __init__(self, newborn: Process) -> None:
        """*newborn*: what it is to be."""
        super().__init__()
        self.newborn = newborn


def serve(text: str, archive: str, library: str) -> NoReturn:
    """Load what *text*, the JSON of a nest.Nest, names; make boxes until the socket on descriptor 0 closes.

    archive: the entry of sys.path this was imported from; library: the file of `init`, or nothing.
    Leaves by Born in each box, by SystemExit here.
    """
    control = _socket.socket(fileno=0)
    try:
        nest = Nest.parse(text)
        midwife = _load(nest, archive, library)
    except BaseException as error:  # noqa: BLE001 - whatever the packages raise: the keeper has to know
        _say(control, {"failed": f"{type(error).__name__}: {error}"[:2000]})
        sys.exit(1)
    _say(control, {"ready": sys.version.split()[0]})
    for _ in range(nest.most):
        packet, descriptors = _receive(control)
        if not packet:
            break
        _make(control, midwife, nest, json_object.parse(packet), descriptors)
    sys.exit(0)


def _load(nest: Nest, archive: str, library: str) -> Midwife:
    """Import and work out everything that boxes share; hidden from the collector from now on."""
    own = os.getpid()
    cloner = clones.Cloner(exit_signal=_SIGCHLD)
    reseed.record()
    stage.prepare()
    _load_agent()
    for name in nest.preload:
        __import__(name)
    if os.getpid() != own or _has_children():
        raise RuntimeError(
            f"importing {', '.join(nest.preload)} made a fork that lives on; forks need one process"
        )
    ipython.prepare()
    runner.rehearse()
    threads = _threads()
    if threads != 1:
        raise RuntimeError(f"importing {', '.join(nest.preload)} left {threads} threads; forks need one")
    lockdown.load(nest.plan)
    rehearsal.rehearse(nest.without_walls(), cloner)
    os.environ.clear()
    os.environ.update(nest.env)
    midwife = _midwife(Mould(nest, archive, cloner), library, cloner)
    _kept.append(midwife)
    runner.foresee(archive, is_final=midwife.is_native)
    gc.freeze()
    gc.disable()
    hugepages.collapse()
    return midwife


def _midwife(mould: Mould, library: str, cloner: clones.Cloner) -> Midwife:
    """What makes the boxes: `init` where there is one, for boxes whose first process is the first of all."""
    walls = mould.nest.walls
    own = [name for name in _NAMESPACES if f"namespaces.{name}" in walls]
    flags = namespaces.flags_of((*_ALWAYS, *own)) | clones.PARENT | clones.PIDFD
    if library and "pid" in own:
        from . import init, takeover  # noqa: F401 - the latter for boxes, which would load it again each

        try:
            return init.Init(library, mould, cloner, flags)
        except (OSError, AttributeError):
            # Compiled for the host, it may not suit the C library of this environment.
            return _Interpreter(mould, cloner, flags)
    return _Interpreter(mould, cloner, flags)


class _Interpreter:
    """Makes boxes whose first process is an interpreter."""

    is_native = False

    def __init__(self, mould: Mould, cloner: clones.Cloner, flags: int) -> None:
        self._mould, self._cloner, self._flags = mould, cloner, flags

    def birth(self, waiting: int, go: int, given: List[int]) -> Union[Tuple[int, int], Process]:
        """As init.Init.birth."""
        pid = self._cloner.clone(self._flags)
        if pid:
            return pid, self._cloner.pidfd
        os.close(go)
        if os.read(waiting, 1) != b"+":
            os._exit(1)
        os.close(waiting)
        os.close(0)  # the zygote's socket
        return Newborn(self._mould, given)


def _threads() -> int:
    """How many there are; those that were joined get time to go, for the kernel has them a moment longer."""
    until = time.monotonic() + _JOINED
    while True:
        threads = len(os.listdir("/proc/self/task"))
        if threads == 1 or time.monotonic() > until:
            return threads
        time.sleep(0.001)


def _has_children() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _load_agent() -> None:
    """What an agent imports when its first request comes: not in each box again."""
    from . import (  # noqa: F401
        archives,
        beneath,
        files,
        ordered,
        removal,
        terminal,
        verbs,
        watch,
    )
    from .contexts import program  # noqa: F401


def _make(
    control: _socket.socket, midwife: Midwife, nest: Nest, asked: Dict[str, Any], descriptors: List[int]
) -> None:
    waiting, go = os.pipe2(os.O_CLOEXEC)
    try:
        made = midwife.birth(waiting, go, descriptors)
    except OSError as error:
        _say(control, {"park": asked["park"], "failed": str(error)})
        _close([waiting, go, *descriptors])
        return
    if not isinstance(made, tuple):
        control.detach()  # the number is a descriptor of the box by now
        raise Born(made)
    pid, pidfd = made
    failed = ""
    try:
        _map(pid, nest, int(asked["uid"]))
    except OSError as error:
        failed = f"no user for it: {error}"
    # Told before it goes on: when this zygote dies in between, no box lives that nobody knows of.
    _say(control, {"park": asked["park"], "failed": failed}, pidfd)
    if not failed:
        os.write(go, b"+")
    _close([waiting, go, pidfd, *descriptors])


def _map(pid: int, nest: Nest, uid: int) -> None:
    """Let user and group of the box be *uid* of ours, which is a user of the host that nobody else is."""
    for name, inside in (("uid_map", nest.user), ("gid_map", nest.group)):
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"%d %d 1\n" % (inside, uid))
        finally:
            os.close(descriptor)


def _receive(control: _socket.socket) -> Tuple[bytes, List[int]]:
    room = _socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INTEGER)
    packet, ancillary, _, _ = control.recvmsg(_LARGEST, room, _socket.MSG_CMSG_CLOEXEC)
    descriptors: List[int] = []
    for level, kind, content in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            whole = len(content) - len(content) % _INTEGER
            descriptors += memoryview(content[:whole]).cast("i").tolist()
    return packet, descriptors


def _say(control: _socket.socket, message: Dict[str, Any], *descriptors: int) -> None:
    rights: List[Any] = []
    if descriptors:
        content = b"".join(descriptor.to_bytes(_INTEGER, sys.byteorder) for descriptor in descriptors)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, content)]
    control.sendmsg([json_object.render(message)], rights)


def _close(descriptors: List[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
