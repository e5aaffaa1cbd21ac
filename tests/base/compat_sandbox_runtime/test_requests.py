from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.compat.sandbox_runtime.sdk.requests import asking, meant, upload


@pytest.mark.parametrize(
    ("came", "is_meant"),
    [
        ("print(1)\\nprint(2)", "print(1)\nprint(2)"),
        ("# don't\\nprint('x')", "# don't\nprint('x')"),
        ("s = '''a\\nb'''\\nprint(s)", "s = '''a\nb'''\nprint(s)"),
        ("if x:\\n\\tprint('a\\\\nb')", "if x:\n\tprint('a\\nb')"),
    ],
)
def test_escaped_newlines_are_restored(came: str, is_meant: str) -> None:
    assert meant(came) == is_meant


@pytest.mark.parametrize(
    "code",
    [
        "print('a\\nb')",
        "print('''a\\nb''', 'c\\\\')",
        'print("a\\nb")\\n',
        "x = 1\nprint('\\n')",
        "import re; re.split('\\s', 'a b')",
        "x = 1 \\",
        "\\N{nothing}",
        "",
        "'",
    ],
)
def test_other_code_is_left_alone(code: str) -> None:
    assert meant(code) == code


@given(st.text())
def test_code_with_a_real_newline_or_a_double_quote_is_never_touched(code: str) -> None:
    assert meant(code + "\n") == code + "\n"
    assert meant(code + '"') == code + '"'


@given(st.lists(st.text(alphabet="xyz= ()1#", max_size=9), min_size=1))
def test_what_json_escaped_comes_back(lines: Any) -> None:
    program = "\n".join(lines)
    assert meant(json.dumps(program)[1:-1]) == program


@pytest.mark.parametrize("name", ["a", "a b", "d/a", "\u00e9", "..", "a%", "?", "\ud800"])
def test_a_name_makes_a_target_that_http_can_carry(name: str) -> None:
    target = asking("GET", "readfile", "s", name).target
    assert target.isascii()
    assert not set(target) & set(" ?#")


def test_a_form_holds_its_file_whatever_is_in_it() -> None:
    content = b"\r\n--x--\r\n\x00" * 30_000
    asked = upload("s", "a.txt", io.BytesIO(content))
    boundary = asked.headers["Content-Type"].partition("boundary=")[2].encode()
    whole = b"".join(asked.content or ())
    assert whole.count(boundary) == 2
    assert content in whole
    assert upload("s", "a.txt", io.BytesIO()).headers != asked.headers
