"""Telling a service manager how far we are and that we live (sd_notify(3))."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from sandlot import settings

_PATIENCE = 1.0
"""Seconds that a manager which does not read may hold us up."""


def notify(state: str) -> None:
    """Send *state*, such as `READY=1`, to who started us and asked for it; nobody asking is no error."""
    address = settings.notify_socket()
    if address is None:
        return
    # A name that begins with @ is abstract (unix(7)). A manager that has gone is not our trouble.
    name = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_PATIENCE)
        sender.sendto(state.encode("utf-8"), name)


async def keep_telling(seconds: float | None) -> None:
    """Say that the event loop turns, twice in the *seconds* after which silence counts as death; or never."""
    while seconds is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds / 2)
