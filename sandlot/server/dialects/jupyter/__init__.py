"""The Jupyter dialect: the kernel gateway's REST and WebSocket API. SPEC.md says by what."""

from .routes import routes, routes_within

__all__ = ["routes", "routes_within"]
