"""Runs a program given as text in this process, as `python -c` would, without a second interpreter start.

What the process was before is taken out of sight: modules, argv, path entries, streams. Exit codes,
`atexit`, threads and the flushing of files are left to the interpreter's own end, which no imitation gets
right; only the traceback is printed here, without frames of the agent and with the program's lines.

The working directory is the last entry of sys.path, not the first: a `json.py` that an earlier run left in
the workspace must not become the `json` of the next one (F17).
"""

from __future__ import annotations

import gc
import io
import os
import sys

from . import lean, signals
from .source_lines import FILENAME, SourceLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType, TracebackType
    from typing import Any, Dict, NoReturn, Optional, TextIO, Type

_PACKAGE = __name__.partition(".")[0]
_ARGV0 = "-c"


def run(source: bytes, env: Dict[str, str], workdir: str, archive: str) -> NoReturn:
    """Run the program as a fresh `__main__`; ends by SystemExit, whatever ended the program.

    archive: the entry of sys.path the agent was imported from.
    """
    _become_environment(env)
    _open_streams(env)
    _forget_agent(archive)
    namespace = _fresh_main()
    _import_site(workdir)
    sys.meta_path.insert(0, SourceLines(source))
    _reseed()
    gc.enable()
    _execute(source, namespace)
    sys.exit(0)


def _execute(source: bytes, namespace: Dict[str, Any]) -> None:
    try:
        code = _compiled(source)
        exec(code, namespace)  # noqa: S102 - the purpose of this module
    except SystemExit:
        raise  # the interpreter knows best what an exit code is
    except BaseException as error:  # noqa: BLE001 - the edge of a process, whatever the program raised
        _report(type(error), error, _users(error.__traceback__))
        if isinstance(error, KeyboardInterrupt):
            _die_of_interrupt(namespace)
        status = 1
    else:
        return
    sys.exit(status)


def _compiled(source: bytes) -> CodeType:
    # As text: it came as text, so a coding cookie in it says nothing (PEP 263). A byte order mark is no code.
    text = source.decode("utf-8", "surrogatepass")
    text = text[1:] if text.startswith("\ufeff") else text
    return compile(text, FILENAME, "exec", dont_inherit=True)


def _users(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback without its first frames, which are this module's."""
    while traceback is not None and traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    return traceback


def _report(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
    """Print an uncaught exception as the interpreter would, or let the program's own hook do it."""
    error = error.with_traceback(traceback)
    try:
        if sys.excepthook is not sys.__excepthook__:
            sys.excepthook(kind, error, traceback)
        elif sys.stderr is not None:
            import traceback as printer

            printer.print_exception(kind, error, traceback)
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - a broken hook or a closed stream must not hide the exit code
        sys.__excepthook__(kind, error, traceback)


def _die_of_interrupt(namespace: Dict[str, Any]) -> NoReturn:
    """End as an interrupted interpreter does: by the signal itself, so that the status says 128 + 2."""
    import atexit

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - what the interpreter's end calls
    atexit._run_exitfuncs()  # noqa: SLF001 - as above
    namespace.clear()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, gone or None
            continue
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(128 + signals.SIGINT)


def _become_environment(env: Dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


def _open_streams(env: Dict[str, str]) -> None:
    """Fresh standard streams, set as the interpreter's start would set them."""
    encoding, _, errors = env.get("PYTHONIOENCODING", "").partition(":")
    lenient = errors or "surrogateescape"
    write_through = bool(env.get("PYTHONUNBUFFERED"))
    streams = {
        "stdin": _stream(0, "<stdin>", encoding, lenient),
        "stdout": _stream(1, "<stdout>", encoding, lenient, write_through=write_through),
        "stderr": _stream(2, "<stderr>", encoding, "backslashreplace", write_through=write_through),
    }
    for name, stream in streams.items():
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


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


def _forget_agent(archive: str) -> None:
    """Take modules, path entries and arguments of the agent out of sight; this module stays while it runs."""
    lean.uninstall()
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != archive]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(archive)]:
        del sys.path_importer_cache[entry]
    sys.argv = [_ARGV0]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, _ARGV0]


def _fresh_main() -> Dict[str, Any]:
    module: ModuleType = type(sys)("__main__")
    namespace = module.__dict__
    namespace["__builtins__"] = sys.modules["builtins"]
    namespace["__annotations__"] = {}
    sys.modules["__main__"] = module
    return namespace


def _import_site(workdir: str) -> None:
    """Let the environment's packages import: the interpreter was started with -S."""
    import site

    site.main()
    sys.path.append(workdir)


def _reseed() -> None:
    """A random state that siblings do not share, should the environment have loaded it already (I05)."""
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
