"""A LocalService over every engine of this machine."""

from __future__ import annotations

from sandlot.engines.failover import FailoverEngine

from .service import LocalService


def start() -> LocalService:
    """A service that makes each box with the fastest engine that fulfils its spec; nothing starts yet."""
    return LocalService(FailoverEngine.installed())
