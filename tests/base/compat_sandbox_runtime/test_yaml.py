from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.compat.sandbox_runtime.cli.yaml import rendered

VALUES = [
    ({"a": 1, "b": [1, {"c": None}], "d": {}}, "a: 1\nb:\n  - 1\n  - c: null\nd: {}\n"),
    ([[1, 2], []], "- - 1\n  - 2\n- []\n"),
    ([{"a": {"b": 1}, "c": 2}], "- a:\n    b: 1\n  c: 2\n"),
    ("x\ny", '"x\\ny"\n'),
    ({"stdout": "hi\n", "yes": "no"}, 'stdout: "hi\\n"\n"yes": "no"\n'),
    ({"x y": True, "": "word"}, '"x y": true\n"": word\n'),
    ([1e-7, 1.5, 1e300, -0.0, 10], "- 1.0e-07\n- 1.5\n- 1.0e+300\n- -0.0\n- 10\n"),
    ("\x85\u2028\ufeff\x7f\x00\U0001f600", '"\\u0085\\u2028\\ufeff\\u007f\\u0000\U0001f600"\n'),
    (None, "null\n"),
    ({}, "{}\n"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_a_value_is_written_in_block_style(value: Any, text: str) -> None:
    assert rendered(value) == text


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))
_JSON = st.recursive(
    _SCALARS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(_TEXTS, part, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_a_reader_of_yaml_reads_what_was_written(value: Any) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the tools, not with the base tests")
    assert yaml.safe_load(rendered(value)) == value
