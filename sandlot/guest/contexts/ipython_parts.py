"""What a context changes in IPython's shell, as parts that are joined with its classes when it is imported.

A part knows the class it will stand before by the name `super()` finds; see IPython.core.interactiveshell,
displayhook and displaypub, and ipykernel.zmqshell for another who does the same.
"""

from __future__ import annotations

import os
import sys

from . import additions, ipython_cells, plain
from .bundles import UNSHOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple, Type

    from .interrupts import Loop
    from .outlet import Outlet

    class _Base:
        """Stands for the class of IPython."""

        shell: Any
        prompt_count: int
        execution_count: int
        user_module: Any
        history_manager: Any
        Completer: Any
        parent: Any

        def __getattr__(self, name: str) -> Any:
            """Whatever it has."""

else:
    _Base = object


def made() -> Any:
    """A shell that speaks through an outlet once it has one (`adopt`). Raises what IPython raises."""
    import atexit

    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.inputtransformer2 import TransformerManager
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type as Class
    from traitlets.config import Config

    hook = type("ResultHook", (ResultPart, DisplayHook), {})
    publisher = type("Publisher", (DisplayPart, DisplayPublisher), {})
    formatter = type("Formatter", (FormatterPart, DisplayFormatter), {})
    classes = {"displayhook_class": Class(hook), "display_pub_class": Class(publisher)}
    parts = ShellPart, ipython_cells.CellPart, InteractiveShell
    kind = type("Shell", parts, {**classes, "formatter_class": formatter})
    config = Config()
    # Its database would be a file in the user's home and a thread, which a zygote must not have.
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    shell: Any = kind(config=config)
    shell.input_transformer_manager = type("Input", (ipython_cells.InputPart, TransformerManager), {})()
    shell.set_hook("show_in_pager", shell.page, 99)
    atexit.unregister(shell.atexit_operations)
    # There is no database to close. Whoever ends without having been a context would call that, too.
    closing = getattr(shell.history_manager, "_finalizer", None)
    if closing is not None:
        closing.detach()
    return shell


class ResultPart(_Base):
    """The displayhook: values become results."""

    def write_output_prompt(self) -> None:
        """The number of a result is told, not printed."""

    def write_format_data(
        self, format_dict: Dict[str, Any], md_dict: Optional[Dict[str, Any]] = None
    ) -> None:
        """Tell it."""
        self.shell.outlet.result(format_dict, md_dict, self.prompt_count)

    def finish_displayhook(self) -> None:
        """Nothing is printed, so no line is ended."""
        self._is_active = False


class DisplayPart(_Base):
    """The display publisher."""

    def publish(
        self,
        data: Dict[str, Any],
        metadata: Optional[Dict[str, Any]] = None,
        *_source: Any,
        transient: Optional[Dict[str, Any]] = None,
        update: bool = False,
        **_rest: Any,
    ) -> None:
        """Tell it."""
        display_id = (transient or {}).get("display_id")
        told = None if display_id is None else str(display_id)
        self.shell.outlet.display(data, metadata, display_id=told, update=update)

    def clear_output(self, wait: bool = False) -> None:
        """Tell it."""
        self.shell.outlet.clear(wait=wait)


