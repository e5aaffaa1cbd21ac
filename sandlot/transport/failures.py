"""What the network does wrong, told as errors of `contracts.errors`: the one door for OSError."""

from __future__ import annotations

from typing import Optional

from sandlot.contracts.errors import ConnectionLost, TimedOut

from .address import Address


class Lost(Exception):
    """A try that ended before the first byte of its answer; never leaves this room."""

    def __init__(self, error: ConnectionLost, *, was_sent: bool) -> None:
        """Keep what to raise when the try is not repeated."""
        super().__init__(error.message)
        self.error = error
        self.was_sent = was_sent


def unreachable(address: Address, error: Optional[OSError]) -> ConnectionLost:
    """The server cannot be connected to."""
    why = "its name has no address" if error is None else reason(error)
    return ConnectionLost(f"cannot reach {address}: {why}; is `sandlot serve` running there?")


def broken(address: Address, error: Optional[OSError] = None) -> ConnectionLost:
    """The connection stood, and is gone before the answer was complete."""
    return ConnectionLost(
        f"the connection to {address} broke before the answer was complete: {reason(error)};"
        " is `sandlot serve` still running there?"
    )


def garbled(address: Address, error: ValueError) -> ConnectionLost:
    """What came is not the protocol that is spoken."""
    return ConnectionLost(f"{address} does not speak as a sandlot server does: {error}; is the URL right?")


def silent(address: Address, seconds: Optional[float]) -> TimedOut:
    """Nothing moved for as long as was allowed."""
    return TimedOut(
        f"{address} was silent for {seconds:g} seconds: it may still be at work, allow it a longer timeout"
    )


def not_connected(address: Address, seconds: float) -> TimedOut:
    """No connection came about in time."""
    return TimedOut(
        f"no connection to {address} within {seconds:g} seconds: is the address right, is a firewall between?"
    )


def reason(error: Optional[OSError]) -> str:
    """*error* in the system's words."""
    if error is None:
        return "the other side closed it"
    return error.strerror or str(error) or type(error).__name__
