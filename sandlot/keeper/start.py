"""Starting a keeper: one interpreter with a clean environment, a packet socket, two pidfds."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..contracts.errors import EngineUnavailable

# Appended, so that nothing beside the package can stand in for a module of the standard library.
_BOOTSTRAP = (
    "import gc, sys; gc.disable(); sys.path.append(sys.argv[1]);"
    "from sandlot.keeper.stub import main; main(sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Started:
    """A stub that was started: the service's end of the channel, its process and its pidfd."""

    channel: socket.socket
    stub: subprocess.Popen[bytes]
    pidfd: int

    def reap(self) -> None:
        """Collect the stub, which has ended, and close its pidfd."""
        self.stub.wait()
        os.close(self.pidfd)

    def kill(self) -> None:
        """SIGKILL to the stub; the keeper and every box die with it."""
        with contextlib.suppress(ProcessLookupError):
            self.stub.kill()


def start(run_directory: Path, store: Path, plain: str) -> Started:
    """Start a stub. Raises EngineUnavailable where this system or interpreter cannot do it."""
    interpreter = _interpreter()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        order = [str(theirs.fileno()), str(os.getpid()), str(run_directory), str(store), plain]
        package_parent = str(Path(__file__).resolve().parents[2])
        try:
            stub = subprocess.Popen(
                [interpreter, "-I", "-S", "-c", _BOOTSTRAP, package_parent, *order],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is the service's to handle
            )
        except OSError as error:
            ours.close()
            raise EngineUnavailable(f"the keeper cannot be started with {interpreter}: {error}") from error
    ours.setblocking(False)
    return Started(ours, stub, os.pidfd_open(stub.pid))


def _interpreter() -> str:
    if sys.platform != "linux":
        raise EngineUnavailable(f"the keeper needs Linux (packet sockets, pidfds); this is {sys.platform}")
    if not sys.executable:
        raise EngineUnavailable(
            "the keeper needs sys.executable, which this embedded interpreter does not set"
        )
    return os.path.realpath(sys.executable)
