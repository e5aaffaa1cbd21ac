from __future__ import annotations

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.transport.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "address", "authority", "shown"),
    [
        ("http://h", Address("http", "h", 80), "h", "http://h"),
        ("HTTP://Example.ORG:8080/", Address("http", "example.org", 8080), "example.org:8080", None),
        ("https://h", Address("https", "h", 443), "h", "https://h"),
        ("https://h:80", Address("https", "h", 80), "h:80", "https://h:80"),
        ("http://127.0.0.1:1", Address("http", "127.0.0.1", 1), "127.0.0.1:1", None),
        ("http://[::1]:80", Address("http", "::1", 80), "[::1]", "http://[::1]"),
        ("http://[0:0::1]:8", Address("http", "::1", 8), "[::1]:8", "http://[::1]:8"),
        ("https://h/a/b%20c/", Address("https", "h", 443, prefix="/a/b%20c"), "h", "https://h"),
        ("http://a_b-c.d/~x,y=@:", Address("http", "a_b-c.d", 80, prefix="/~x,y=@:"), "a_b-c.d", None),
        ("unix:///run/x.sock", Address("unix", socket="/run/x.sock"), "localhost", "unix:///run/x.sock"),
        ("unix:/run/x.sock", Address("unix", socket="/run/x.sock"), "localhost", "unix:///run/x.sock"),
        ("unix:///run/a%25b", Address("unix", socket="/run/a%b"), "localhost", "unix:///run/a%b"),
        ("http+unix://%2Frun%2Fx", Address("unix", socket="/run/x"), "localhost", "unix:///run/x"),
        (
            "http+unix://%2Frun%2Fx/api/",
            Address("unix", socket="/run/x", prefix="/api"),
            "localhost",
            "unix:///run/x",
        ),
    ],
)
def test_urls_are_read(url: str, address: Address, authority: str, shown: object) -> None:
    read = parse_address(url)
    assert read == address
    assert read.authority == authority
    assert shown in (None, str(read))


def test_an_endpoint_has_its_port_always() -> None:
    assert parse_address("https://h").endpoint == "h:443"
    assert parse_address("http://[::1]").endpoint == "[::1]:80"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "no scheme"),
        ("h:80", "scheme"),
        ("localhost", "no scheme"),
        ("//h", "no scheme"),
        ("ftp://h", "'ftp'"),
        ("ws://h", "'ws'"),
        ("file:///etc/passwd", "'file'"),
        ("http://", "not a host"),
        ("http:///x", "not a host"),
        ("http://:80", "not a host"),
        ("http://-h", "not a host"),
        ("http://h.", "not a host"),
        ("http://.h", "not a host"),
        ("http://a..b", "not a host"),
        ("http://h%2Fx", "not a host"),
        ("http://h!", "not a host"),
        ("http://h\\x", "not a host"),
        ("http://" + "a" * 64, "not a host"),
        ("http://" + "a." * 130 + "b", "not a host"),
        ("http://[::1", "cannot be read"),
        ("http://[::g]", "IPv6|cannot be read"),
        ("http://[fe80::1%25eth0]", "IPv6|cannot be read"),
        ("http://[127.0.0.1]", "IPv6|cannot be read"),
        ("http://h:", "not a port"),
        ("http://h:0", "not a port"),
        ("http://h:65536", "not a port"),
        ("http://h:-1", "not a port"),
        ("http://h:8 0", "blanks"),
        ("http://h:+80", "not a port"),
        ("http://h:80:90", "not a port"),
        ("http://h/a b", "blanks"),
        ("http://h/a\r\nX:", "blanks"),
        ("http://ü.example", "blanks"),
        ("http://h/\0", "blanks"),
        ("http://h/a//b", "segments"),
        ("http://h/a/../b", "segments"),
        ("http://h/a/%2e%2E/b", "segments"),
        ("http://h/./a", "segments"),
        ("http://h/a;b|c", "segments"),
        ("http://h?x", "query"),
        ("http://h#x", "fragment"),
        ("unix://", "absolute"),
        ("unix:run/x", "absolute"),
        ("unix://run/x.sock", "absolute"),
        ("unix:///run/%00", "absolute"),
        ("unix:///" + "x" * 107, "107 at most"),
        ("http+unix:///run/x", "absolute"),
        ("http+unix://run", "absolute"),
    ],
)
def test_what_names_no_server_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why):
        parse_address(url)


@pytest.mark.parametrize(
    "url", ["http://user:secret@h", "https://secret@h", "http://a@b@h", "unix://secret@/x"]
)
def test_secrets_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSpec, match="no user or password") as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://h/secret//x", "http://h?key=secret", "http://h#secret", "http://h/secret x"]
)
def test_what_follows_the_host_is_never_repeated(url: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST:1", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("unix:///x", True),
        ("http://127.1", False),
        ("http://0x7f000001", False),
        ("http://2130706433", False),
        ("http://0.0.0.0", False),
        ("http://[::]", False),
        ("http://localhost.example.org", False),
        ("http://example.localhost", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback_is_what_can_be_nothing_else(url: str, is_loopback: bool) -> None:
    assert parse_address(url).is_loopback is is_loopback
