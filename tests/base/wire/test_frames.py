from __future__ import annotations

import struct
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.frames import (
    FROM_AGENT,
    FROM_HOST,
    KIND_NAMES,
    MAX_PAYLOAD,
    Frame,
    FrameDecoder,
    FrameError,
    Kind,
    encode,
    json_frame,
    parse_json,
)

EVERY_KIND = frozenset(KIND_NAMES)
LAST_STREAM = 2**32 - 1

# Read in both directions: these are the bytes of protocol 1, and they never change.
TABLE = [
    (Frame(Kind.HELLO, 0, b'{"protocol":1}'), b"\0\0\0\x0e\x01\0\0\0\0" + b'{"protocol":1}'),
    (Frame(Kind.OPEN, 1, b'{"verb":"ping"}'), b"\0\0\0\x0f\x02\0\0\0\x01" + b'{"verb":"ping"}'),
    (Frame(Kind.INPUT, 3, b"\0\xff"), b"\0\0\0\x02\x03\0\0\0\x03\0\xff"),
    (Frame(Kind.INPUT_END, 5), b"\0\0\0\0\x04\0\0\0\x05"),
    (Frame(Kind.SOURCE, 1, b"pass"), b"\0\0\0\x04\x05\0\0\0\x01pass"),
    (Frame(Kind.SOURCE_END, 1), b"\0\0\0\0\x06\0\0\0\x01"),
    (Frame(Kind.OUTPUT, LAST_STREAM, b"x"), b"\0\0\0\x01\x07\xff\xff\xff\xffx"),
    (Frame(Kind.ERROUT, 256, b"x"), b"\0\0\0\x01\x08\0\0\x01\0x"),
    (Frame(Kind.VALUE, 1, bytes(MAX_PAYLOAD)), b"\0\x01\0\0\x09\0\0\0\x01" + bytes(MAX_PAYLOAD)),
    (Frame(Kind.EVENT, 1, b"{}"), b"\0\0\0\x02\x0a\0\0\0\x01{}"),
    (Frame(Kind.DONE, 1, b"{}"), b"\0\0\0\x02\x0b\0\0\0\x01{}"),
    (Frame(Kind.CREDIT, 1, b"\0\x02\0\0"), b"\0\0\0\x04\x0c\0\0\0\x01\0\x02\0\0"),
    (Frame(Kind.SIGNAL, 1, b'{"signal":2}'), b"\0\0\0\x0c\x0d\0\0\0\x01" + b'{"signal":2}'),
    (Frame(Kind.RESIZE, 1, b"{}"), b"\0\0\0\x02\x0e\0\0\0\x01{}"),
    (Frame(Kind.CANCEL, 1), b"\0\0\0\0\x0f\0\0\0\x01"),
    (Frame(Kind.CLAIM, 0, b"{}"), b"\0\0\0\x02\x10\0\0\0\0{}"),
    (Frame(Kind.MOVED, 0), b"\0\0\0\0\x11\0\0\0\0"),
    (Frame(Kind.ORDER, 1, b"{}"), b"\0\0\0\x02\x12\0\0\0\x01{}"),
]


def header(length: int, kind: int, stream: int) -> bytes:
    return struct.pack(">IBI", length, kind, stream)


@pytest.mark.parametrize(("frame", "sent"), TABLE, ids=[KIND_NAMES[frame.kind] for frame, _ in TABLE])
def test_a_frame_and_its_bytes(frame: Frame, sent: bytes) -> None:
    assert encode(frame) == sent
    decoder = FrameDecoder(accept=EVERY_KIND)
    assert decoder.feed(sent) == [frame]
    decoder.finish()


def test_the_table_names_every_kind() -> None:
    assert [frame.kind for frame, _ in TABLE] == sorted(KIND_NAMES) == list(range(1, 19))


def test_each_side_may_send_what_the_protocol_says() -> None:
    assert FROM_HOST | FROM_AGENT == EVERY_KIND
    assert sorted(FROM_HOST & FROM_AGENT) == [Kind.HELLO, Kind.CREDIT]


