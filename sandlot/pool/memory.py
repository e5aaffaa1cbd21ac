"""How much memory the host has left."""

from __future__ import annotations

from dataclasses import dataclass

_MEMINFO = "/proc/meminfo"


@dataclass(frozen=True, slots=True)
class Memory:
    """What can be taken without swapping, and what there is, in any one unit."""

    available: int
    total: int


def read() -> Memory | None:
    """The host's memory in KiB (proc_meminfo(5)); None where nobody says."""
    try:
        with open(_MEMINFO, "rb") as file:
            return parse(file.read())
    except OSError:
        return None


def parse(meminfo: bytes) -> Memory | None:
    """What the text of /proc/meminfo tells; None where it does not (pure)."""
    lines = (line.split() for line in meminfo.splitlines())
    found = {words[0]: words[1] for words in lines if len(words) > 1}
    try:
        return Memory(int(found[b"MemAvailable:"]), int(found[b"MemTotal:"]))
    except (KeyError, ValueError):
        return None
