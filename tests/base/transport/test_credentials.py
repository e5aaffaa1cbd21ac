from __future__ import annotations

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.transport.address import parse_address
from sandlot.transport.credentials import Key, Signature, key_for

KEY = "sl_" + "x" * 40


@pytest.mark.parametrize("url", ["https://h", "http://localhost", "http://127.0.0.1:8", "unix:///x"])
def test_a_key_travels_encrypted_or_not_at_all(url: str) -> None:
    key = key_for(parse_address(url), KEY, allow_plain=False)
    assert key is not None
    assert key.fields() == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("url", ["http://h", "http://10.0.0.1", "http://127.1", "http://0.0.0.0"])
def test_a_key_in_clear_text_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(InvalidSpec, match="in clear text") as caught:
        key_for(parse_address(url), KEY, allow_plain=False)
    assert KEY not in str(caught.value)
    assert key_for(parse_address(url), KEY, allow_plain=True) is not None
    assert key_for(parse_address(url), None, allow_plain=False) is None


@pytest.mark.parametrize(
    "key", ["", "secret\n", "secret\r\nX: y", "secret key", "secret\0", "sécret", "secret\x7f"]
)
def test_what_no_header_carries_is_no_key_and_is_not_repeated(key: str) -> None:
    with pytest.raises(InvalidSpec, match="the key holds") as caught:
        Key(key)
    assert "cret" not in str(caught.value)


def test_a_signature_is_shown_as_it_is_and_travels_as_a_key_does() -> None:
    signature = Signature("AWS test:a/b+c=")
    assert key_for(parse_address("https://h"), signature, allow_plain=False) is signature
    assert signature.fields() == {"Authorization": "AWS test:a/b+c="}
    with pytest.raises(InvalidSpec, match="clear text"):
        key_for(parse_address("http://h"), signature, allow_plain=False)


@pytest.mark.parametrize("value", ["", " AWS a", "AWS secret\r\nX: y", "AWS s\u00e9cret"])
def test_what_no_header_carries_is_no_signature_and_is_not_repeated(value: str) -> None:
    with pytest.raises(InvalidSpec, match="Authorization holds") as caught:
        Signature(value)
    assert "cret" not in str(caught.value)


def test_a_key_does_not_show_itself() -> None:
    assert "AWS" not in repr(Signature("AWS a"))
    assert KEY not in repr(Key(KEY))
    assert KEY not in str(Key(KEY))
