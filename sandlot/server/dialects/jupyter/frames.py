"""Messages as frames of a WebSocket, in both subprotocols (pure).

Source: https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html. The default one
has no name: a message is JSON text, or where it has buffers binary: 32-bit big-endian numbers, how many parts
there are and where each begins, then the JSON and the buffers. The other is binary always: 64-bit
little-endian numbers, how many offsets there are and the offsets, then channel, header, parent header,
metadata, content and buffers; the last offset is where the frame ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

from sandlot.contracts.errors import InvalidSpec
from sandlot.jupyter.message import Message, message_from
from sandlot.wire import json_object

V1: Final = "v1.kernel.websocket.jupyter.org"

MOST_BUFFERS: Final = 64
"""Buffers that a client may send with one message."""

Frame = str | bytes
_DEEPEST = 64
_NAMES = ("header", "parent_header", "metadata", "content")
_LEAST_PARTS = 1 + len(_NAMES)


@dataclass(frozen=True, slots=True)
class Protocol:
    """One subprotocol: its name, None for the default one, and how messages are written and read in it.

    `read` raises InvalidSpec for a frame that is no message.
    """

    name: str | None
    written: Callable[[Message], Frame]
    read: Callable[[Frame], Message]


def chosen(offered: Sequence[str]) -> Protocol:
    """The protocol to speak with a client that offers these."""
    return PROTOCOLS[1] if V1 in offered else PROTOCOLS[0]


def _written_by_default(message: Message) -> Frame:
    told = {name: dict(getattr(message, name)) for name in _NAMES}
    about = {"channel": message.channel, "msg_id": message.header["msg_id"], "msg_type": message.kind}
    if not message.buffers:
        return json_object.render({**told, **about, "buffers": []}).decode("ascii")
    parts = (json_object.render({**told, **about}), *message.buffers)
    starts = list(accumulate(map(len, parts[:-1]), initial=4 * (1 + len(parts))))
    return b"".join([struct.pack(f"!{1 + len(parts)}I", len(parts), *starts), *parts])


def _read_by_default(frame: Frame) -> Message:
    if isinstance(frame, str):
        return _message(_object(frame.encode("utf-8", "surrogatepass")), ())
    count, _ = _numbers(frame, "!I", 1)
    _check_count(count[0], 1)
    starts, end = _numbers(frame, "!I", 1 + count[0])
    text, *buffers = _parts(frame, [*starts[1:], len(frame)], end)
    return _message(_object(text), tuple(buffers))


def _message(parts: Mapping[str, Any], buffers: tuple[bytes, ...]) -> Message:
    # Clients of before channels were told mean the only one there was.
    channel = "shell" if parts.get("channel") is None else parts["channel"]
    return message_from(channel, parts, buffers)


def _written_in_binary(message: Message) -> Frame:
    objects = [json_object.render(dict(getattr(message, name))) for name in _NAMES]
    parts = (message.channel.encode(), *objects, *message.buffers)
    offsets = list(accumulate(map(len, parts), initial=8 * (2 + len(parts))))
    return b"".join([struct.pack(f"<{1 + len(offsets)}Q", len(offsets), *offsets), *parts])


def _read_in_binary(frame: Frame) -> Message:
    if isinstance(frame, str):
        raise InvalidSpec(f"{V1} has binary frames only: this one is text")
    count, _ = _numbers(frame, "<Q", 1)
    _check_count(count[0] - 1, _LEAST_PARTS)
    offsets, end = _numbers(frame, "<Q", 1 + count[0])
    if offsets[-1] != len(frame):
        raise InvalidSpec(f"the last offset is {offsets[-1]}, and the frame ends at {len(frame)}")
    channel, *parts = _parts(frame, offsets[1:], end)
    objects = {name: _object(part) for name, part in zip(_NAMES, parts, strict=False)}
    return message_from(channel.decode("ascii", "replace"), objects, tuple(parts[len(_NAMES) :]))


def _check_count(parts: int, least: int) -> None:
    if not least <= parts <= least + MOST_BUFFERS:
        raise InvalidSpec(
            f"a frame of {parts} parts is no message: {least} and {MOST_BUFFERS} buffers at most"
        )


def _numbers(frame: bytes, form: str, count: int) -> tuple[tuple[int, ...], int]:
    """The *count* numbers that *frame* begins with, and where they end."""
    packed = struct.Struct(f"{form[0]}{count}{form[1]}")
    if len(frame) < packed.size:
        raise InvalidSpec(f"a frame of {len(frame)} bytes is too short for its {count} numbers")
    return packed.unpack_from(frame), packed.size


def _parts(frame: bytes, offsets: Sequence[int], least: int) -> list[bytes]:
    """What lies between each of *offsets* and the next, none of them before *least*."""
    if (
        offsets[0] != least
        or any(start > end for start, end in pairwise(offsets))
        or offsets[-1] > len(frame)
    ):
        raise InvalidSpec("the offsets of a frame do not follow each other within it")
    return [frame[start:end] for start, end in pairwise(offsets)]


def _object(text: bytes) -> dict[str, Any]:
    try:
        return json_object.parse(text, max_depth=_DEEPEST)
    except json_object.JsonError as error:
        raise InvalidSpec(f"a message cannot be read: {error}") from None


PROTOCOLS: Final = (
    Protocol(None, _written_by_default, _read_by_default),
    Protocol(V1, _written_in_binary, _read_in_binary),
)
