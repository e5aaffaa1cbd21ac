"""The dialect of Sandbox Runtime. SPEC.md says what it is made after and where it differs."""

from .routes import routes

__all__ = ["routes"]
