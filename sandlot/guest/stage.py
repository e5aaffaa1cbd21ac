"""What a program finds when it begins: streams, modules, `__main__`, as a fresh interpreter would have them.

What is the same for all programs that begin in forks of one process is worked out before the forks.
"""

from __future__ import annotations

import gc
import io
import os
import sys

from . import descriptors, ending, lean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Dict, List, TextIO, Tuple

    Streams = Tuple[TextIO, TextIO, TextIO]

_PACKAGE = __name__.partition(".")[0]
_ARGV0 = "-c"
_sites: List[str] = []


class Stage:
    """Set for a program, perhaps ahead of it; `leave` shows the agent's own things again.

    is_set: whether it is; environ: the variables so far; main: holds `__main__` alone, so that the end can
    let it go; before: what was there. Whoever runs a program keeps its stage, by which the agent's modules
    and streams live on: to take them apart costs more than a program of one line.
    """

    def __init__(self, archive: str) -> None:
        """Work out what is known already; archive: the entry of sys.path the agent was imported from."""
        lean.uninstall()
        self._archive = archive
        self._streams: List[Streams] = []
        self._stands_on_pipes = self.is_set = False
        self.environ = dict(os.environ)
        self.main: List[ModuleType] = []
        self.look()

    def look(self) -> None:
        """Find what is to be hidden."""
        modules, importers = list(sys.modules), list(sys.path_importer_cache)
        self._modules_mark, self._importers_mark = ending.Mark(modules), ending.Mark(importers)
        self._ours = [name for name in modules if _is_ours(name)]
        self._own_importers = [entry for entry in importers if entry.startswith(self._archive)]
        self.before = ending.Before([name for name in modules if not _is_ours(name)])

    def _look_again(self) -> None:
        """The agent may have imported more."""
        if len(sys.modules) == len(self._modules_mark) and len(sys.path_importer_cache) == len(
            self._importers_mark
        ):
            return
        modules = self._modules_mark.since(sys.modules)
        importers = self._importers_mark.since(sys.path_importer_cache)
        if modules is None or importers is None:
            self.look()
            return
        self._ours += [name for name in modules if _is_ours(name)]
        self._own_importers += [entry for entry in importers if entry.startswith(self._archive)]
        self.before.add([name for name in modules if not _is_ours(name)])

    def foresee_pipes(self) -> None:
        """Open the streams ahead, for a fork that will `enter` with pipes as its standard streams."""
        reading, writing = os.pipe()
        with descriptors.Stood((reading, writing, writing)):
            self._streams.append(_opened({}))
        self._stands_on_pipes = True

    def forget_pipes(self) -> None:
        """The standard streams may be anything."""
        self._stands_on_pipes = False

    def enter(self) -> None:
        """Set it, in the process of the program."""
        self._look_again()
        self.is_set = True
        self._aside = _Aside()
        _install(self._streams[-1] if self._stands_on_pipes else _opened({}))
        self._modules = {name: sys.modules.pop(name) for name in self._ours}
        self._importers = {entry: sys.path_importer_cache.pop(entry) for entry in self._own_importers}
        sys.path[:] = [entry for entry in sys.path if entry != self._archive]
        sys.argv = [_ARGV0]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = [sys.executable, _ARGV0]
        sys.modules["__main__"] = _fresh_main()
        prepare()
        if len(sys.modules) != len(self.before):  # the line before imported more
            self.before.add(self.before.modules_since(sys.modules))

    def begin(self) -> None:
        """The program's turn: what it makes from here on is all that its collector will find."""
        gc.freeze()
        self.main = [_fresh_main()]
        sys.modules["__main__"] = self.main[0]
        self.before.begin()

    def leave(self) -> None:
        """Put back what `enter` took away; no program of the user has run."""
        sys.modules.update(self._modules)
        sys.path_importer_cache.update(self._importers)
        self._modules_mark.put_last(list(self._modules))
        self._importers_mark.put_last(list(self._importers))
        self._aside.restore()
        self.is_set = False


class _Aside:
    """What a stage hides behind something else of the same name."""

    def __init__(self) -> None:
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._main, self._path, self._argv = sys.modules["__main__"], list(sys.path), sys.argv
        self._orig_argv = getattr(sys, "orig_argv", None)

    def restore(self) -> None:
        _install(self._streams)
        sys.modules["__main__"], sys.path[:], sys.argv = self._main, self._path, self._argv
        if self._orig_argv is not None:
            sys.orig_argv = self._orig_argv


def prepare() -> None:
    """Let the environment's packages import: the interpreter was started with -S. Once in a process."""
    if not _sites:
        import site

        site.main()
        _sites.append(sys.prefix)


def open_streams(env: Dict[str, str]) -> None:
    """Fresh standard streams, set as the interpreter's start would set them with these variables."""
    _install(_opened(env))


def _install(streams: Streams) -> None:
    for name, stream in zip(("stdin", "stdout", "stderr"), streams):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _opened(env: Dict[str, str]) -> Streams:
    encoding, _, errors = env.get("PYTHONIOENCODING", "").partition(":")
    lenient = errors or "surrogateescape"
    write_through = bool(env.get("PYTHONUNBUFFERED"))
    return (
        _stream(0, "<stdin>", encoding, lenient),
        _stream(1, "<stdout>", encoding, lenient, write_through=write_through),
        _stream(2, "<stderr>", encoding, "backslashreplace", write_through=write_through),
    )


def _stream(descriptor: int, name: str, encoding: str, errors: str, *, write_through: bool = False) -> TextIO:
    reads = descriptor == 0
    raw = io.FileIO(descriptor, "rb" if reads else "wb", closefd=False)
    raw.name = name
    buffered = io.BufferedReader(raw) if reads else io.BufferedWriter(raw)
    text = io.TextIOWrapper(
        buffered,
        encoding=encoding or "utf-8",
        errors=errors,
        newline=None if reads else "\n",
        line_buffering=descriptor == 2 or raw.isatty(),
        write_through=write_through,
    )
    text.mode = "r" if reads else "w"  # type: ignore[misc]
    return text


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == _PACKAGE


def _fresh_main() -> ModuleType:
    module: ModuleType = type(sys)("__main__")
    namespace = module.__dict__
    namespace["__builtins__"] = sys.modules["builtins"]
    namespace["__annotations__"] = {}
    return module
