from __future__ import annotations

from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.wire.http import Head
from sandlot.wire.websocket import (
    MAX_MESSAGE,
    Close,
    Message,
    MessageReader,
    Ping,
    Pong,
    WebSocketError,
    agreed_protocol,
    encode,
    handshake_fields,
)

NONCE = b"the sample nonce"  # RFC 6455, 1.3
ACCEPTED = {
    "upgrade": "WebSocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
}
MASK = b"\x37\xfa\x21\x3d"

# A message, its opcode and its payload: encoded with a mask, decoded without one.
TABLE: List[Tuple[Message, int, bytes]] = [
    ("Hello", 0x81, b"Hello"),
    ("", 0x81, b""),
    ("ä€\U0001f600", 0x81, "ä€\U0001f600".encode()),
    (b"Hello", 0x82, b"Hello"),
    (bytes(125), 0x82, bytes(125)),
    (bytes(126), 0x82, bytes(126)),
    (bytes(65535), 0x82, bytes(65535)),
    (bytes(65536), 0x82, bytes(65536)),
    (bytes(MAX_MESSAGE), 0x82, bytes(MAX_MESSAGE)),
    (Ping(b"x"), 0x89, b"x"),
    (Pong(bytes(125)), 0x8A, bytes(125)),
    (Close(1005), 0x88, b""),
    (Close(), 0x88, b"\x03\xe8"),
    (Close(4999, "gone ä"), 0x88, b"\x13\x87gone \xc3\xa4"),
]


