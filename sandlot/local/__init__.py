"""Sandboxes in this process: LocalService for async code, `run` for the rest."""

from .once import run
from .service import LocalService

__all__ = ["LocalService", "run"]
