"""N01, N03 to N05: without a network there is none; the rest of N belongs to policies and gates."""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandlot.contracts.spec import Network, SandboxSpec

from .case import Case, Finding, Outcome, lifted, no_wall
from .stage import Stage, play

_FULL = lifted(SandboxSpec(network=Network.FULL))


@contextlib.contextmanager
def _listeners() -> Iterator[dict[str, object]]:
    """Services of the host: TCP, UDP, an abstract name and a path anybody may connect to."""
    name = f"\0canary-{secrets.token_hex(8)}"
    with (
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
        tempfile.TemporaryDirectory(prefix="canary-") as directory,
    ):
        path = Path(directory) / "socket"
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        abstract.bind(name)
        named.bind(str(path))
        Path(directory).chmod(0o755)
        path.chmod(0o777)
        for listener in (tcp, abstract, named):
            listener.listen()
        udp.setblocking(False)
        yield {
            "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "abstract": name[1:], "path": str(path),
            "listener": udp,
        }  # fmt: skip


async def host_services(stage: Stage) -> Outcome:
    """N03, N04, N05: what listens on the host is not reached."""
    with _listeners() as services:
        udp = services.pop("listener")
        assert isinstance(udp, socket.socket)
        outcome = await stage.attack("network:host_services", services)
        try:
            heard = udp.recv(100)
        except BlockingIOError:
            heard = b""
    return outcome.plus(Finding("a datagram arrived", bool(heard), repr(heard)))


CASES = (
    Case(
        "N01",
        "TCP, UDP, ICMP and names of the internet",
        play("network:internet"),
        no_wall("the machine of the tests may be offline"),
    ),
    Case("N03", "services of the host: loopback, abstract and named sockets", host_services, _FULL),
)
