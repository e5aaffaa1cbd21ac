"""Sandboxes in this process: LocalService for async code, `Sandbox` and `run` for the rest."""

from .sandbox import Sandbox, run
from .service import LocalService

__all__ = ["LocalService", "Sandbox", "run"]
