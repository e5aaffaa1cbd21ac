"""Archives as NoxRunner moves them, and how their files reach a directory safely."""

from __future__ import annotations

from .tar_handler import TarHandler

__all__ = ["TarHandler"]
