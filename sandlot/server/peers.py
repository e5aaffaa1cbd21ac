"""Which user of this machine is at the other end of a connection, where the kernel tells it.

A Unix socket tells by SO_PEERCRED (unix(7)). For TCP over loopback the peer's own socket is looked up among
all sockets: by sock_diag(7), which takes microseconds, or where that is not to be had in /proc/net/tcp and
tcp6, which take milliseconds. A socket whose process has let go of it is shown by both as root's (uid 0,
inode 0), so only sockets with an inode count: else anybody could send a request, close, and pass as root.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import sys
from pathlib import Path

Address = tuple[str, int]
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_CREDENTIALS = struct.Struct("3i")

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ASKED = struct.Struct("=BBBxI")  # inet_diag_req_v2: family, protocol, extensions, states
_ENDS = struct.Struct("!HH16s16s")  # inet_diag_sockid: ports and addresses, then interface and cookie
_ANY_INTERFACE_OR_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_FOUND = struct.Struct("=4x36s12x3III")  # inet_diag_msg: ends, expiry and queues, uid, inode
_ANY_STATE = 0xFFFFFFFF


def question(peer: Address, local: Address) -> bytes:
    """The netlink message that asks for the socket at *peer* that is connected to *local*."""
    family = socket.AF_INET if _address(peer).version == 4 else socket.AF_INET6
    body = (
        _ASKED.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE) + _ends(peer, local) + _ANY_INTERFACE_OR_COOKIE
    )
    size = _HEADER.size + len(body)
    return _HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + body


def uid_in_answer(answer: bytes, peer: Address, local: Address) -> int | None:
    """The user that the answer to `question` names; None when no process holds such a socket."""
    if len(answer) < _HEADER.size + _FOUND.size or _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    ends, _expires, _received, _sent, uid, inode = _FOUND.unpack_from(answer, _HEADER.size)
    # The kernel may answer with a listener of the peer's port instead.
    return int(uid) if inode and ends == _ends(peer, local) else None


def uid_in_table(table: bytes, peer: Address, local: Address) -> int | None:
    """The user of the socket at *peer* that is connected to *local*, by the text of /proc/net/tcp or tcp6.

    None when no process holds such a socket.
    """
    for bits in (32, 128):
        here, there = _hexadecimal(peer, bits), _hexadecimal(local, bits)
        if here is None or there is None:
            continue
        needle = b": %b %b " % (here, there)
        at = table.find(needle)
        if at >= 0:
            fields = table[at + len(needle) :].split(b"\n", 1)[0].split()
            # st tx:rx tr:when retransmits uid timeout inode (proc_pid_net(5))
            uid, inode = int(fields[4]), int(fields[6])
            return uid if inode else None
    return None


def quick_uid_of_tcp(peer: Address, local: Address) -> int | None:
    """The user at *peer*, as sock_diag(7) tells; None when it does not."""
    if sys.platform != "linux":
        return None
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asking,
    ):
        asking.settimeout(1.0)  # the kernel answers before send returns
        asking.sendto(question(peer, local), (0, 0))
        return uid_in_answer(asking.recv(8192), peer, local)
    return None


def uid_of_tcp(peer: Address, local: Address) -> tuple[bool, int | None]:
    """Whether /proc tells who holds a loopback connection's other end, and who."""
    told = False
    for path in _TABLES:
        try:
            table = path.read_bytes()
        except OSError:
            continue
        told = True
        uid = uid_in_table(table, peer, local)
        if uid is not None:
            return True, uid
    return told, None


def uid_of_unix(connection: socket.socket) -> tuple[bool, int | None]:
    """Whether this machine tells who is at the other end of a Unix socket, and who."""
    if sys.platform != "linux":
        return False, None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return True, uid


def is_ours(told: bool, uid: int | None) -> bool:
    """Whether a peer may pass as local: the server's own user, root, or nobody can tell."""
    return not told or uid in (os.geteuid(), 0)


def _ends(peer: Address, local: Address) -> bytes:
    here, there = (_address(end).packed.ljust(16, b"\0") for end in (peer, local))
    return _ENDS.pack(peer[1], local[1], here, there)


def _address(end: Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    host = ipaddress.ip_address(end[0].partition("%")[0])
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return mapped or host


def _hexadecimal(end: Address, bits: int) -> bytes | None:
    """An address as the kernel prints it: each 32-bit word in the machine's byte order."""
    packed = _address(end).packed
    if bits == 128 and len(packed) == 4:
        packed = bytes(10) + b"\xff\xff" + packed
    if len(packed) * 8 != bits:
        return None
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return b"".join(b"%08X" % word for word in words) + b":%04X" % end[1]
