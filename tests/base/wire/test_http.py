from __future__ import annotations

from typing import List, Tuple
from urllib.parse import parse_qsl, unquote

from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.http import Head, Request, escaped, target

texts = st.text(st.characters(blacklist_categories=["Cs"]))


@given(texts)
def test_escapes_return_and_separate_nothing(text: str) -> None:
    shown = escaped(text)
    assert unquote(shown) == text
    assert not set(shown) & set("/?#&=+ \r\n")


@given(st.lists(st.tuples(texts, texts), min_size=1))
def test_a_target_holds_what_was_asked(query: List[Tuple[str, str]]) -> None:
    path, _mark, rest = target(["v1", "a/b"], query).partition("?")
    assert path == "/v1/a%2Fb"
    assert parse_qsl(rest, keep_blank_values=True) == query


def test_file_names_that_are_no_text_return_to_their_bytes() -> None:
    assert escaped("caf\udce9") == "caf%E9"
    assert target(["healthz"]) == "/healthz"


def test_the_media_type_is_told_without_parameters() -> None:
    assert Head(200, {"content-type": "Application/JSON; charset=utf-8"}).media_type == "application/json"
    assert Head(204).media_type == ""
    assert Request("GET", "/").body == b""
