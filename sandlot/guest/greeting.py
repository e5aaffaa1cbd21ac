"""HELLO: the host says what box this is, the agent takes its walls and says which walls hold."""

from __future__ import annotations

import os
import sys

from ..walls import lockdown, session
from ..walls.lockdown import WallError
from ..walls.plan import Plan, PlanError
from ..wire import frames
from ..wire.frames import Frame, FrameError, Kind
from . import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

PROTOCOL = 1
_READ_SIZE = 2**16


class Unfit(Exception):
    """This box cannot be what the host asked for; nothing may run in it."""


class Box:
    """What the greeting settled.

    workspace: where commands start; roots: the absolute paths file verbs may work beneath; plan: the walls;
    null: a descriptor of /dev/null; memory_priority: one of /proc/self/oom_score_adj, opened before the
    walls went up, or None.
    """

    def __init__(self, workspace: str, roots: Tuple[str, ...], plan: Plan) -> None:
        """Open what the walls will hide."""
        self.workspace = workspace
        self.roots = roots
        self.plan = plan
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.memory_priority = _memory_priority()


def greet(decoder: frames.FrameDecoder, incoming: int, outgoing: int) -> Tuple[Optional[Box], List[Frame]]:
    """Read the host's HELLO, put up the walls and answer; the box and the frames that came behind the HELLO.

    The box is None when the host went away before it said anything. Raises FrameError for a bad HELLO and
    Unfit when a wall cannot be put up.
    """
    received = _first_frames(decoder, incoming)
    if not received:
        return None, []
    box = _box(frames.parse_json(received[0].payload) if received[0].kind == Kind.HELLO else {})
    walls = _put_up_walls(box.plan)
    answer = {"protocol": PROTOCOL, "python": sys.version.split()[0], "walls": walls}
    _write(outgoing, frames.encode(frames.json_frame(Kind.HELLO, 0, answer)))
    return box, received[1:]


def _first_frames(decoder: frames.FrameDecoder, incoming: int) -> List[Frame]:
    received: List[Frame] = []
    while not received:
        data = os.read(incoming, _READ_SIZE)
        if not data:
            decoder.finish()
            break
        received = decoder.feed(data)
    return received


def _box(hello: Dict[str, Any]) -> Box:
    if hello.get("protocol") != PROTOCOL:
        raise FrameError(
            f"the first frame must be a HELLO of protocol {PROTOCOL}, got {hello.get('protocol')!r}"
        )
    workspace, roots = hello.get("workspace"), hello.get("roots")
    if not isinstance(workspace, str) or not isinstance(roots, list):
        raise FrameError("a HELLO needs the text 'workspace' and the list 'roots'")
    if not all(isinstance(root, str) and root.startswith("/") for root in [workspace, *roots]):
        raise FrameError(f"workspace and roots must be absolute paths, got {workspace!r} and {roots!r}")
    try:
        plan = Plan.from_json(hello.get("plan"))
    except PlanError as error:
        raise FrameError(str(error)) from None
    descriptors.close_all_but((0, 1, 2))
    return Box(workspace, tuple(roots), plan)


def _put_up_walls(plan: Plan) -> Dict[str, List[str]]:
    """Names of the walls of the agent, and of those that a payload was just seen to put up."""
    try:
        session.adopt_orphans()
        mine = lockdown.agent(plan)
        lockdown.prepare(plan)
    except (WallError, OSError) as error:
        raise Unfit(f"the box is refused: {error}") from None
    return {"agent": mine, "payload": _proven(plan)}


def _proven(plan: Plan) -> List[str]:
    """Put up a payload's walls in a child that runs nothing; Unfit tells why it could not."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _prove(plan, writing)
    os.close(writing)
    verdict = b""
    while True:
        piece = os.read(reading, 4096)
        if not piece:
            break
        verdict += piece
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if status != 0 or not verdict.startswith(b"+"):
        text = verdict[1:].decode("utf-8", "replace") or f"the process that tried ended with status {status}"
        raise Unfit(f"the box is refused: {text}")
    return [name for name in verdict[1:].decode().split(",") if name]


def _prove(plan: Plan, writing: int) -> None:
    verdict, status = "-not tried", 1
    try:
        verdict, status = "+" + ",".join(lockdown.payload(plan, parent=os.getppid())), 0
    except WallError as error:
        verdict = f"-{error}"
    finally:
        os.write(writing, verdict.encode("utf-8", "replace"))
        os._exit(status)


def _memory_priority() -> Optional[int]:
    try:
        return os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
