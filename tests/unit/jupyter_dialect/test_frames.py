from __future__ import annotations

import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.jupyter.message import CHANNELS, Message
from sandlot.server.dialects.jupyter.frames import PROTOCOLS, V1, Frame, Protocol, chosen

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_values = st.dictionaries(_texts, _texts | st.integers(0, 2**40) | st.lists(_texts, max_size=2), max_size=3)
_headers = st.fixed_dictionaries({"msg_id": _texts, "msg_type": _texts, "session": _texts})
_messages = st.builds(
    Message,
    st.sampled_from(list(CHANNELS.values())),
    _headers,
    _headers | st.just({}),
    _values,
    _values,
    st.lists(st.binary(max_size=9), max_size=3).map(tuple),
)
_protocols = pytest.mark.parametrize("protocol", PROTOCOLS, ids=["default", "v1"])
HEADER = {"msg_id": "1", "msg_type": "x"}


@_protocols
@given(message=_messages)
def test_a_message_arrives_as_it_was_sent(protocol: Protocol, message: Message) -> None:
    assert protocol.read(protocol.written(message)) == message


@_protocols
@given(message=_messages, place=st.integers(0), byte=st.integers(0, 255))
def test_a_frame_that_was_harmed_is_read_or_refused(
    protocol: Protocol, message: Message, place: int, byte: int
) -> None:
    frame = protocol.written(message)
    whole = bytearray(frame.encode() if isinstance(frame, str) else frame)
    whole[place % len(whole)] = byte
    try:
        protocol.read(whole.decode("utf-8", "replace") if isinstance(frame, str) else bytes(whole))
    except InvalidSpec:
        return


@_protocols
@given(frame=st.binary(max_size=80) | st.text(max_size=20))
def test_what_is_no_message_is_refused(protocol: Protocol, frame: Frame) -> None:
    with pytest.raises(InvalidSpec):
        protocol.read(frame)


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 2**64 - 1),
        struct.pack("<7Q", 6, 56, 56, 56, 56, 56, 57),
        struct.pack("<7Q", 6, 56, 0, 56, 56, 56, 56),
        struct.pack("<8Q", 7, 64, 2**40, 64, 64, 64, 64, 64),
    ],
)
def test_offsets_that_lie_are_refused(frame: bytes) -> None:
    with pytest.raises(InvalidSpec):
        PROTOCOLS[1].read(frame)


def test_the_layouts_are_those_of_jupyter() -> None:
    message = Message("shell", HEADER, {}, {}, {"a": 1}, (b"xyz",))
    whole = PROTOCOLS[0].written(message)
    assert isinstance(whole, bytes)
    count, first, second = struct.unpack("!3I", whole[:12])
    assert (count, first, whole[second:]) == (2, 12, b"xyz")
    assert json.loads(whole[first:second])["channel"] == "shell"
    whole = PROTOCOLS[1].written(message)
    assert isinstance(whole, bytes)
    (count,) = struct.unpack("<Q", whole[:8])
    offsets = struct.unpack(f"<{count}Q", whole[8 : 8 + 8 * count])
    parts = [whole[start:end] for start, end in pairwise(offsets)]
    assert parts == [b"shell", b'{"msg_id":"1","msg_type":"x"}', b"{}", b"{}", b'{"a":1}', b"xyz"]
    assert offsets[-1] == len(whole)


def test_what_older_clients_leave_out_is_understood() -> None:
    told = PROTOCOLS[0].read(json.dumps({"header": HEADER, "content": {}, "buffers": {}}))
    assert told == Message("shell", HEADER)
    assert chosen(["sandlot.key.x", V1]).name == V1
    assert chosen(["v9"]).name is None
