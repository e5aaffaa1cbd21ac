"""One packet with descriptors through a SOCK_SEQPACKET socket: the calls all three parties share."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence

from .launch import MAX_DESCRIPTORS
from .shapes import MAX_PACKET

# Numbers: flags that are enums make eight calls for each packet to be combined.
_SENDING = int(socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
_RECEIVING = int(socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT)
_CUT_OFF = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_RIGHTS = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


def send(channel: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send without waiting. BlockingIOError when there is no room, OSError when nobody listens any more."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([packet], rights, _SENDING)


def receive(channel: socket.socket) -> tuple[bytes, list[int], bool]:
    """A packet (empty: the other end is closed), its descriptors, and whether all of it arrived.

    BlockingIOError when there is none now. The descriptors belong to the caller.
    """
    try:
        packet, ancillary, flags, _ = channel.recvmsg(MAX_PACKET, _RIGHTS, _RECEIVING)
    except ConnectionResetError:
        return b"", [], True
    received = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            received.frombytes(content[: len(content) - len(content) % received.itemsize])
    return packet, received.tolist(), not flags & _CUT_OFF


def close(descriptors: Sequence[int]) -> None:
    """Close descriptors that came with a packet or went out with one."""
    for descriptor in descriptors:
        os.close(descriptor)
