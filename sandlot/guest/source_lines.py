"""Lets `linecache` know the lines of a program that is no file, without importing it before it is needed.

`linecache` costs 5 ms, and only tracebacks and debuggers want it. So a finder waits in front of
sys.meta_path for its first import, fills its cache and goes away.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any, List, Optional

FILENAME = "<code>"


class SourceLines:
    """A finder for `linecache` only."""

    def __init__(self, source: bytes) -> None:
        """Take the program's text; if linecache is there already, tell it now."""
        self._source = source
        present = sys.modules.get("linecache")
        if present is not None:
            self._fill(present)

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Optional[ModuleSpec]:
        """Import linecache by the other finders, fill its cache and hand its specification on."""
        if name != "linecache":
            return None
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        spec = _found(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Filling(spec.loader, self)  # type: ignore[assignment]
        return spec

    def _fill(self, linecache: Any) -> None:
        lines: List[str] = self._source.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[FILENAME] = (len(self._source), None, lines, FILENAME)


class _Filling:
    """A loader that fills the cache once the module's own loader has run."""

    def __init__(self, loader: Any, lines: SourceLines) -> None:
        self._loader = loader
        self._lines = lines

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        module.__spec__.loader = module.__loader__ = self._loader
        self._lines._fill(module)  # noqa: SLF001 - both halves of one finder


def _found(name: str) -> Optional[ModuleSpec]:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None
