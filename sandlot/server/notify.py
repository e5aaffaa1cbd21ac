"""Telling a service manager how far we are (sd_notify(3))."""

from __future__ import annotations

import contextlib
import socket

from sandlot import settings


def notify(state: str) -> None:
    """Send *state*, such as `READY=1`, to who started us and asked for it; nobody asking is no error."""
    address = settings.notify_socket()
    if address is None:
        return
    # A name that begins with @ is abstract (unix(7)). A manager that has gone is not our trouble.
    name = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode("ascii"), name)
