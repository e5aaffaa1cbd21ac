"""The API of the package `noxrunner` 2.0.0: change the import and programs go on working.

`SPEC.md` beside this file lists what is the same, what is safer, and what was kept although it is odd.
"""

from __future__ import annotations

from .client import NoxRunnerClient
from .exceptions import NoxRunnerError, NoxRunnerHTTPError

__all__ = ["NoxRunnerClient", "NoxRunnerError", "NoxRunnerHTTPError"]

__version__ = "2.0.0"  # of the API that is spoken here, not of sandlot
