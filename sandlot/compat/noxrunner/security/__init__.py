"""Word lists and path rules of local mode. They hold nobody in: the walls of `sandlot` do that."""

from __future__ import annotations

from .command_validator import CommandValidator
from .path_sanitizer import PathSanitizer

__all__ = ["CommandValidator", "PathSanitizer"]