BROKEN = [
    (header(MAX_PAYLOAD + 1, Kind.OUTPUT, 1), "too long"),
    (header(2**32 - 1, Kind.DONE, 1), "too long"),
    (header(0, 0, 1), "kind 0"),
    (header(0, 19, 1), "kind 19"),
    (header(0, Kind.MOVED, 1), "stream 1"),
    (header(1, Kind.MOVED, 0), "MOVED payload is 0 bytes"),
    (header(0, Kind.CLAIM, 1), "stream 1"),
    (header(0, 255, 1), "kind 255"),
    (header(1, Kind.OUTPUT, 0), "stream 0"),
    (header(2, Kind.HELLO, 1), "stream 1"),
    (header(1, Kind.CANCEL, 1), "CANCEL payload is 0 bytes"),
    (header(1, Kind.INPUT_END, 1), "INPUT_END payload is 0 bytes"),
    (header(1, Kind.SOURCE_END, 1), "SOURCE_END payload is 0 bytes"),
    (header(3, Kind.CREDIT, 1), "CREDIT payload is 4 bytes"),
    (header(5, Kind.CREDIT, 1), "CREDIT payload is 4 bytes"),
]


@pytest.mark.parametrize(("sent", "why"), BROKEN)
def test_d05_a_wrong_header_is_refused_before_its_payload(sent: bytes, why: str) -> None:
    decoder = FrameDecoder(accept=range(256))
    assert decoder.feed(sent[:-1]) == []
    with pytest.raises(FrameError, match=why):
        decoder.feed(sent[-1:])


@pytest.mark.parametrize("kind", sorted(EVERY_KIND - FROM_AGENT))
def test_d05_what_only_the_host_may_say_is_refused_from_a_box(kind: int) -> None:
    with pytest.raises(FrameError, match=f"{KIND_NAMES[kind]} is not accepted"):
        FrameDecoder(accept=FROM_AGENT).feed(header(0, kind, 1))


def test_d05_after_an_error_nothing_is_read_any_more() -> None:
    decoder = FrameDecoder(accept=FROM_AGENT)
    with pytest.raises(FrameError) as first:
        decoder.feed(encode(Frame(Kind.OUTPUT, 1, b"x")) + header(0, 0, 1))
    with pytest.raises(FrameError) as second:
        decoder.feed(encode(Frame(Kind.OUTPUT, 1, b"x")))
    with pytest.raises(FrameError) as third:
        decoder.finish()
    assert first.value is second.value is third.value
    assert not decoder._buffer


@pytest.mark.parametrize("cut", [1, 8, 9, 10])
def test_a_link_that_ends_inside_a_frame_is_an_error(cut: int) -> None:
    decoder = FrameDecoder(accept=FROM_AGENT)
    decoder.feed(encode(Frame(Kind.OUTPUT, 1, b"xy"))[:cut])
    with pytest.raises(FrameError, match=f"{cut} bytes into it"):
        decoder.finish()


def test_a_decoder_may_be_stricter_than_the_protocol() -> None:
    decoder = FrameDecoder(accept=FROM_AGENT, max_payload=10)
    assert decoder.feed(encode(Frame(Kind.OUTPUT, 1, bytes(10))))
    with pytest.raises(FrameError, match="10 at most"):
        decoder.feed(encode(Frame(Kind.OUTPUT, 1, bytes(11))))


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, 1),
        Frame(17, 1),
        Frame(Kind.OUTPUT, 0),
        Frame(Kind.OUTPUT, -1),
        Frame(Kind.OUTPUT, 2**32),
        Frame(Kind.HELLO, 1),
        Frame(Kind.CANCEL, 1, b"x"),
        Frame(Kind.CREDIT, 1, b"x"),
        Frame(Kind.OUTPUT, 1, bytes(MAX_PAYLOAD + 1)),
    ],
)
def test_what_no_peer_would_accept_is_not_encoded(frame: Frame) -> None:
    with pytest.raises(FrameError):
        encode(frame)


