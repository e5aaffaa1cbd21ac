"""Calls a function of a program that was given as text, and tells what it returned.

The value goes out as one line of JSON on a descriptor of its own, which no program started from here
inherits. What cannot be told is an exception of the program, so that its author reads why.
"""

from __future__ import annotations

import os
import time

from ..wire import json_object
from .refusal import Refusal, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, NoReturn, Optional

VALUE = 5
"""The descriptor of a payload that takes the value; 3 and 4 are those it was started by."""

_POSITIONAL = 2


class Call:
    """What is called: the function's name, how many bytes at the end of the program's text are its event,
    the bytes and the depth its value may have, what its context tells, and the exit codes of a function that
    raises and of one whose value cannot be told.

    `told` is all that as JSON, by which it travels to a payload that was forked before.
    """

    def __init__(self, told: Dict[str, Any]) -> None:
        """Parse; raises Refusal (invalid)."""
        self.told = told
        self.name: str = field(told, "name", str)
        self.event: int = field(told, "event", int)
        self.limit: int = field(told, "limit", int)
        self.depth: int = field(told, "depth", int)
        self.timeout: Optional[float] = field(told, "timeout", float, None)
        self.context: Dict[str, Any] = field(told, "context", dict, {})
        self.raised: int = field(told, "raised", int)
        self.valueless: int = field(told, "valueless", int)
        if self.event < 1:
            raise Refusal("invalid", f"field 'event' cannot be {self.event}: an event is a text of JSON")

    def ask(self, source: bytes) -> Ask:
        """The call under way, of the program at the beginning of *source*."""
        return Ask(self, source)


class Context:
    """What a handler may ask about its call. Its attributes can be read only."""

    __slots__ = ("_deadline", "_told")

    def __init__(self, told: Dict[str, Any], deadline: Optional[float]) -> None:
        """*told* by name; *deadline* on the monotonic clock, None where there is none."""
        object.__setattr__(self, "_told", told)
        object.__setattr__(self, "_deadline", deadline)

    @property
    def remaining_time_in_millis(self) -> Optional[int]:
        """Whole milliseconds before the program is killed; None when there is no timeout."""
        if self._deadline is None:
            return None
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def get_remaining_time_in_millis(self) -> Optional[int]:
        """As remaining_time_in_millis."""
        return self.remaining_time_in_millis

    def __getattr__(self, name: str) -> Any:
        try:
            return self._told[name]
        except KeyError:
            raise AttributeError(f"the context has no {name!r}: it has {', '.join(dir(self))}") from None

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"{name!r} of the context cannot be set")

    def __dir__(self) -> Any:
        return sorted([*self._told, "remaining_time_in_millis", "get_remaining_time_in_millis"])

    def __repr__(self) -> str:
        return f"Context({', '.join(f'{name}={value!r}' for name, value in sorted(self._told.items()))})"


class Ask:
    """A call under way: `program` is the text without the event behind it. Its time begins now.

    `failed` is the exit code of a failure at this moment: 1 until the function is called.
    """

    def __init__(self, call: Call, source: bytes) -> None:
        """Part the program from its event."""
        self._call = call
        self.program, self._event = source[: -call.event], source[-call.event :]
        self.failed = 1
        self._deadline = None if call.timeout is None else time.monotonic() + call.timeout

    def answer(self, namespace: Dict[str, Any]) -> None:
        """Write the function's `value`; raises as that."""
        _write(self.value(namespace))

    def value(self, namespace: Dict[str, Any]) -> bytes:
        """Call the function in *namespace*: its value as JSON.

        Raises what it raises; NameError when there is none, TypeError and ValueError for a value that cannot
        be told.
        """
        function = namespace.get(self._call.name)
        if function is None:
            raise NameError(f"the program defines no function {self._call.name}(event)")
        if not callable(function):
            raise TypeError(f"{self._call.name} is no function that can be called with an event")
        self.failed = self._call.raised
        context = Context({"request_id": _identifier(), **self._call.context}, self._deadline)
        event = json_object.parse_value(self._event, max_depth=self._call.depth)
        value = function(event, context) if _takes_context(function) else function(event)
        if hasattr(type(value), "__await__"):
            asyncio = __import__("asyncio")  # for this program; the agent must never load it
            value = asyncio.run(value if hasattr(value, "cr_code") else _awaited(value))
        self.failed = self._call.valueless
        return _text(self._call, value)


def rehearse() -> None:
    """Call a function once as one of a user is called, so that no fork has to set that up."""
    event = b'{"a":[1]}'
    told = {"name": "handler", "event": len(event), "limit": 64, "depth": 8, "raised": 1, "valueless": 1}
    Call({**told, "timeout": 1.0, "context": {"a": "b"}}).ask(event).value({"handler": lambda event: event})


def _takes_context(function: Callable[..., Any]) -> bool:
    """Whether it needs two arguments, or calls its second one `context`."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__self__"):
        return _signature_takes_context(function)
    names = code.co_varnames[: code.co_argcount]
    needed = len(names) - len(function.__defaults__ or ())
    return needed >= _POSITIONAL or names[1:2] == ("context",)


def _signature_takes_context(function: Callable[..., Any]) -> bool:
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a function in C that does not say what it takes
        return False
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    positional = [each for each in parameters if each.kind in kinds]
    needed = [each for each in positional if each.default is each.empty]
    return len(needed) >= _POSITIONAL or [each.name for each in positional[1:2]] == ["context"]


async def _awaited(value: Any) -> Any:
    return await value


def _text(call: Call, value: object) -> bytes:
    try:
        text = json_object.render(value)
        # Read as the host will, so that what it would refuse is refused here.
        json_object.parse_value(text, max_depth=call.depth)
    except json_object.JsonError as error:
        raise TypeError(f"what {call.name}() returned is no JSON value: {error}") from None
    if len(text) > call.limit:
        raise ValueError(
            f"what {call.name}() returned is {len(text)} bytes of JSON: {call.limit} at most; "
            "write more to a file and return its name"
        )
    return text


def _write(text: bytes) -> None:
    left = memoryview(text + b"\n")
    while left:
        left = left[os.write(VALUE, left) :]
    os.close(VALUE)


def _identifier() -> str:
    """A random UUID (RFC 9562, 5.4); `uuid` would cost 2 ms of imports."""
    digits = list(os.urandom(16))
    digits[6], digits[8] = digits[6] & 0x0F | 0x40, digits[8] & 0x3F | 0x80
    text = bytes(digits).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
