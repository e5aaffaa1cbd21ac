from __future__ import annotations

from typing import Any

import pytest

from sandlot.wire.archive import MemberEnd
from sandlot.wire.frames import Frame


def test_equal_fields_make_equal_values() -> None:
    assert Frame(7, 1) == Frame(kind=7, stream=1, payload=b"")
    assert hash(Frame(7, 1)) == hash(Frame(7, 1, b""))
    assert Frame(7, 1) != Frame(7, 3)
    assert MemberEnd() == MemberEnd()


def test_values_of_different_classes_differ() -> None:
    assert MemberEnd() != ()
    assert Frame(7, 1) != (7, 1, b"")


def test_a_value_shows_its_fields() -> None:
    assert repr(Frame(7, 1, b"x")) == "Frame(kind=7, stream=1, payload=b'x')"
    assert repr(MemberEnd()) == "MemberEnd()"


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((7,), {}), ((7, 1, b"", 0), {}), ((7, 1), {"stream": 1}), ((7, 1), {"size": 1})],
)
def test_fields_missing_unknown_or_doubled_are_refused(values: Any, named: Any) -> None:
    with pytest.raises(TypeError, match="Frame takes the fields kind, stream, payload"):
        Frame(*values, **named)


def test_a_value_without_fields_takes_none() -> None:
    takes_anything: Any = MemberEnd
    with pytest.raises(TypeError, match="MemberEnd takes the fields none"):
        takes_anything(1)


def test_a_value_cannot_be_changed() -> None:
    frame: Any = Frame(7, 1)
    with pytest.raises(AttributeError, match="frozen"):
        frame.stream = 3
    with pytest.raises(AttributeError, match="frozen"):
        del frame.stream
    assert frame.stream == 1
