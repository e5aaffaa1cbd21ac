"""Requests that a context answers, and those that need none: from a message to the content of its reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sandlot._version import __version__
from sandlot.contracts.contexts import Context

from . import answered, asked
from .history import MOST, history_reply

Content = dict[str, Any]
Answer = Callable[[Context, Mapping[str, Any]], Awaitable[Content]]


async def _kernel_info(context: Context, _content: Mapping[str, Any]) -> Content:
    return answered.kernel_info_reply(context.facts, __version__)


async def _complete(context: Context, content: Mapping[str, Any]) -> Content:
    about = asked.question_from(content)
    return answered.complete_reply(await context.complete(about.code, about.cursor))


async def _inspect(context: Context, content: Mapping[str, Any]) -> Content:
    about = asked.question_from(content)
    found = await context.inspect(about.code, about.cursor, detail=about.detail)
    return answered.inspect_reply(found)


async def _is_complete(context: Context, content: Mapping[str, Any]) -> Content:
    return answered.is_complete_reply(await context.is_complete(asked.code_from(content)))


async def _history(context: Context, content: Mapping[str, Any]) -> Content:
    return history_reply(await context.history(MOST), content)


async def _comm_info(_context: Context, _content: Mapping[str, Any]) -> Content:
    return {"status": "ok", "comms": {}}


QUESTIONS: Final[Mapping[str, Answer]] = {
    "kernel_info_request": _kernel_info,
    "complete_request": _complete,
    "inspect_request": _inspect,
    "is_complete_request": _is_complete,
    "history_request": _history,
    "comm_info_request": _comm_info,
}
"""By the type of the request. They raise SandlotError."""