class FormatterPart(_Base):
    """The display formatter: what this program knows to tell of a value is added."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Any:
        """As IPython does; errors of single forms are told by `ShellPart.showtraceback`."""
        shell = self.parent
        was_formatting, shell.is_formatting = shell.is_formatting, True
        try:
            data, metadata = super().format(obj, include, exclude)  # type: ignore[misc] # as in ShellPart
        finally:
            shell.is_formatting = was_formatting
        if data and include is None and "text/plain" not in data and "text/plain" not in (exclude or ()):
            data["text/plain"] = UNSHOWN.format(type(obj).__name__)
        if data or include:
            additions.add(obj, data, include=include, exclude=exclude or ())
        return data, metadata


class ShellPart(_Base):
    """The shell itself: no files of its own, no terminal, no pager, and a client for input and output."""

    outlet: Outlet
    is_leaving = False
    is_formatting = False
    formatter_class: Any
    loop_runner_map: Dict[str, Any]
    _awaiting: Loop
    _store: Any = None

    def adopt(self, outlet: Outlet, loop: Loop) -> None:
        """Become the shell of this process."""
        import atexit
        import builtins

        from IPython.core.error import StdinNotImplementedError

        self.outlet, self._awaiting = outlet, loop
        outlet.refused = StdinNotImplementedError
        sys.modules["__main__"] = self.user_module
        for kind in self._walk_mro():  # what `get_ipython()` and `InteractiveShell.instance()` find
            kind._instance = self  # noqa: SLF001 - as `instance()` does
        self.init_prompts()
        known: Dict[str, Any] = vars(builtins)
        known["__IPYTHON__"] = True
        from IPython.display import display

        known["display"] = display
        self.loop_runner_map["asyncio"] = (loop.run, True)
        self.loop_runner = loop.run
        atexit.register(self.atexit_operations)

    def init_ipython_dir(self, _directory: object) -> None:
        """It has none: a box keeps no profile."""

    def init_profile_dir(self, _directory: object) -> None:
        """As above."""

    def init_display_formatter(self) -> None:
        """With what this program adds."""
        self.display_formatter = self.formatter_class(parent=self)
        self.configurables.append(self.display_formatter)

    @property
    def db(self) -> Any:
        """What %store and directory bookmarks are kept in: files that end with the box."""
        if self._store is None:
            import tempfile

            from IPython.external.pickleshare import PickleShareDB

            self._store = PickleShareDB(os.path.join(tempfile.gettempdir(), ".ipython-db"))
        return self._store

    @db.setter
    def db(self, value: Any) -> None:
        self._store = value

    def ask_exit(self) -> None:
        """`exit` and `quit`: the context ends when this cell is over."""
        self.is_leaving = True

    def enable_gui(self, gui: Optional[str] = None) -> None:
        """There is no display."""
        if gui not in (None, "inline", "agg"):
            raise RuntimeError(f"a context has no display, so no {gui}: use %matplotlib inline")

    def system(self, command: str) -> None:
        """`!command`: on the descriptors of the context, whose output is the cell's."""
        self.system_raw(command)

    def showtraceback(self, exc_tuple: Any = None, *rest: Any, **more: Any) -> None:
        """As IPython does, but tell groups of exceptions as the interpreter would print them."""
        found = sys.exc_info() if exc_tuple is None else exc_tuple
        error: Any = found[1]
        if self.is_formatting:  # one form of a value is broken: the cell goes on
            sys.stderr.write("".join(_lines_of(error)))
        elif self._awaiting.is_interrupted and type(error).__name__ in _INTERRUPTED:
            self.outlet.error("KeyboardInterrupt", "", ["KeyboardInterrupt: the cell was awaiting\n"])
        elif _is_group(error):
            self.tell_plainly(error)
        else:
            _trim(getattr(error, "__traceback__", None))
            super().showtraceback(exc_tuple, *rest, **more)  # type: ignore[misc] # of the class it stands before

    def _showtraceback(self, kind: Type[BaseException], value: BaseException, lines: Any) -> None:
        self.outlet.error(kind.__name__, _text_of(value), [lines] if isinstance(lines, str) else list(lines))

    def tell_plainly(self, error: BaseException) -> None:
        """Tell an exception as the interpreter prints it, from the cell's first frame on."""
        self.outlet.error(type(error).__name__, _text_of(error), _lines_of(error))

    def page(self, _self: Any, data: Any, *_rest: Any, **_more: Any) -> None:
        """What IPython would show in a pager."""
        self.outlet.display(data if isinstance(data, dict) else {"text/plain": str(data)}, paged=True)

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """`%load`, `%recall`: code for the person to go on with."""
        self.outlet.suggest(str(s), replace=replace)

    def completions(self, code: str, cursor: int) -> Tuple[List[str], int, int, Dict[str, Any]]:
        """Matches, the characters they replace, and their types."""
        from IPython.core.completer import provisionalcompleter, rectify_completions

        with provisionalcompleter():
            found = list(rectify_completions(code, self.Completer.completions(code, cursor)))[:500]
        start = found[0].start if found else cursor
        end = found[0].end if found else cursor
        types = [{"text": each.text, "type": each.type or ""} for each in found]
        return [each.text for each in found], start, end, {"types": types}

    def inspection(self, code: str, cursor: int, detail: int) -> Dict[str, Any]:
        """The bundle of the name at *cursor*; empty when nothing is known of it."""
        from IPython.utils.tokenutil import token_at_cursor

        name = token_at_cursor(code, cursor)
        try:
            return dict(self.object_inspect_mime(name, detail_level=detail))
        except KeyError:
            return {}


def _trim(found: Any) -> None:
    """Let a traceback end with the last frame that is not ours."""
    last = None
    while found is not None:
        if not found.tb_frame.f_code.co_filename.startswith(_OWN):
            last = found
        found = found.tb_next
    if last is not None:
        last.tb_next = None


def _is_group(error: Optional[BaseException]) -> bool:
    while error is not None:
        if type(error).__name__ in ("ExceptionGroup", "BaseExceptionGroup"):
            return True
        error = error.__context__
    return False


def _lines_of(error: BaseException) -> List[str]:
    """Its traceback as the interpreter prints it, without the frames of IPython and of this program."""
    import traceback

    import IPython

    told = traceback.TracebackException(type(error), error, error.__traceback__)
    for own in (os.path.dirname(str(IPython.__file__)), _OWN):
        plain.strip(told, own)
    return list(told.format())


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - somebody's __str__
        return "<no text>"


# The second is what an interrupt becomes in a task of asyncio, which may not have been loaded.
_INTERRUPTED = ("KeyboardInterrupt", "CancelledError")
_OWN = made.__code__.co_filename.rpartition("/")[0]
