from __future__ import annotations

import json
from typing import Any, Dict, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire import json_object
from sandlot.wire.json_object import JsonError, parse, render

# PyPy has no `_json`, and a newer CPython may change it: both codecs keep every promise.
CODECS = {"bare": json_object._bare_codec, "packaged": json_object._packaged_codec}


@pytest.fixture(params=sorted(CODECS), autouse=True)
def _codec(request: pytest.FixtureRequest) -> Iterator[None]:
    kept = json_object._CODECS[:]
    json_object._CODECS[:] = [CODECS[request.param]()]
    yield
    json_object._CODECS[:] = kept


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"verb": "run", "argv": ["true"], "timeout": None, "stdin": False, "tty": True},
        {"a": {"b": [[], {}, [{"c": 1}]]}, "": "ä\n\0\u2028"},
        {"least": -(2**63), "most": 2**64, "half": 0.5, "tiny": 5e-324, "huge": 1.7976931348623157e308},
        {"name": "caf\udce9"},
    ],
)
def test_values_return_as_they_were(value: Dict[str, Any]) -> None:
    assert parse(render(value)) == value
    assert json.loads(render(value)) == value


@pytest.mark.parametrize("text", [b" {} ", b'\t{ "a" : 1 }\r\n', '{"ä":"\U0001f600"}'.encode()])
def test_white_space_and_plain_utf8_are_read(text: bytes) -> None:
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"  ", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":', "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b"{} {}", "follow"),
        (b"{}\0", "follow"),
        (b"[1]", "list"),
        (b'"run"', "str"),
        (b"1", "int"),
        (b"null", "NoneType"),
        (b'{"a":"\n"}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":"\xff"}', "utf-8"),
        (b'{"a":"\xed\xa0\x80"}', "utf-8"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"b":[{"a":1,"\\u0061":2}]}', "twice"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":Infinity}', "Infinity is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e400}', "too large"),
        (b'{"a":-1e400}', "too large"),
        (b'{"a":0.' + b"1" * 40 + b"}", "too long"),
        (b'{"a":' + b"9" * 33 + b"}", "too long"),
        (b'{"a":' + b"9" * 60_000 + b"}", "too long"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'{"a":[[["\\udc7f"]]]}', "surrogate"),
    ],
)
def test_what_is_not_one_strict_object_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(JsonError, match=why):
        parse(text)


def test_nesting_is_bounded() -> None:
    assert parse(b'{"a":' * 31 + b"{}" + b"}" * 31)
    assert parse(b'{"a":[]}', max_depth=2) == {"a": []}
    for deep in (b'{"a":[]}', b'{"a":[1]}', b'{"a":{"b":null}}'):
        with pytest.raises(JsonError, match="deeper than 1 levels"):
            parse(deep, max_depth=1)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [33, 900, 13_000])
def test_a_tower_of_brackets_is_refused(opening: bytes, depth: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    with pytest.raises(JsonError):
        parse(b'{"a":' + opening * depth + b"1" + closing * depth + b"}")
    with pytest.raises(JsonError):
        parse(b'{"a":' + opening * depth)


@pytest.mark.parametrize(
    "value", [{"a": float("nan")}, {"a": float("inf")}, {"a": b""}, {"a": {1}}, {(): 1}, {"a": object()}]
)
def test_what_json_has_no_form_for_is_refused(value: Dict[str, Any]) -> None:
    with pytest.raises(JsonError, match="cannot be written"):
        render(value)


def test_a_circle_is_refused_and_forgotten() -> None:
    circle: Dict[str, Any] = {}
    circle["circle"] = circle
    for _ in range(2):
        with pytest.raises(JsonError, match="cannot be written"):
            render(circle)
    del circle["circle"]
    assert render(circle) == b"{}"


@pytest.mark.parametrize("fault", [ImportError, AttributeError, TypeError])
def test_an_interpreter_without_the_bare_codec_uses_the_package(fault: type) -> None:
    def absent() -> json_object.Codec:
        raise fault

    scan, _render = json_object._first_codec((absent, json_object._packaged_codec))
    assert scan('{"a":1}') == ({"a": 1}, 7)


def test_the_codec_is_found_at_first_use() -> None:
    json_object._CODECS.clear()
    assert parse(b"{}") == {}
    assert len(json_object._CODECS) == 1


_NUMBERS = st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(st.dictionaries(st.text(), _VALUES, max_size=4))
def test_both_codecs_agree_with_the_standard_one(value: Dict[str, Any]) -> None:
    for codec in CODECS.values():
        json_object._CODECS[:] = [codec()]
        assert render(value) == json.dumps(value, separators=(",", ":")).encode()
        assert parse(render(value), max_depth=100) == value


@given(
    st.binary(max_size=80) | st.text(alphabet='{}[]",:\\ud8019eE.-+ntrufalsN ', max_size=60).map(str.encode)
)
def test_any_bytes_are_an_object_or_a_json_error(text: bytes) -> None:
    for codec in CODECS.values():
        json_object._CODECS[:] = [codec()]
        try:
            value = parse(text)
        except JsonError:
            continue
        assert value == json.loads(text)
