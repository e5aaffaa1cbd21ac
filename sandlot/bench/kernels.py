"""ipykernel as a baseline: a cell in a kernel that runs, and a kernel from its start to its first result."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .benchmark import Series, Wrong, elapsed, repeated

PACKAGES = ("ipykernel", "jupyter_client")
"""What this interpreter needs for it; nothing is fetched while something is measured."""

_TIMEOUT = 60.0
_CELL = "print(1)"


def is_here() -> bool:
    """Whether this interpreter has what these baselines need."""
    return all(importlib.util.find_spec(needed) is not None for needed in PACKAGES)


@contextmanager
def cells(name: str) -> Iterator[Series]:
    """Cells of `print(1)` by jupyter_client's blocking client, in one ipykernel of this interpreter."""
    with _kernel() as client:

        async def sample() -> float:
            begun = time.perf_counter()
            _run(client)
            return elapsed(begun)

        yield repeated(name, sample)


@contextmanager
def starts(name: str) -> Iterator[Series]:
    """An ipykernel of this interpreter from its start to the result of its first cell."""

    async def sample() -> float:
        begun = time.perf_counter()
        with _kernel() as fresh:
            _run(fresh)
            return elapsed(begun)

    yield repeated(name, sample)


KINDS: dict[str, Callable[[str], AbstractContextManager[Series]]] = {
    "ipykernel-cell": cells,
    "ipykernel-start": starts,
}
"""The baselines of this module by name."""


@contextmanager
def _kernel() -> Iterator[Any]:
    manager = importlib.import_module("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(kernel_name="python3", startup_timeout=_TIMEOUT)
    try:
        yield client
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def _run(client: Any) -> None:
    """Run a cell up to its reply and its output. Raises Wrong when it writes something else."""
    written: list[str] = []

    def heard(message: Any) -> None:
        if message["msg_type"] == "stream":
            written.append(message["content"]["text"])

    reply = client.execute_interactive(_CELL, timeout=_TIMEOUT, output_hook=heard)
    if reply["content"]["status"] != "ok" or "".join(written) != "1\n":
        raise Wrong(f"the cell gave {reply['content']['status']} and wrote {written!r}")
