"""Runs code nobody has read yet, behind the strongest walls this machine offers.

Importing this package loads nothing: each public name is fetched from its room on first use (PEP 562).
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, List, Tuple

from ._version import __version__

if TYPE_CHECKING:
    from .contracts.capability import Feature
    from .contracts.cell_result import CellResult
    from .contracts.cells import CellEvent
    from .contracts.command import Command
    from .contracts.engine import Box, Engine
    from .contracts.errors import SandlotError
    from .contracts.events import Event
    from .contracts.handler import Handler
    from .contracts.result import Result
    from .contracts.spec import Isolation, Limits, Network, SandboxSpec
    from .local import call, run
    from .sdk import AsyncSandbox, Sandbox

__all__ = [
    "AsyncSandbox",
    "Box",
    "CellEvent",
    "CellResult",
    "Command",
    "Engine",
    "Event",
    "Feature",
    "Handler",
    "Isolation",
    "Limits",
    "Network",
    "Result",
    "Sandbox",
    "SandboxSpec",
    "SandlotError",
    "__version__",
    "call",
    "run",
]

_WHERE = {
    "AsyncSandbox": "sdk",
    "Box": "contracts.engine",
    "CellEvent": "contracts.cells",
    "CellResult": "contracts.cell_result",
    "Command": "contracts.command",
    "Engine": "contracts.engine",
    "Event": "contracts.events",
    "Feature": "contracts.capability",
    "Handler": "contracts.handler",
    "Isolation": "contracts.spec",
    "Limits": "contracts.spec",
    "Network": "contracts.spec",
    "Result": "contracts.result",
    "Sandbox": "sdk",
    "SandboxSpec": "contracts.spec",
    "SandlotError": "contracts.errors",
    "call": "local",
    "run": "local",
}

# Rooms that need more than the base's Python 3.8, and what they need.
_NEEDS = {"local": (3, 11)}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _WHERE[name]
    needed = _NEEDS.get(room, (3, 8))
    if sys.version_info < needed:
        raise ImportError(_too_old(name, needed))
    value = getattr(importlib.import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def _too_old(name: str, needed: Tuple[int, ...]) -> str:
    wanted, here = (".".join(map(str, version[:2])) for version in (needed, sys.version_info))
    return f"sandlot.{name} needs Python {wanted} or later and this is Python {here}: use a newer interpreter"


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