def frame(first: int, payload: bytes = b"") -> bytes:
    """As a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return bytes([first, 126]) + size.to_bytes(2, "big") + payload
    return bytes([first, 127]) + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize(("message", "first", "payload"), TABLE, ids=range(len(TABLE)))
def test_messages_are_written_and_read(message: Message, first: int, payload: bytes) -> None:
    received = frame(first, payload)
    assert MessageReader().feed(received) == [message]
    sent = encode(message, MASK)
    start = len(received) - len(payload)
    assert sent[0] == first
    assert sent[1] == received[1] | 0x80
    assert sent[2:start] == received[2:start]
    assert sent[start : start + 4] == MASK
    assert bytes(byte ^ MASK[place % 4] for place, byte in enumerate(sent[start + 4 :])) == payload


def test_the_masked_example_of_the_standard() -> None:
    assert encode("Hello", MASK).hex() == "818537fa213d7f9f4d5158"  # RFC 6455, 5.7


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (bytes(MAX_MESSAGE + 1), "do not fit"),
        ("ä" * (MAX_MESSAGE // 2 + 1), "do not fit"),
        (Ping(bytes(126)), "do not fit"),
        (Close(1000, "x" * 124), "do not fit"),
        (Close(1005, "why"), "no code"),
        (Close(1006), "no code"),
        (Close(999), "no code"),
        (Close(2000), "no code"),
        (Close(5000), "no code"),
        ("\ud800", "surrogate"),
        (Close(1000, "\ud800"), "surrogate"),
    ],
)
def test_what_no_server_would_accept_is_not_written(message: Message, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why):
        encode(message, MASK)


def test_a_mask_is_four_bytes() -> None:
    with pytest.raises(InvalidSpec, match="4 bytes"):
        encode("x", b"123")


def test_pieces_are_joined_and_controls_pass_between_them() -> None:
    sent = frame(0x01, b"He") + frame(0x89, b"p") + frame(0x00, b"l") + frame(0x80, b"lo") + frame(0x82, b"x")
    assert MessageReader().feed(sent) == [Ping(b"p"), "Hello", b"x"]


def test_a_character_may_be_cut_between_frames() -> None:
    assert MessageReader().feed(frame(0x01, b"\xe2\x82") + frame(0x80, b"\xac")) == ["€"]


def test_nothing_is_read_after_a_close() -> None:
    reader = MessageReader()
    assert reader.feed(frame(0x88) + b"\xff\xff garbage") == [Close(1005)]
    assert reader.feed(b"more") == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (bytes([0xC1, 0]), 1002),
        (bytes([0xA1, 0]), 1002),
        (bytes([0x91, 0]), 1002),
        (bytes([0x83, 0]), 1002),
        (bytes([0x8B, 0]), 1002),
        (bytes([0x81, 0x80]) + MASK, 1002),
        (bytes([0x09, 0]), 1002),
        (bytes([0x89, 126]), 1002),
        (bytes([0x88, 127]), 1002),
        (frame(0x80, b"x"), 1002),
        (frame(0x00, b"x"), 1002),
        (frame(0x01, b"x") + frame(0x81, b"x"), 1002),
        (frame(0x01, b"x") + frame(0x02, b"x"), 1002),
        (bytes([0x82, 126, 0, 125]), 1002),
        (bytes([0x82, 127]) + (65535).to_bytes(8, "big"), 1002),
        (bytes([0x82, 127]) + (1 << 63).to_bytes(8, "big"), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x88, b"\x03\xed"), 1002),
        (frame(0x88, b"\x00\x00"), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x81, b"\xed\xa0\x80"), 1007),
        (bytes([0x82, 127]) + (MAX_MESSAGE + 1).to_bytes(8, "big"), 1009),
        (frame(0x02, bytes(MAX_MESSAGE)) + bytes([0x80, 1]), 1009),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_its_code(sent: bytes, code: int) -> None:
    reader = MessageReader()
    for _ in range(2):
        with pytest.raises(WebSocketError) as caught:
            reader.feed(sent)
        assert caught.value.code == code


def test_a_reader_may_be_stricter() -> None:
    assert MessageReader(3).feed(frame(0x82, b"abc")) == [b"abc"]
    with pytest.raises(WebSocketError, match="longer than 3 bytes"):
        MessageReader(3).feed(frame(0x02, b"ab") + frame(0x80, b"cd"))


def test_a_handshake_asks_for_what_the_standard_wants() -> None:
    assert handshake_fields(NONCE) == {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert handshake_fields(NONCE, ["a", "b"])["Sec-WebSocket-Protocol"] == "a, b"
    with pytest.raises(InvalidSpec, match="16 bytes"):
        handshake_fields(b"short")


@pytest.mark.parametrize(("chosen", "agreed"), [(None, None), ("b", "b")])
def test_an_acceptance_is_checked_and_names_the_protocol(
    chosen: Optional[str], agreed: Optional[str]
) -> None:
    headers = ACCEPTED if chosen is None else {**ACCEPTED, "sec-websocket-protocol": chosen}
    assert agreed_protocol(Head(101, headers), NONCE, ["a", "b"]) == agreed


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (Head(200, ACCEPTED), "answered 200"),
        (Head(101, {**ACCEPTED, "upgrade": "h2c"}), "answered 101"),
        (Head(101, {}), "answered 101"),
        (Head(101, {**ACCEPTED, "connection": "keep-alive"}), "Connection: Upgrade"),
        (Head(101, {**ACCEPTED, "sec-websocket-accept": ""}), "Accept"),
        (Head(101, {**ACCEPTED, "sec-websocket-accept": "s3pplmbitxaq9kygzzhzrbk+xoo="}), "Accept"),
        (Head(101, {**ACCEPTED, "sec-websocket-extensions": "permessage-deflate"}), "extension"),
        (Head(101, {**ACCEPTED, "sec-websocket-protocol": "c"}), "nobody offered"),
        (Head(101, {**ACCEPTED, "sec-websocket-protocol": "a, b"}), "nobody offered"),
    ],
)
def test_what_is_no_acceptance_is_refused(head: Head, why: str) -> None:
    with pytest.raises(WebSocketError, match=why):
        agreed_protocol(head, NONCE, ["a", "b"])


_MESSAGES = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.binary(max_size=125).map(Ping),
    st.binary(max_size=125).map(Pong),
)


@st.composite
def _conversations(draw: st.DrawFn) -> Tuple[bytes, List[Message]]:
    """Messages as a server sends them, cut into frames, and the messages."""
    sent = b""
    messages: List[Message] = draw(st.lists(_MESSAGES, max_size=6))
    for message in messages:
        if isinstance(message, (Ping, Pong)):
            sent += frame(0x89 if isinstance(message, Ping) else 0x8A, message.data)
            continue
        assert not isinstance(message, Close)
        payload = message.encode() if isinstance(message, str) else message
        cut = draw(st.integers(0, len(payload)))
        opcode = 1 if isinstance(message, str) else 2
        sent += frame(opcode, payload[:cut]) + frame(0x80, payload[cut:])
    return sent, messages


@given(_conversations(), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_cutting_gives_the_same_messages(talk: Tuple[bytes, List[Message]], cuts: List[int]) -> None:
    sent, messages = talk
    reader, received, start = MessageReader(), [], 0
    for size in cuts * (len(sent) // sum(cuts) + 1):
        received += reader.feed(sent[start : start + size])
        start += size
    assert received == messages


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_any_bytes_are_messages_or_a_websocket_error(pieces: List[bytes]) -> None:
    reader = MessageReader(1000)
    try:
        for piece in pieces:
            reader.feed(piece)
    except WebSocketError:
        pass
