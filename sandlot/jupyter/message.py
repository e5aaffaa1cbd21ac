"""Message: one message of the Jupyter protocol, on whichever wire it travels.

Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html, version 5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sandlot.contracts.errors import InvalidSpec
from sandlot.wire import json_object
from sandlot.wire.times import time_text

VERSION: Final = "5.4"
"""The version of the protocol that is spoken."""

LONGEST_WORD: Final = 256
"""Characters of a message's id, type, session and user name."""

LARGEST_HEADER: Final = 8192
"""Bytes of a header as JSON: every message about a request carries it."""

Channel = Literal["shell", "control", "stdin", "iopub"]
CHANNELS: Final[Mapping[str, Channel]] = {each: each for each in get_args(Channel)}
_LEAST_WEIGHT: Final = 48  # of any Python object that holds something
_WORDS: Final = ("msg_id", "msg_type")
_OTHER_WORDS: Final = ("session", "username")


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says to the other. `parent_header` is empty, or the header of the request it is about."""

    channel: Channel
    header: Mapping[str, Any]
    parent_header: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    buffers: tuple[bytes, ...] = ()

    @property
    def kind(self) -> str:
        """Its type, such as execute_request."""
        return str(self.header["msg_type"])

    @property
    def weight(self) -> int:
        """About how many bytes it takes to hold; its parent's header is shared with others."""
        values = (self.header, self.metadata, self.content)
        return sum(map(len, self.buffers)) + sum(map(_weight, values))


def message_from(channel: object, parts: Mapping[str, Any], buffers: tuple[bytes, ...] = ()) -> Message:
    """The message that a client sent as *parts*, which are named as in Message. Raises InvalidSpec."""
    known = CHANNELS.get(channel) if isinstance(channel, str) else None
    if known is None:
        raise InvalidSpec(f"{channel!r:.60} is no channel of a kernel: use shell, control or stdin")
    header = _object(parts, "header")
    for name in _WORDS:
        _check_word(header, name)
    for name in _OTHER_WORDS:
        if name in header:
            _check_word(header, name)
    if len(json_object.render(header)) > LARGEST_HEADER:
        raise InvalidSpec(f"the header of a message has more than {LARGEST_HEADER} bytes: put less into it")
    parent, metadata = _optional(parts, "parent_header"), _optional(parts, "metadata")
    return Message(known, header, parent, metadata, _optional(parts, "content"), buffers)


class Maker:
    """Makes the messages of one session; ids and the time (seconds since 1970) come from outside."""

    def __init__(
        self, new_id: Callable[[], str], now: Callable[[], float], *, session: str, username: str = "sandlot"
    ) -> None:
        """*new_id* gives another id every time."""
        self._new_id, self._now = new_id, now
        self._session, self._username = session, username

    def header(self, kind: str) -> dict[str, Any]:
        """A header of its own for a message of the type *kind*."""
        return {
            "msg_id": self._new_id(),
            "msg_type": kind,
            "session": self._session,
            "username": self._username,
            "date": time_text(self._now()),
            "version": VERSION,
        }

    def message(
        self, channel: Channel, kind: str, content: Mapping[str, Any], about: Message | None = None
    ) -> Message:
        """A message of the type *kind*, said because of the request *about*."""
        parent = {} if about is None else about.header
        return Message(channel, self.header(kind), parent, {}, content)


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return _LEAST_WEIGHT + len(value)
    if isinstance(value, Mapping):
        return sum(_weight(name) + _weight(each) for name, each in value.items()) + _LEAST_WEIGHT
    if isinstance(value, (list, tuple)):
        return sum(map(_weight, value)) + _LEAST_WEIGHT
    return _LEAST_WEIGHT


def _object(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parts.get(name)
    if not isinstance(found, dict):
        raise InvalidSpec(f"the {name} of a message must be an object, not {type(found).__name__}")
    return found


def _optional(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return {} if parts.get(name) is None else _object(parts, name)


def _check_word(header: Mapping[str, Any], name: str) -> None:
    found = header.get(name)
    if not isinstance(found, str) or len(found) > LONGEST_WORD:
        raise InvalidSpec(
            f"{name} in the header of a message must be text of {LONGEST_WORD} characters at most"
        )
