"""The zygote goes once through what its boxes will do, with no wall and no user, and throws the box away.

What an interpreter keeps from the first time that it runs something (which method a class has, how a format
is read, a class's own version) is so kept before the forks. Otherwise each box writes that anew, and pays for
a copy of every page it is written to.
"""

from __future__ import annotations

import os

from ..wire import frames, order
from ..wire.frames import Frame, Kind
from . import agent, descriptors, signals
from .parked import ParkedBox
from .payload import Handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

    from .clones import Cloner
    from .nest import Nest

_READ_SIZE = 65536
_RUN = {"verb": "run", "code": True, "workdir": "/", "timeout": 30.0, "env": {"A": "B"}, "last": True}


def rehearse(nest: Nest, cloner: Cloner) -> None:
    """Serve a host that runs one program; both are children, and gone when this returns.

    The process has no other children, and a fresh interpreter's signals afterwards. Raises OSError.
    """
    signals.restore(python=True)
    before = descriptors.open_now()
    box = ParkedBox(nest, "", cloner)
    box.open()
    asked, answers = os.pipe(), os.pipe()
    if cloner.clone() == 0:
        _be_host(nest, answers[0], asked[1], (asked[0], answers[1]))
    os.close(asked[1])
    os.close(answers[0])
    with descriptors.Stood((asked[0], answers[1])):
        try:
            agent.serve_parked(box, [], nest.hello, lambda: None)
        except Handover:
            _be_program()
    signals.restore(python=True)
    descriptors.close(descriptors.open_now() - before)  # an agent never gives back what it lives by


def _be_host(nest: Nest, incoming: int, outgoing: int, others: Tuple[int, int]) -> None:
    """Greet, claim, run a program, and go when that is done; ends this process."""
    try:
        descriptors.close(others)
        claim = order.limits(dict(nest.plan.rlimits))
        decoder = frames.FrameDecoder(accept=frames.FROM_AGENT)
        _send(outgoing, [frames.json_frame(Kind.HELLO, 0, nest.hello)])
        _await(Kind.HELLO, decoder, incoming)
        run = [Frame(Kind.CLAIM, 0, claim), frames.json_frame(Kind.OPEN, 1, _RUN)]
        _send(outgoing, [*run, Frame(Kind.SOURCE, 1, b"print(1)"), Frame(Kind.SOURCE_END, 1)])
        _await(Kind.DONE, decoder, incoming)
    finally:
        os._exit(0)


def _be_program() -> None:
    try:
        os.write(1, b"1\n")
    finally:
        os._exit(0)


def _send(outgoing: int, conversation: List[Frame]) -> None:
    os.write(outgoing, b"".join(map(frames.encode, conversation)))


def _await(kind: int, decoder: frames.FrameDecoder, incoming: int) -> None:
    while True:
        data = os.read(incoming, _READ_SIZE)
        if not data or any(frame.kind == kind for frame in decoder.feed(data)):
            return
