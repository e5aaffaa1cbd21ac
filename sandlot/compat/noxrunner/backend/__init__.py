"""Where a client's calls end: at a service over HTTP, or in directories of this machine."""

from __future__ import annotations

from .base import SandboxBackend
from .http import HTTPSandboxBackend
from .local import LocalBackend

LocalSandboxBackend = LocalBackend
RemoteSandboxBackend = HTTPSandboxBackend

__all__ = [
    "HTTPSandboxBackend",
    "LocalBackend",
    "LocalSandboxBackend",
    "RemoteSandboxBackend",
    "SandboxBackend",
]
