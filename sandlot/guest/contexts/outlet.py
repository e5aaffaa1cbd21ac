"""What a running cell tells: text, displays, results, errors, questions; as events of the channel."""

from __future__ import annotations

import os
import sys

from ...wire.json_object import JsonError
from .bundles import bundle_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, NoReturn, Optional, Type

    from .channel import Channel

_PIECE = 16_384  # characters; each takes at most 12 bytes of JSON
_LONGEST_NAME = 256
_LONGEST_VALUE = 65_536
_LONGEST_SUGGESTION = 2**20
_LONGEST_LINE = 16_384
_MOST_LINES = 1000
_MOST_OMITTED = "    [...]\n"


class Outlet:
    """The cell's side of the channel."""

    def __init__(self, channel: Channel) -> None:
        """Nothing was told, no input may be asked for."""
        self._channel = channel
        self.takes_input = False
        self.refused: Type[Exception] = EOFError
        self.has_raised = False
        self.is_interrupted = False

    def text(self, stream: str, text: str) -> None:
        """Text written to *stream*, stdout or stderr; in a fork of the context, to the descriptor itself."""
        if self._channel.is_left:
            _write_all(1 if stream == "stdout" else 2, text.encode("utf-8", "backslashreplace"))
            return
        text = _sound(text)
        for start in range(0, len(text), _PIECE):
            self._channel.tell({"event": "text", "stream": stream, "text": text[start : start + _PIECE]})

    def display(
        self,
        data: Mapping[str, Any],
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        display_id: Optional[str] = None,
        update: bool = False,
        paged: bool = False,
    ) -> None:
        """Something shown; what is *paged* beside the output."""
        event = {"event": "display", "id": display_id, "update": update, "paged": paged}
        self._bundle(event, data, metadata)

    def result(self, data: Mapping[str, Any], metadata: Optional[Mapping[str, Any]], count: int) -> None:
        """The value of the last expression."""
        self._bundle({"event": "result", "count": count}, data, metadata)

    def error(self, name: str, value: str, traceback: List[str]) -> None:
        """The exception the cell ended with."""
        self.has_raised = True
        self.is_interrupted = name == "KeyboardInterrupt"
        self._channel.tell({"event": "error", **_error(name, value, traceback)})

    def value(self, name: str, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of an expression that was asked for."""
        self._bundle({"event": "value", "name": name, "error": None}, data, metadata)

    def no_value(self, name: str, error: str, text: str, traceback: List[str]) -> None:
        """The exception that an expression ended with."""
        self._channel.tell({"event": "value", "name": name, "error": _error(error, text, traceback)})

    def suggest(self, code: str, *, replace: bool) -> None:
        """What the next cell may begin with."""
        told = _sound(code)[:_LONGEST_SUGGESTION]
        self._channel.tell({"event": "next", "code": told, "replace": bool(replace)})

    def clear(self, *, wait: bool = False) -> None:
        """Forget what was told of this cell."""
        self._channel.tell({"event": "clear", "wait": bool(wait)})

    def ask(self, prompt: str = "", *, password: bool = False) -> str:
        """A line of the client's. Raises `refused` when this cell gets none, EOFError when it is gone."""
        __tracebackhide__ = True  # of IPython
        if not self.takes_input or self._channel.is_left:
            self._refuse()
        _flush_streams()
        asked = {"event": "ask", "prompt": _sound(str(prompt))[:_LONGEST_VALUE], "password": password}
        self._channel.tell(asked)
        while True:
            request = self._channel.ask()
            if request is None:
                raise EOFError
            if request.get("do") == "answer":
                return str(request.get("text", ""))

    def _refuse(self) -> NoReturn:
        __tracebackhide__ = True
        raise self.refused("input was asked for, but whoever runs this cell gives none")

    def _bundle(
        self, event: Dict[str, Any], data: Mapping[str, Any], metadata: Optional[Mapping[str, Any]]
    ) -> None:
        event["data"], event["metadata"] = bundle_of(data), bundle_of(metadata or {}, is_metadata=True)
        try:
            self._channel.tell(event)
        except (JsonError, ValueError) as error:
            plain = {"text/plain": f"[this cannot be shown: {_sound(str(error))[:_LONGEST_NAME]}]"}
            self._channel.tell({**event, "data": plain, "metadata": {}})


def _error(name: str, value: str, traceback: List[str]) -> Dict[str, Any]:
    if len(traceback) > _MOST_LINES:
        half = _MOST_LINES // 2
        traceback = [*traceback[:half], _MOST_OMITTED, *traceback[-half:]]
    lines = [_sound(line[:_LONGEST_LINE]) for line in traceback]
    told = {"name": _sound(name)[:_LONGEST_NAME], "value": _sound(value)[:_LONGEST_VALUE]}
    return {"traceback": lines, **told}


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # a stream may be any object the program put there
            continue


def _sound(text: str) -> str:
    """*text* without lone surrogates, which JSON in UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
