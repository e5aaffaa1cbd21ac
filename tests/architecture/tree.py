"""The source tree as the gates see it: modules with text and syntax tree, and the files git would track."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sandlot"
_MADE = {".git", ".venv", "dist", "build", "out", "__pycache__", "node_modules"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """The top-level room: the folder or module below the package."""
        return self.path.relative_to(PACKAGE).parts[0].removesuffix(".py")

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


@cache
def modules(folder: Path = PACKAGE) -> tuple[Module, ...]:
    return tuple(_module(path) for path in sorted(folder.rglob("*.py")) if not _MADE & set(path.parts))


def _module(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path, text, ast.parse(text, str(path)))


@cache
def tracked() -> tuple[Path, ...]:
    """Files that are or could be committed; every file of an unpacked source archive."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return tuple(path for path in ROOT.rglob("*") if path.is_file() and not _is_made(path))
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def _is_made(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part in _MADE or part.endswith(("_cache", ".egg-info")) for part in parts)
