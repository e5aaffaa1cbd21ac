"""How much memory a process holds at its peak, told by the kernel and not by sampling (proc(5))."""

from __future__ import annotations

import re
from pathlib import Path

_RESET_PEAK = "5"


def begin(process: int | None) -> int | None:
    """Count the peak of *process* anew from here: the bytes resident now; None when it cannot be counted."""
    if process is None:
        return None
    try:
        Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        return _field(process, "VmRSS")
    except (OSError, LookupError):
        return None


def peak(process: int) -> int:
    """The most bytes resident since `begin`. Raises OSError or LookupError when the process has ended."""
    return _field(process, "VmHWM")


def _field(process: int, name: str) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise LookupError(f"process {process} tells no {name}")
    return int(found[1]) * 1024
