"""Blocking work beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


async def arun(
    func: Callable[Parameters, Value], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Value:
    """What *func* returns, called in a thread of the loop's executor."""
    return await asyncio.get_running_loop().run_in_executor(None, partial(func, *args, **kwargs))
