"""A pair of sockets by which the agent hands descriptors to a context that runs: inwards, and never back.

A copy of a context needs pipes of its own, and only the program that forks can give them to it. So the agent
makes them and sends the far ends along (SCM_RIGHTS, unix(7)). It has closed its side of the pair for reading
and never asks for anything there: no message and no descriptor of a program reaches it. `_socket` is loaded
when the first context starts; `socket` around it would cost every agent its enums.

The first thing handed over is the far end of a bell: a pipe on which the program tells that it has said
something which is not to wait (`guest.ordered`). What is written there is never looked at.
"""

from __future__ import annotations

import os
import struct

from . import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Optional, Tuple

_WORD = b"+"
_INT = struct.calcsize("i")


class Passing:
    """The agent's side of one pair."""

    def __init__(self, far: List[int]) -> None:
        """Make the pair; the program's side, close-on-exec, is noted in *far*. Raises OSError."""
        import _socket

        self._socket, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._socket.shutdown(_socket.SHUT_RD)
        far.append(other.detach())
        self._bell: Optional[int] = None
        self._hang()

    def _hang(self) -> None:
        ringing: List[int] = []
        try:
            self._bell = descriptors.pipe(ringing, near_reads=True)[0]
            os.set_blocking(ringing[0], False)  # who rings is not held up where it rings already
            self.send(ringing)
        except OSError:
            self.close()
            raise
        finally:
            descriptors.close(ringing)

    def take_bell(self) -> Optional[int]:
        """The end of the bell at which it is heard, whose owner is the caller now; None the second time."""
        bell, self._bell = self._bell, None
        return bell

    def send(self, ends: Iterable[int]) -> None:
        """Hand the descriptors *ends* over. Raises OSError when the program is gone or took none for long."""
        import _socket

        packed = b"".join(struct.pack("i", each) for each in ends)
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)
        self._socket.sendmsg([_WORD], [rights], _socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Hand over nothing any more; idempotent."""
        self._socket.close()
        bell = self.take_bell()
        if bell is not None:
            os.close(bell)


def received(descriptor: int, most: int) -> Tuple[int, ...]:
    """In the program: what came in the next message on *descriptor*; nothing when there is none."""
    import _socket

    end = _socket.socket(fileno=descriptor)
    flags = _socket.MSG_DONTWAIT | _socket.MSG_CMSG_CLOEXEC
    try:
        _, ancillary, _, _ = end.recvmsg(len(_WORD), _socket.CMSG_SPACE(most * _INT), flags)
    except BlockingIOError:
        return ()
    finally:
        end.detach()
    found: List[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            found.extend(each for (each,) in struct.iter_unpack("i", data[: len(data) // _INT * _INT]))
    return tuple(found)
