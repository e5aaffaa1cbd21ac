"""Supply: how one stock of warm boxes stands, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Supply:
    """The numbers of one moment. What has happened is counted since the stock was first asked for.

    A stock that nobody asked for in a long time is forgotten, and its counts with it.
    """

    engine: str
    stock: str
    ready: int = 0
    """Boxes that wait to be claimed."""
    starting: int = 0
    """Boxes being made."""
    waiting: int = 0
    """Claims that wait for a box."""
    hits: int = 0
    """Claims that found a box ready."""
    misses: int = 0
    """Claims for which one was made, and the seconds all of them together waited."""
    wait_seconds: float = 0.0
    refused: int = 0
    """Claims that were told to come again later."""
    refills: int = 0
    """Boxes that were made, and the seconds that took, one after the other."""
    refill_seconds: float = 0.0
    failed: int = 0
    """Boxes that could not be made."""
    retired: int = 0
    """Boxes that were ended unclaimed: too old, not asked for, or for want of memory."""
    dead: int = 0
    """Boxes that died before they were claimed."""
