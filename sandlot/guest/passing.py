"""A pair of sockets by which the agent hands descriptors to a context that runs: inwards, and never back.

A copy of a context needs pipes of its own, and only the program that forks can give them to it. So the agent
makes them and sends the far ends along (SCM_RIGHTS, unix(7)). It has closed its side of the pair for reading
and never asks for anything there: no message and no descriptor of a program reaches it. `_socket` is loaded
when the first context starts; `socket` around it would cost every agent its enums.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Tuple

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

    def send(self, descriptors: Iterable[int]) -> None:
        """Hand *descriptors* over. Raises OSError when the program is gone or took none for long."""
        import _socket

        packed = b"".join(struct.pack("i", each) for each in descriptors)
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)
        self._socket.sendmsg([_WORD], [rights], _socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Hand over nothing any more; idempotent."""
        self._socket.close()


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
