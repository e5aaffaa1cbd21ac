"""The native dialect: NoxRunner v1, extended. SPEC.md says by what."""

from .routes import routes

__all__ = ["routes"]
