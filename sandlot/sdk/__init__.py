"""Sandboxes held from Python, here or on a server: what people hold."""

from __future__ import annotations

from .async_context import AsyncContext
from .async_sandbox import AsyncSandbox
from .context import Context
from .sandbox import Sandbox

__all__ = ["AsyncContext", "AsyncSandbox", "Context", "Sandbox"]
