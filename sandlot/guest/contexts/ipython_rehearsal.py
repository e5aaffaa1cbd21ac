"""Runs a cell in a shell that a zygote made ahead, and takes back what a context could see of it.

The first cell of a shell compiles patterns, imports modules and makes formatters. Each context would do that
again, for 3 ms and 1.5 MiB of memory.
"""

from __future__ import annotations

from ...wire import json_object
from .outlet import Outlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

_CELL = "1 + 1"
_LAST = "last_execution_result"
_TIMES = 12  # as in guest.runner


def rehearse(shell: Any, times: int = _TIMES) -> None:
    """Run cells in *shell*, an ipython_parts.ShellPart. Raises what an IPython of another kind raises.

    times: once is enough in a context, for the memory that its first cell will write to.
    """
    import linecache

    lines, spaces = (
        set(linecache.cache),
        [(each, dict(each)) for each in (shell.user_ns, shell.user_ns_hidden)],
    )
    own = vars(shell).get("outlet")
    shell.outlet = Outlet(_Deaf())  # type: ignore[arg-type] # nobody asks it for more
    for _ in range(times):
        if not shell.run_cell(_CELL, store_history=False).success:
            raise RuntimeError(f"IPython cannot run {_CELL!r}")
    shell.outlet = own
    _forget(shell)
    for space, names in spaces:
        space.clear()
        space.update(names)
    for name in set(linecache.cache) - lines:
        del linecache.cache[name]


def _forget(shell: Any) -> None:
    shell.user_ns["_oh"].clear()  # Out
    getattr(shell.history_manager, "outputs", {}).clear()  # IPython 9
    hook = shell.displayhook
    for owner, result, none in ((hook, "_", ""), (hook, "__", ""), (hook, "___", ""), (shell, _LAST, None)):
        setattr(owner, result, none)
    shell.compile._filename_map.clear()  # noqa: SLF001 - the names of cells


class _Deaf:
    """Stands for a context's channel."""

    is_left = False

    def tell(self, event: Dict[str, Any]) -> None:
        json_object.render(event)
