"""Sandboxes held from Python, here or on a server: what people hold."""

from __future__ import annotations

from .async_sandbox import AsyncSandbox
from .sandbox import Sandbox

__all__ = ["AsyncSandbox", "Sandbox"]
