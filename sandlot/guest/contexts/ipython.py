"""A shell that is IPython's own, where the environment has it: %magics, !shell, its questions and tracebacks.

Its classes are made when IPython has been imported, so this module can be loaded without it. A zygote that
has IPython preloaded makes the shell ahead (`prepare`): what a plain program could notice of that is undone,
and done again in the fork that becomes a context (`shell`).
"""

from __future__ import annotations

import builtins
import os
import sys

from . import ipython_parts, ipython_rehearsal
from .bundles import bundle_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .interrupts import Loop
    from .outlet import Outlet

_INLINE = "module://matplotlib_inline.backend_inline"
_WITHOUT = "agg"  # there is no display
_BUILTINS = ("__IPYTHON__", "display")
_PROMPTS = ("ps1", "ps2", "ps3")
_prepared: List[Any] = []


def prepare() -> None:
    """In a zygote that has loaded IPython: make the shell that a context will need."""
    if "IPython" not in sys.modules or _prepared:
        return
    main, path, displayhook = sys.modules["__main__"], list(sys.path), sys.displayhook
    __import__("getpass")  # of which every context takes a function's place
    _prepared.append(_rehearsed())
    for name in _BUILTINS:
        vars(builtins).pop(name, None)
    for name in _PROMPTS:
        vars(sys).pop(name, None)
    sys.modules["__main__"] = main
    sys.path[:], sys.displayhook = path, displayhook


def _rehearsed() -> Any:
    made = ipython_parts.made()
    try:
        ipython_rehearsal.rehearse(made)
    except Exception:  # noqa: BLE001 - an IPython of another kind: one that has run nothing will do
        return ipython_parts.made()
    return made


def shell(outlet: Outlet, loop: Loop) -> Optional[Driver]:
    """IPython's shell; None where the environment has none, or one that this cannot drive."""
    try:
        found = _prepared.pop() if _prepared else ipython_parts.made()
        found.adopt(outlet, loop)
        _touch(found)
    except ImportError:
        os.environ.setdefault("MPLBACKEND", _WITHOUT)
        return None
    except Exception as error:  # noqa: BLE001 - an IPython that is too old, too new or broken
        sys.stderr.write(f"sandlot: IPython cannot be used here: {type(error).__name__}: {error}\n")
        return None
    os.environ.setdefault("MPLBACKEND", _INLINE)
    _choose_backend()
    return Driver(found)


def _touch(found: Any) -> None:
    try:
        ipython_rehearsal.rehearse(found, 1)
    except Exception:  # noqa: BLE001 - an IPython of another kind, as in `_rehearsed`
        return


def _choose_backend() -> None:
    """For a matplotlib that was loaded before the variable that chooses was set."""
    matplotlib: Any = sys.modules.get("matplotlib")
    if matplotlib is not None and "matplotlib.pyplot" not in sys.modules:
        # Not by its own item: that looks for backends among all that is installed, for 20 ms.
        dict.__setitem__(matplotlib.rcParams, "backend", os.environ["MPLBACKEND"])


class Driver:
    """Implements program.Shell by an ipython_parts.ShellPart."""

    name = "ipython"
    language = "python", sys.version.split()[0]
    features: Tuple[str, ...] = (
        "await",
        "complete",
        "display",
        "fork",
        "history",
        "input",
        "inspect",
        "is_complete",
        "magics",
        "matplotlib",
        "shell",
    )

    def __init__(self, found: Any) -> None:
        """Drive an adopted shell."""
        self._shell = found
        self.version: str = sys.modules["IPython"].__version__

    @property
    def count(self) -> int:
        """The number of the next cell."""
        return int(self._shell.execution_count)

    @property
    def is_leaving(self) -> bool:
        """`exit` was called."""
        return bool(self._shell.is_leaving)

    def run(self, code: str, *, store: bool, silent: bool) -> str:
        """Run a cell: ok, error or interrupted."""
        outlet = self._shell.outlet
        done = self._shell.run_cell(code, store_history=store, silent=silent)
        error = done.error_before_exec or done.error_in_exec
        if error is None or self._shell.is_leaving:
            return "ok"
        if not outlet.has_raised:
            self._shell.tell_plainly(error)
        return "interrupted" if outlet.is_interrupted else "error"

    def evaluate(self, expressions: Dict[str, str]) -> None:
        for name, told in self._shell.user_expressions(expressions).items():
            if told["status"] == "ok":
                self._shell.outlet.value(name, told["data"], told["metadata"])
            else:
                lines = list(told["traceback"])
                self._shell.outlet.no_value(name, str(told["ename"]), str(told["evalue"]), lines)

    def complete(self, code: str, cursor: int) -> Dict[str, Any]:
        matches, start, end, metadata = self._shell.completions(code, cursor)
        return {"matches": matches, "start": start, "end": end, "metadata": metadata}

    def inspect(self, code: str, cursor: int, detail: int) -> Dict[str, Any]:
        data = bundle_of(self._shell.inspection(code, cursor, detail))
        return {"found": bool(data), "data": data, "metadata": {}}

    def is_complete(self, code: str) -> Tuple[str, str]:
        status, spaces = self._shell.input_transformer_manager.check_complete(code)
        return status, " " * (spaces or 0)

    def history(self, most: int) -> List[Tuple[int, str]]:
        kept = self._shell.history_manager.input_hist_raw
        return [(number, kept[number]) for number in range(max(1, len(kept) - most), len(kept))]
