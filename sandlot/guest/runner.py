"""Runs a program given as text in this process, as `python -c` would, without a second interpreter start.

What the process was before is taken out of sight: modules, argv, path entries, streams. A traceback is
printed without frames of the agent and with the program's lines; `ending` is the end.

The working directory is the last entry of sys.path, not the first: a `json.py` that an earlier run left in
the workspace must not become the `json` of the next one (F17).
"""

from __future__ import annotations

import gc
import os
import sys

from . import descriptors, ending, handler, packing, reseed, signals
from .source_lines import FILENAME, SourceLines
from .stage import Stage, open_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any, Dict, List, NoReturn, Optional, Type, Union

    from .contexts.opening import Opening
    from .handler import Call

_INTERRUPTED = -signals.SIGINT
_TIMES = 12
"""An interpreter has adapted to what it runs after some ten times, and writes to the code no more."""

_AFFECT_STREAMS = ("PYTHONIOENCODING", "PYTHONUNBUFFERED")


_foreseen: List[Stage] = []
_stages: List[Stage] = []


def rehearse() -> None:
    """Go once through what every program goes through, so that no fork has to set it up (compile, exec)."""
    import traceback  # noqa: F401 - what `_report` needs

    _touch()
    handler.rehearse()


def _touch() -> None:
    namespace = {"__builtins__": sys.modules["builtins"], "__name__": "rehearsal"}
    text = "class A:\n  def f(self, *a, **k): return [x for x in a]\ny = f'{A().f(1)}'\nimport sys, os\n"
    exec(_compiled(text.encode()), namespace)  # noqa: S102 - our own text


def foresee(archive: str, *, is_final: bool) -> None:
    """Do ahead, in the process that will fork, what `warm` would do alike in every fork.

    is_final: its forks run programs and hardly ever are agents (`step_down`), so it sets their stage itself.
    """
    stage = Stage(archive)
    stage.foresee_pipes()
    reading, writing = os.pipe()
    with descriptors.Stood((reading, writing, writing)):
        for _ in range(_TIMES):
            _pretend(stage)
    stage.look()
    if is_final:
        stage.enter()
    _foreseen.append(stage)
    packing.pack()


def step_down() -> None:
    """In a fork that becomes an agent after all, before it imports anything: show it its own things again."""
    for stage in _foreseen:
        stage.leave()


def _pretend(stage: Stage) -> None:
    """Go through the whole life of a program, and undo it."""
    finders = list(sys.meta_path)
    stage.enter()
    reseed.redraw()
    _touch()
    sys.meta_path.insert(0, SourceLines(b"print(1)"))
    stage.begin()
    status = _execute(b"print(1)", vars(stage.main[0]), None)
    ending.pretend(status, stage.main, stage.before)
    sys.meta_path[:] = finders
    stage.leave()


def warm(archive: str) -> None:
    """In a fork, ahead of the program: set its stage, and touch the memory it will write to.

    Its standard streams are pipes.
    """
    stage = _foreseen.pop() if _foreseen else Stage(archive)
    if not stage.is_set:
        stage.enter()
    reseed.reseed()
    _stages.append(stage)
    _touch()


def run(
    source: bytes, env: Dict[str, str], workdir: str, call: Union[Call, Opening, None], archive: str
) -> NoReturn:
    """Run the program as a fresh `__main__`, then end the process as the interpreter would.

    archive: the entry of sys.path the agent was imported from; call: what of the program is called then.
    """
    ask = None if call is None else call.ask(source)
    source = source if ask is None else ask.program
    stage = _stages.pop() if _stages else _entered(archive)
    if stage.environ != env:
        _become_environment(env)
    if any(name in env for name in _AFFECT_STREAMS):
        open_streams(env)
    sys.path.append(workdir)
    sys.meta_path.insert(0, SourceLines(source))
    stage.begin()
    gc.enable()
    status = _execute(source, vars(stage.main[0]), ask)
    if status == _INTERRUPTED:
        _die_of_interrupt(stage.main, stage.before)
    ending.finish(status, stage.main, stage.before)


def _entered(archive: str) -> Stage:
    """The stage of a program that begins in a fork of its own, with standard streams of any kind."""
    stage = _foreseen.pop() if _foreseen else Stage(archive)
    stage.forget_pipes()
    stage.enter()
    reseed.reseed()
    return stage


def _execute(source: bytes, namespace: Dict[str, Any], ask: Union[handler.Ask, Opening, None]) -> int:
    """The exit status of the program, or _INTERRUPTED."""
    try:
        code = _compiled(source)
        exec(code, namespace)  # noqa: S102 - the purpose of this module
        if ask is not None:
            ask.answer(namespace)
    except SystemExit as error:
        return ending.code_of(error)
    except BaseException as error:  # noqa: BLE001 - the edge of a process, whatever the program raised
        try:
            _report(type(error), error, _users(error.__traceback__))
        except SystemExit as last:  # by the program's own hook
            return ending.code_of(last)
        if isinstance(error, KeyboardInterrupt):
            return _INTERRUPTED
        return 1 if ask is None else ask.failed
    return 0


def _compiled(source: bytes) -> CodeType:
    # As text: it came as text, so a coding cookie in it says nothing (PEP 263). A byte order mark is no code.
    text = source.decode("utf-8", "surrogatepass")
    text = text[1:] if text.startswith("\ufeff") else text
    return compile(text, FILENAME, "exec", dont_inherit=True)


def _users(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback without its first frames, which are ours."""
    ours = globals(), vars(handler)
    while traceback is not None and any(traceback.tb_frame.f_globals is each for each in ours):
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


def _die_of_interrupt(main: List[Any], before: ending.Before) -> NoReturn:
    """End as an interrupted interpreter does: by the signal itself, so that the status says 128 + 2."""
    ending.settle(0, main, before)
    signals.restore(python=False)
    os.kill(os.getpid(), signals.SIGINT)
    os._exit(128 + signals.SIGINT)


def _become_environment(env: Dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in env]:
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
