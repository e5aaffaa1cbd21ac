"""HELLO: the host says what box this is, the agent takes its walls and says which walls hold."""

from __future__ import annotations

import os
import sys

from ..walls import lockdown, session, syscalls
from ..walls.lockdown import WallError
from ..walls.plan import Plan, PlanError
from ..wire import frames
from ..wire.frames import Frame, FrameError, Kind
from . import descriptors, launch, spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .spare import Spare

PROTOCOL = 1
_READ_SIZE = 2**16


class Unfit(Exception):
    """This box cannot be what the host asked for; nothing may run in it."""


class Box:
    """What the greeting settled.

    workspace: where commands start; env: variables of every command; roots: the absolute paths file verbs may
    work beneath; plan: the walls; early: those that are not late; null: a descriptor of /dev/null;
    memory_priority: one of /proc/self/oom_score_adj, opened before the walls went up, or None; spare: the
    payload that proved the walls, for the first command; late: walls that go up when a payload has its order,
    because what they are about is not settled before.
    """

    late: Tuple[str, ...] = ("rlimits",)
    is_claimed = True

    def __init__(self, workspace: str, roots: Tuple[str, ...], plan: Plan) -> None:
        """Take it as it is; nothing is open yet."""
        self.workspace = workspace
        self.roots = roots
        self.plan = plan
        self.early = plan.without(*self.late)
        self.env = dict(os.environ)
        self.null = -1
        self.memory_priority: Optional[int] = None
        self.spare: Optional[Spare] = None

    def open(self) -> None:
        """Open what the walls will hide. Raises OSError."""
        self.null = syscalls.opened(os.devnull, os.O_RDWR)
        self.memory_priority = launch.memory_priority()

    def fork(self) -> int:
        """As os.fork, with a child that goes first when memory runs out."""
        return launch.fork(self.memory_priority)

    def fork_again(self) -> int:
        """As os.fork, in such a child."""
        return os.fork()

    def moved(self) -> None:
        """Note that another workspace was mounted in a parked box. Raises FrameError."""
        raise FrameError("this box was never parked, and nothing can be mounted in it")

    def claim(self, limits: Dict[str, int]) -> None:
        """Be somebody's, with these *limits* for what runs in it, if parked. Raises FrameError, Unfit."""
        raise FrameError(f"this box was never parked, and is claimed with {sorted(limits)}")

    def enclose(self) -> List[str]:
        """Put up the early walls, in a spare that stands alone; names. Raises WallError."""
        return lockdown.enclose(self.early)

    def warm(self) -> None:
        """What a spare does before it is needed: nothing, in an interpreter that has loaded nothing."""


def greet(decoder: frames.FrameDecoder, incoming: int, outgoing: int) -> Tuple[Optional[Box], List[Frame]]:
    """Read the host's HELLO, put up the walls and answer; the box and the frames that came behind the HELLO.

    The box is None when the host went away before it said anything. Raises FrameError for a bad HELLO and
    Unfit when a wall cannot be put up.
    """
    received = _first_frames(decoder, incoming)
    if not received:
        return None, []
    workspace, roots, plan = _understood(received[0])
    descriptors.close_all_but((0, 1, 2))
    box = Box(workspace, roots, plan)
    box.open()
    _answer(outgoing, put_up_walls(box))
    return box, received[1:]


def greet_parked(
    box: Box,
    walls: Dict[str, List[str]],
    hello: Dict[str, Any],
    decoder: frames.FrameDecoder,
    incoming: int,
    outgoing: int,
) -> Tuple[Optional[Box], List[Frame]]:
    """As `greet`, for a *box* that has its *walls*: the host must say *hello*, which asks for the same."""
    received = _first_frames(decoder, incoming)
    if not received:
        return None, []
    if _hello(received[0]) != hello:
        raise Unfit("the box was parked with other walls than the host asks for")
    _answer(outgoing, walls)
    return box, received[1:]


def _answer(outgoing: int, walls: Dict[str, List[str]]) -> None:
    answer = {"protocol": PROTOCOL, "python": sys.version.split()[0], "walls": walls}
    _write(outgoing, frames.encode(frames.json_frame(Kind.HELLO, 0, answer)))


def _first_frames(decoder: frames.FrameDecoder, incoming: int) -> List[Frame]:
    received: List[Frame] = []
    while not received:
        data = os.read(incoming, _READ_SIZE)
        if not data:
            decoder.finish()
            break
        received = decoder.feed(data)
    return received


def _hello(first: Frame) -> Dict[str, Any]:
    """What a HELLO says. Raises FrameError."""
    hello = frames.parse_json(first.payload) if first.kind == Kind.HELLO else {}
    if hello.get("protocol") != PROTOCOL:
        raise FrameError(
            f"the first frame must be a HELLO of protocol {PROTOCOL}, got {hello.get('protocol')!r}"
        )
    return hello


def _understood(first: Frame) -> Tuple[str, Tuple[str, ...], Plan]:
    """Workspace, roots and plan of a HELLO. Raises FrameError."""
    hello = _hello(first)
    workspace, roots = hello.get("workspace"), hello.get("roots")
    if not isinstance(workspace, str) or not isinstance(roots, list):
        raise FrameError("a HELLO needs the text 'workspace' and the list 'roots'")
    if not all(isinstance(root, str) and root.startswith("/") for root in [workspace, *roots]):
        raise FrameError(f"workspace and roots must be absolute paths, got {workspace!r} and {roots!r}")
    try:
        plan = Plan.from_json(hello.get("plan"))
    except PlanError as error:
        raise FrameError(str(error)) from None
    return workspace, tuple(roots), plan


def put_up_walls(box: Box) -> Dict[str, List[str]]:
    """Names of the walls of the agent, and of those that the box's first payload was just seen to put up."""
    try:
        return test_walls(box, put_up_own(box))
    except (WallError, OSError) as error:
        raise Unfit(f"the box is refused: {error}") from None


def put_up_own(box: Box) -> List[str]:
    """Put up the walls of the agent and prepare those of its payloads; names. Raises WallError, OSError."""
    session.adopt_orphans()
    lockdown.prepare(box.plan)
    return lockdown.agent(box.early)


def test_walls(box: Box, own: List[str]) -> Dict[str, List[str]]:
    """As `put_up_walls`, where the agent has its *own* already."""
    try:
        box.spare = spare.fork(box)
        return {"agent": own, "payload": spare.await_ready(box.spare)}
    except (OSError, ValueError) as error:
        raise Unfit(f"the box is refused: {error}") from None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
