"""Sandboxes in this process: LocalService for async code, `run` and `call` for the rest."""

from .once import call, run
from .service import LocalService

__all__ = ["LocalService", "call", "run"]
