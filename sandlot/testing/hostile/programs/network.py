"""Ways out of a box without a network: N01, N03, N04, N05."""

from __future__ import annotations

import socket
from functools import partial
from typing import Iterator, Tuple, Union

from .report import Found, facts, refused

_Address = Union[str, Tuple[str, int]]


def _connect(family: int, kind: int, address: _Address) -> str:
    with socket.socket(family, kind) as made:
        made.settimeout(1)
        made.connect(address)
        made.send(b"x")
    return "sent"


def internet() -> Iterator[Found]:
    """Addresses and names that answer where there is a network."""
    for address in (("1.1.1.1", 443), ("8.8.8.8", 53), ("169.254.169.254", 80)):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            yield refused(f"{address} kind {int(kind)}", partial(_connect, socket.AF_INET, kind, address))
    yield refused("a name", partial(socket.getaddrinfo, "example.org", 443))


def host_services() -> Iterator[Found]:
    """What the host listens on, by every name it has."""
    told = facts()
    for host in ("127.0.0.1", "0.0.0.0", "127.1.2.3"):  # noqa: S104 - a target
        yield refused(
            f"TCP {host}", partial(_connect, socket.AF_INET, socket.SOCK_STREAM, (host, told["tcp"]))
        )
    yield refused(
        "TCP by IPv6",
        partial(_connect, socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", told["tcp"])),
    )
    yield refused(
        "abstract socket", partial(_connect, socket.AF_UNIX, socket.SOCK_STREAM, "\0" + told["abstract"])
    )
    for path in (
        told["path"],
        "/run/docker.sock",
        "/run/dbus/system_bus_socket",
        "/dev/log",
        "/run/systemd/notify",
    ):
        yield refused(f"socket {path}", partial(_connect, socket.AF_UNIX, socket.SOCK_STREAM, path))
    # The datagram itself may be sent into nothing: whether it arrived is seen on the host.
    yield refused(
        "UDP",
        partial(_connect, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", told["udp"])),
        but=lambda _: True,
    )
