"""Socket families: K09 and K13."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Iterator

from .calls import call
from .report import Found, refused

_FAMILIES = (
    "NETLINK",
    "PACKET",
    "VSOCK",
    "ALG",
    "BLUETOOTH",
    "CAN",
    "TIPC",
    "RDS",
    "KEY",
    "XDP",
    "IUCV",
    "X25",
    "AX25",
    "ATMPVC",
    "APPLETALK",
    "NFC",
    "KCM",
    "QIPCRTR",
    "SMC",
    "MCTP",
    "PPPOX",
    "LLC",
    "PHONET",
    "IEEE802154",
    "CAIF",
)
_FAMILY_NUMBERS = {
    "NETLINK": 16,
    "PACKET": 17,
    "VSOCK": 40,
    "ALG": 38,
    "BLUETOOTH": 31,
    "CAN": 29,
    "TIPC": 30,
    "RDS": 21,
    "KEY": 15,
    "XDP": 44,
    "IUCV": 32,
    "X25": 9,
    "AX25": 3,
    "ATMPVC": 8,
    "APPLETALK": 5,
    "NFC": 39,
    "KCM": 41,
    "QIPCRTR": 42,
    "SMC": 43,
    "MCTP": 45,
    "PPPOX": 24,
    "LLC": 26,
    "PHONET": 35,
    "IEEE802154": 36,
    "CAIF": 37,
}


def socket_families() -> Iterator[Found]:
    """Sockets that talk to the kernel, to the wire, or make it load a module."""
    for name in _FAMILIES:
        for kind in map(int, (socket.SOCK_RAW, socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_SEQPACKET)):
            yield refused(
                f"AF_{name} kind {kind}", partial(_socket, _FAMILY_NUMBERS[name], kind, 0), but=None
            )
    for name, protocol in (
        ("ICMP", 1),
        ("SCTP", 132),
        ("DCCP", 33),
        ("UDPLITE", 136),
        ("MPTCP", 262),
        ("RAW", 255),
    ):
        for kind in map(int, (socket.SOCK_RAW, socket.SOCK_DGRAM, socket.SOCK_STREAM, 6)):
            yield refused(f"AF_INET {name} kind {kind}", partial(_socket, 2, kind, protocol))


def _socket(family: int, kind: int, protocol: int) -> str:
    made = call("socket", family, kind, protocol)
    os.close(made)
    return "a socket"
