"""What a program finds when it begins: streams, modules, `__main__`, as a fresh interpreter would have them.

What is the same for all programs that begin in forks of one process is worked out before the forks.
"""

from __future__ import annotations

import io
import os
import sys

from . import descriptors, lean, reseed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Dict, FrozenSet, List, TextIO, Tuple

    Streams = Tuple[TextIO, TextIO, TextIO]

_PACKAGE = __name__.partition(".")[0]
_ARGV0 = "-c"
_sites: List[str] = []


class Stage:
    """Set once in a process, perhaps ahead of the program.

    environ: the variables so far; hidden: the agent's modules and streams, which must live on: to take them
    apart costs more than a program of one line. main: holds `__main__` alone, so that the end can let it go;
    before: the modules there were.
    """

    def __init__(self, archive: str) -> None:
        """Work out what is known already; archive: the entry of sys.path the agent was imported from."""
        lean.uninstall()
        self._archive = archive
        self._streams: List[Streams] = []
        self._ours = _our_modules()
        self._loaded = len(sys.modules)
        self.before: FrozenSet[str] = frozenset(sys.modules).difference(self._ours)
        self.environ = dict(os.environ)
        self.hidden: List[object] = []
        self.main: List[ModuleType] = []

    def foresee_pipes(self) -> None:
        """Open the streams ahead, for a fork that will `enter` with pipes as its standard streams."""
        reading, writing = os.pipe()
        with descriptors.Stood((reading, writing, writing)):
            self._streams.append(_opened({}))

    def forget_pipes(self) -> None:
        """The standard streams may be anything."""
        self._streams.clear()

    def enter(self) -> None:
        """Set it, in the process of the program."""
        self.hidden = [sys.stdin, sys.stdout, sys.stderr]
        _install(self._streams.pop() if self._streams else _opened({}))
        ours = self._ours if len(sys.modules) == self._loaded else _our_modules()
        self.hidden += [sys.modules.pop(name) for name in ours]
        _forget_archive(self._archive)
        self.main = [_fresh_main()]
        prepare()
        reseed.reseed()
        if len(sys.modules) != len(self.before):  # the agent, or the line before, imported more
            self.before = frozenset(sys.modules)


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


def _our_modules() -> List[str]:
    return [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]


def _forget_archive(archive: str) -> None:
    """Take path entries and arguments of the agent out of sight."""
    sys.path[:] = [entry for entry in sys.path if entry != archive]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(archive)]:
        del sys.path_importer_cache[entry]
    sys.argv = [_ARGV0]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, _ARGV0]


def _fresh_main() -> ModuleType:
    module: ModuleType = type(sys)("__main__")
    namespace = module.__dict__
    namespace["__builtins__"] = sys.modules["builtins"]
    namespace["__annotations__"] = {}
    sys.modules["__main__"] = module
    return module
