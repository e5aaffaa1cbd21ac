"""One call of a handler, from what a caller gives to how it went."""

from __future__ import annotations

from typing import Any, Mapping

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.handler import Handler

from .boxes import Boxes
from .outcome import LONGEST_TIMEOUT, failed, flaw, timeout_of, told
from .sandbox.core.errors import ExitCode
from .sandbox.core.result import StandardExecutionResult

_TRUE_ONE = "remaining_time_in_millis"


async def call(
    boxes: Boxes,
    task: Mapping[str, Any],
    usual: float,
    *,
    longest: float = LONGEST_TIMEOUT,
    is_placed: bool = False,
) -> StandardExecutionResult:
    """Call the `handler_code` of *task* with its `event` and `context`. Never raises for what they are.

    *usual* are the seconds it may take where the event says nothing, *longest* those the event may allow.
    """
    code, event = task.get("handler_code"), task.get("event")
    flawed = flaw(code)
    if flawed is not None:
        return flawed
    try:
        timeout = timeout_of(event, usual, longest)
        context = {name: value for name, value in (task.get("context") or {}).items() if name != _TRUE_ONE}
        raised, valueless = ExitCode.HANDLER_EXECUTION_ERROR, ExitCode.JSON_SERIALIZATION_ERROR
        handler = Handler(event=event, context=context, raised=raised, valueless=valueless)
        return told(await boxes.run(str(code), handler, timeout, is_placed=is_placed), timeout)
    except SandlotError as error:
        return failed(error)
