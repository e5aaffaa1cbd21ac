"""The Service of a server: flows of `wire` driven over `transport`, for threads and for tasks."""

from __future__ import annotations

from .async_service import AsyncClient
from .service import Client

__all__ = ["AsyncClient", "Client"]
