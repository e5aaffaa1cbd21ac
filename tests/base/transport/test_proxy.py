from __future__ import annotations

from typing import Dict, Optional

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.transport.address import parse_address
from sandlot.transport.proxy import proxy_for

P = "http://proxy:3128"


def chosen(url: str, variables: Dict[str, str]) -> Optional[str]:
    proxy = proxy_for(parse_address(url), variables)
    return None if proxy is None else proxy.address.endpoint


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        ("http://h", {}, None),
        ("http://h", {"http_proxy": P}, "proxy:3128"),
        ("http://h", {"http_proxy": "proxy:3128"}, "proxy:3128"),
        ("http://h", {"http_proxy": " http://proxy:3128/ "}, "proxy:3128"),
        ("http://h", {"http_proxy": "http://[::2]"}, "[::2]:80"),
        ("http://h", {"HTTP_PROXY": P}, "proxy:3128"),
        ("http://h", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None),
        ("http://h", {"http_proxy": P, "REQUEST_METHOD": "GET"}, "proxy:3128"),
        ("http://h", {"HTTP_PROXY": "http://upper", "http_proxy": "http://lower"}, "lower:80"),
        ("http://h", {"HTTP_PROXY": P, "http_proxy": ""}, None),
        ("http://h", {"https_proxy": P}, None),
        ("https://h", {"https_proxy": P}, "proxy:3128"),
        ("https://h", {"HTTPS_PROXY": P, "REQUEST_METHOD": "GET"}, "proxy:3128"),
        ("https://h", {"http_proxy": P}, None),
        ("https://h", {"all_proxy": P}, "proxy:3128"),
        ("http://h", {"ALL_PROXY": P}, "proxy:3128"),
        ("https://h", {"all_proxy": P, "https_proxy": "http://own"}, "own:80"),
        ("https://h", {"all_proxy": P, "https_proxy": ""}, None),
        ("http://localhost", {"http_proxy": P}, None),
        ("http://127.0.0.2:8", {"all_proxy": P}, None),
        ("http://[::1]", {"all_proxy": P}, None),
        ("unix:///x", {"all_proxy": P}, None),
    ],
)
def test_the_proxy_is_the_one_the_variables_name(
    url: str, variables: Dict[str, str], expected: Optional[str]
) -> None:
    assert chosen(url, variables) == expected


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_bypassed"),
    [
        ("http://a.example.org", "*", True),
        ("http://a.example.org", "example.org", True),
        ("http://a.example.org", ".example.org", True),
        ("http://example.org", ".example.org", True),
        ("http://example.org", "EXAMPLE.org", True),
        ("http://example.org", " x , example.org ", True),
        ("http://badexample.org", "example.org", False),
        ("http://example.org.evil", "example.org", False),
        ("http://example.org", "org:80", True),
        ("http://example.org:8", "example.org:8", True),
        ("http://example.org:8", "example.org:80", False),
        ("http://example.org", "", False),
        ("http://example.org", ",,", False),
        ("http://example.org", ".", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.3:8", "10.1.2.3:8", True),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://10.1.2.3", "10.1.0.0/24", False),
        ("http://110.1.2.3", "10.1.2.3", False),
        ("http://10.1.2.3", "2.3", False),
        ("http://[2001:db8::1]", "2001:db8::/32", True),
        ("http://[2001:db8::1]", "[2001:db8::1]", True),
        ("http://[2001:db8::1]", "10.0.0.0/8", False),
        ("http://example.org", "10.0.0.0/8", False),
    ],
)
def test_what_no_proxy_lists_is_reached_directly(url: str, no_proxy: str, is_bypassed: bool) -> None:
    expected = None if is_bypassed else "proxy:3128"
    assert chosen(url, {"http_proxy": P, "no_proxy": no_proxy}) == expected
    assert chosen(url, {"HTTP_PROXY": P, "NO_PROXY": no_proxy}) == expected


@pytest.mark.parametrize(
    "url",
    ["https://u:secret@p", "socks5://u:secret@p", "http://u:secret@", "http://u:secret@p:x", "u:secret@p/x"],
)
def test_a_proxy_that_cannot_be_spoken_to_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidSpec, match="https_proxy") as caught:
        chosen("https://h", {"https_proxy": url})
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidSpec, match="all_proxy"):
        chosen("https://h", {"ALL_PROXY": url})


def test_a_proxys_password_goes_to_the_proxy_and_shows_nowhere() -> None:
    proxy = proxy_for(parse_address("http://h"), {"http_proxy": "http://us%40er:p%3Ass@proxy"})
    assert proxy is not None
    assert proxy.fields() == {"Proxy-Authorization": "Basic dXNAZXI6cDpzcw=="}
    assert "dXNA" not in repr(proxy)
    plain = proxy_for(parse_address("http://h"), {"http_proxy": "proxy"})
    assert plain is not None
    assert plain.fields() == {}
