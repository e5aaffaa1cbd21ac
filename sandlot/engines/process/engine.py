"""The engine `process` of this system: confined on Linux, plain elsewhere."""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from .confined import ConfinedEngine as ProcessEngine
else:
    from .portable import PortableEngine as ProcessEngine

__all__ = ["ProcessEngine"]
