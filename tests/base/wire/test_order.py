"""Orders: what one frame says of a command."""

from __future__ import annotations

from typing import Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire import order
from sandlot.wire.frames import MAX_PAYLOAD, FrameError
from sandlot.wire.order import Order

COUNTS = st.integers(0, 2**63)
# To the microsecond, which is what the header has.
TIMEOUTS = st.none() | st.integers(0, 10**15).map(lambda microseconds: microseconds / 2**20)
# What an operating system can have in a word: no NUL, and of surrogates those that stand for bytes.
WORDS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))
NAMES = st.from_regex("[A-Za-z_][A-Za-z_0-9]*", fullmatch=True)


def test_its_bytes() -> None:
    """Read by the first process of a box, which is in C."""
    wanted = Order(timeout=1.5, keep=2, drop=3, value=4, is_last=True, is_exec=False, text=b"{}\nx")
    header = bytes.fromhex("000000000016e36000000000000000020000000000000003000000000000000401")
    assert order.encode(wanted) == header + b"{}\nx"
    assert order.encode(Order(None, 0, 0, 0, False, True, b"")) == b"\xff" * 8 + bytes(24) + b"\2"
    assert order.execution(["ls", "-l"], {"A": "b"}, "/tmp") == b"/tmp\x002\0ls\0-l\0A=b\0"
    assert order.limits({"nofile": 1024, "core": 0}) == b"nofile 1024\ncore 0\n"


@given(TIMEOUTS, COUNTS, COUNTS, COUNTS, st.booleans(), st.booleans(), st.binary(max_size=100))
def test_what_is_encoded_is_parsed(
    timeout: float, keep: int, drop: int, value: int, is_last: bool, is_exec: bool, text: bytes
) -> None:
    wanted = Order(timeout, keep, drop, value, is_last, is_exec, text)
    parsed = order.parse(order.encode(wanted))
    assert order.encode(parsed) == order.encode(wanted)
    assert (parsed.text, parsed.is_exec) == (text, is_exec)
    assert (parsed.timeout is None) == (timeout is None)
    assert abs((parsed.timeout or 0) - (timeout or 0)) <= max(1e-6, 1e-15 * (timeout or 0))


@pytest.mark.parametrize("length", [0, 1, 32])
def test_one_that_is_too_short_is_refused(length: int) -> None:
    with pytest.raises(FrameError, match=f"{length} bytes: 33 at least"):
        order.parse(bytes(length))


@given(WORDS, st.dictionaries(WORDS, WORDS), st.binary())
def test_a_program_and_its_fields_are_kept_apart(workdir: str, env: Dict[str, str], source: bytes) -> None:
    fields, program = order.told(order.program(env, workdir, {"name": "f"}, source))
    assert fields == {"argv": None, "env": env, "workdir": workdir, "call": {"name": "f"}}
    assert program == source


@given(st.lists(WORDS, min_size=1), st.dictionaries(NAMES, WORDS), WORDS)
def test_an_argv_is_told_as_it_is(argv: List[str], env: Dict[str, str], below: str) -> None:
    fields, program = order.told(order.execution(argv, env, "/" + below))
    assert fields == {"argv": argv, "env": env, "workdir": "/" + below, "call": None}
    assert program == b""


def test_bytes_that_are_no_text_travel_too() -> None:
    assert order.told(order.execution(["\udcff"], {}, "/"))[0]["argv"] == ["\udcff"]


@pytest.mark.parametrize("text", [b"", b"/\0", b"/\0x\0ls\0", b"/\x001\0ls\0no-variable\0"])
def test_a_text_that_says_no_command_is_refused(text: bytes) -> None:
    with pytest.raises(FrameError, match="says no command"):
        order.told(text)


@given(st.dictionaries(NAMES, COUNTS), st.binary().filter(lambda text: not text.startswith(b"\n")))
def test_a_message_is_limits_and_text(values: Dict[str, int], text: bytes) -> None:
    assert order.split(order.message(values, text)) == (values, text)


@pytest.mark.parametrize("claim", [b"nofile\n", b"nofile many\n", b"a b c\n", b"\xff 1\n"])
def test_a_claim_that_says_no_limits_is_refused(claim: bytes) -> None:
    with pytest.raises(FrameError, match="says no limits"):
        order.limits_of(claim)


def test_the_longest_text_fits_a_frame() -> None:
    text = bytes(order.LONGEST_TEXT)
    assert len(order.encode(Order(None, 0, 0, 0, False, False, text))) == MAX_PAYLOAD
