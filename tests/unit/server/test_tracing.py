from __future__ import annotations

import re

import pytest

from sandlot.server import tracing

VALID = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", [b"a", b"A.b-c_9", b"x" * 128])
def test_a_good_request_id_is_kept(given: bytes) -> None:
    assert tracing.request_id(given) == given.decode()


@pytest.mark.parametrize("given", [None, b"", b"x" * 129, b"a b", b"a\r\nb", b"\xff", b"<b>", b"a\n"])
def test_any_other_is_replaced(given: bytes | None) -> None:
    assert re.fullmatch("[0-9a-f]{32}", tracing.request_id(given))


@pytest.mark.parametrize("given", [VALID, b"cc" + VALID[2:], b"cc" + VALID[2:] + b"-more"])
def test_a_valid_traceparent_is_kept(given: bytes) -> None:
    assert tracing.traceparent(given) == given.decode()
    assert tracing.trace_id(given.decode()) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"",
        VALID.upper(),
        b"ff" + VALID[2:],
        VALID + b"-more",
        VALID[:-1],
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"cc" + VALID[2:] + b"-" + b"x" * 300,
        VALID + b"\n",
        VALID.replace(b"4", b"\xb2"),
    ],
)
def test_any_other_is_ignored(given: bytes | None) -> None:
    assert tracing.traceparent(given) is None
    assert tracing.trace_id(None) is None
