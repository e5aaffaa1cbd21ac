"""ipykernel beside us: a cell in a kernel that runs, and a kernel from its start to its first result."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from .benchmark import Series, Stage, Wrong, elapsed, repeated

_TIMEOUT = 60.0
_CELL = "print(1)"


@asynccontextmanager
async def ipykernel(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """Cells of `print(1)` by jupyter_client's blocking client, in this interpreter's ipykernel."""
    for needed in ("ipykernel", "jupyter_client"):
        if importlib.util.find_spec(needed) is None:
            raise Wrong(f"{needed} is not installed: pip install ipykernel jupyter_client")
    manager = importlib.import_module("jupyter_client.manager")
    with _kernel(manager) as client:

        async def cell() -> float:
            begun = time.perf_counter()
            _run(client)
            return elapsed(begun)

        async def first_result() -> float:
            begun = time.perf_counter()
            with _kernel(manager) as fresh:
                _run(fresh)
                return elapsed(begun)

        yield repeated("cell", cell), repeated("start", first_result)


@contextmanager
def _kernel(manager: Any) -> Iterator[Any]:
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
