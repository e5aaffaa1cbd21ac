from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from sandlot.server import peers

pytestmark = pytest.mark.linux

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
# 127.0.0.1:50000 -> 127.0.0.1:8080 of uid 1000, an orphan of it, a listener, and others' connections.
TABLE = HEADER + (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100\n"
    b"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20\n"
    b"   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 02:00000000 00000000  1000        0 13 1 0 20\n"
    b"   3: 0100007F:C351 0100007F:1F90 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20\n"
    b"   4: 0200007F:C352 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     7        0 14 1 0 20\n"
)
TABLE6 = HEADER + (
    b"   0: 00000000000000000000000001000000:C350 00000000000000000000000001000000:1F90 01 00000000:00000000 "
    b"00:00000000 00000000  1001        0 15 1 0\n"
    b"   1: 0000000000000000FFFF00000100007F:C353 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 "
    b"00:00000000 00000000  1002        0 16 1 0\n"
)
SERVER = ("127.0.0.1", 8080)

little = pytest.mark.skipif(sys.byteorder != "little", reason="the table is one of a little-endian machine")


@little
@pytest.mark.parametrize(
    ("table", "peer", "local", "uid"),
    [
        (TABLE, ("127.0.0.1", 50000), SERVER, 1000),
        (TABLE, ("127.0.0.1", 50001), SERVER, None),  # nobody holds it any more
        (TABLE, ("127.0.0.2", 50002), SERVER, 7),
        (TABLE, ("127.0.0.1", 50002), SERVER, None),  # another address
        (TABLE, ("127.0.0.1", 50000), ("127.0.0.1", 8081), None),
        (TABLE, ("::ffff:127.0.0.1", 50000), ("::ffff:127.0.0.1", 8080), 1000),
        (TABLE6, ("::1", 50000), ("::1", 8080), 1001),
        (TABLE6, ("127.0.0.1", 50003), SERVER, 1002),  # an IPv6 socket that speaks IPv4
        (TABLE6, ("::1%lo", 50000), ("::1", 8080), 1001),
        (b"", ("127.0.0.1", 50000), SERVER, None),
        (HEADER, ("::1", 50000), ("::1", 8080), None),
        (TABLE[:-1], ("127.0.0.2", 50002), SERVER, 7),
    ],
)
def test_the_user_of_a_socket_is_read_from_the_table(
    table: bytes, peer: peers.Address, local: peers.Address, uid: int | None
) -> None:
    assert peers.uid_in_table(table, peer, local) == uid


def answer(peer: peers.Address, local: peers.Address, uid: int, inode: int, kind: int = 20) -> bytes:
    """An inet_diag_msg, as linux/inet_diag.h lays it out."""
    ends = struct.pack("!HH", peer[1], local[1])
    ends += b"".join(socket.inet_aton(end[0]).ljust(16, b"\0") for end in (peer, local))
    body = bytes([socket.AF_INET, 1, 0, 0]) + ends + bytes(12) + struct.pack("=IIIII", 0, 0, 0, uid, inode)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


@pytest.mark.parametrize(
    ("told", "uid"),
    [
        (answer(("127.0.0.1", 50000), SERVER, 1000, 13), 1000),
        (answer(("127.0.0.1", 50000), SERVER, 0, 0), None),  # nobody holds it any more
        (answer(("127.0.0.1", 50000), ("0.0.0.0", 0), 0, 13), None),  # a listener there
        (answer(("127.0.0.1", 50000), SERVER, 0, 13, kind=2), None),  # an error
        (answer(("127.0.0.1", 50000), SERVER, 0, 13)[:60], None),
        (b"", None),
    ],
)
def test_the_user_of_a_socket_is_read_from_the_kernels_answer(told: bytes, uid: int | None) -> None:
    assert peers.uid_in_answer(told, ("127.0.0.1", 50000), SERVER) == uid


@contextmanager
def connection(family: int, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
        closing(listener.accept()[0]) as taken,
    ):
        yield client, taken


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_tells_of_a_real_connection_both_ways(family: int, host: str) -> None:
    if family == socket.AF_INET6 and not os.path.exists("/proc/net/tcp6"):
        pytest.skip("this machine has no IPv6")
    with connection(family, host) as (client, taken):
        peer, local = taken.getpeername()[:2], taken.getsockname()[:2]
        assert peers.uid_of_tcp(peer, local) == (True, os.geteuid())
        assert peers.quick_uid_of_tcp(peer, local) in (os.geteuid(), None)
        client.close()
        # The peer's socket lives on without an owner, and is shown as root's.
        assert peers.uid_of_tcp(peer, local) == (True, None)
        assert peers.quick_uid_of_tcp(peer, local) is None


def test_a_unix_socket_tells_its_peer() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert peers.uid_of_unix(here) == (True, os.geteuid())


@pytest.mark.parametrize(
    ("told", "uid", "ours"),
    [
        (True, 0, True),
        (True, os.geteuid(), True),
        (True, 54321, False),
        (True, None, False),
        (False, None, True),
    ],
)
def test_only_the_own_user_and_root_pass_where_the_kernel_tells(
    told: bool, uid: int | None, ours: bool
) -> None:
    assert peers.is_ours(told, uid) is ours