def test_json_travels_in_a_frame() -> None:
    frame = json_frame(Kind.EVENT, 1, {"event": "started", "pid": 7})
    assert frame == Frame(Kind.EVENT, 1, b'{"event":"started","pid":7}')
    assert parse_json(frame.payload) == {"event": "started", "pid": 7}


def test_json_that_fills_a_frame_fits_and_no_more() -> None:
    filling = {"a": "x" * (MAX_PAYLOAD - len('{"a":""}'))}
    assert parse_json(json_frame(Kind.DONE, 1, filling).payload) == filling
    with pytest.raises(FrameError, match="do not fit"):
        json_frame(Kind.DONE, 1, {"a": filling["a"] + "x"})
    with pytest.raises(FrameError, match="too long"):
        parse_json(bytes(MAX_PAYLOAD + 1))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 60_000])
def test_json_errors_are_frame_errors(payload: bytes) -> None:
    with pytest.raises(FrameError):
        parse_json(payload)
    with pytest.raises(FrameError, match="deeper than 2"):
        parse_json(b'{"a":{"b":{}}}', max_depth=2)


def test_what_has_no_json_form_is_a_frame_error() -> None:
    with pytest.raises(FrameError, match="cannot be written"):
        json_frame(Kind.EVENT, 1, {"a": b"bytes"})


_BYTES_KINDS = (Kind.INPUT, Kind.SOURCE, Kind.OUTPUT, Kind.ERROUT, Kind.VALUE, Kind.EVENT, Kind.DONE)
_FRAMES = st.builds(
    Frame, st.sampled_from(_BYTES_KINDS), st.integers(1, LAST_STREAM), st.binary(max_size=300)
) | st.builds(Frame, st.sampled_from((Kind.CANCEL, Kind.INPUT_END)), st.integers(1, LAST_STREAM))


@given(st.lists(_FRAMES, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_e37_any_cutting_gives_the_same_frames(frames: List[Frame], cuts: List[int]) -> None:
    sent = b"".join(map(encode, frames))
    decoder = FrameDecoder(accept=EVERY_KIND)
    received: List[Frame] = []
    start = 0
    for size in cuts * (len(sent) // sum(cuts) + 1):
        received += decoder.feed(sent[start : start + size])
        start += size
    decoder.finish()
    assert received == frames


@given(_FRAMES)
def test_e37_byte_by_byte_gives_the_frame_with_its_last_byte(frame: Frame) -> None:
    decoder = FrameDecoder(accept=EVERY_KIND)
    *early, last = encode(frame)
    assert not any(decoder.feed(bytes([byte])) for byte in early)
    assert decoder.feed(bytes([last])) == [frame]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_d05_any_bytes_are_frames_or_a_frame_error(pieces: List[bytes]) -> None:
    decoder = FrameDecoder(accept=FROM_AGENT)
    try:
        for piece in pieces:
            for frame in decoder.feed(piece):
                assert frame.kind in FROM_AGENT
                assert encode(frame) in b"".join(pieces)
        decoder.finish()
    except FrameError:
        pass


@given(st.lists(st.tuples(_FRAMES, st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_d05_damaged_frames_are_frames_or_a_frame_error(damaged: List[Tuple[Frame, int, int]]) -> None:
    decoder = FrameDecoder(accept=FROM_AGENT)
    try:
        for frame, place, byte in damaged:
            sent = bytearray(encode(frame))
            sent[place % len(sent)] = byte
            decoder.feed(bytes(sent))
    except FrameError:
        pass


@given(st.lists(_FRAMES, min_size=1, max_size=20), st.integers(1, 5000))
def test_between_calls_less_than_one_frame_is_kept(frames: List[Frame], size: int) -> None:
    sent = b"".join(map(encode, frames))
    decoder = FrameDecoder(accept=EVERY_KIND)
    for start in range(0, len(sent), size):
        decoder.feed(sent[start : start + size])
        assert len(decoder._buffer) < 9 + MAX_PAYLOAD
