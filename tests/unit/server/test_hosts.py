from __future__ import annotations

import pytest

from sandlot import settings
from sandlot.server.hosts import HostRules, rules
from sandlot.server.listening import Place

LOOPBACK = Place("127.0.0.1", 8080)
ANYWHERE = Place("0.0.0.0", 8080)


def of(place: Place, **flags: object) -> HostRules:
    return rules(place, settings.load(flags, {"HOME": "/h"}, []))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8080", True),
        ("127.0.0.1", True),
        ("localhost:8080", True),
        ("LocalHost:8080", True),
        ("[::1]:8080", True),
        ("localhost:9090", False),
        ("localhost.", False),
        ("localhost.evil.example", False),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example:8080", False),
        ("127.0.0.1:8080@evil.example", False),
        ("127.0.0.1:8080:*", False),
        ("127.0.0.1:*", False),
        ("*", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback_answers_to_its_own_names_only(host: str | None, allowed: bool) -> None:
    assert of(LOOPBACK).allows_host(host) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("box.example", True),
        ("box.example:443", True),
        ("BOX.example:443", True),
        ("api.example:8443", True),
        ("api.example", False),
        ("api.example:1", False),
        ("localhost:8080", True),
        ("other.example", False),
    ],
)
def test_an_allowed_host_counts_with_its_port_or_with_every_port(host: str, allowed: bool) -> None:
    found = of(LOOPBACK, allow_hosts=["Box.example", "api.example:8443"])
    assert found.allows_host(host) is allowed


def test_elsewhere_any_name_is_right_until_some_are_listed() -> None:
    assert of(ANYWHERE).allows_host("whatever.example")
    assert not of(ANYWHERE, allow_hosts="box.example").allows_host("whatever.example")
    assert not of(ANYWHERE, allow_hosts="box.example").allows_host("localhost:8080")


def test_a_unix_socket_has_no_name() -> None:
    assert of(Place("/run/x.sock")).allows_host("anything")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:8080", True),
        ("HTTP://127.0.0.1:8080", True),
        ("https://console.example", True),
        ("http://console.example", False),
        ("http://localhost:8080", False),
        ("http://localhost:3000", False),
        ("http://127.0.0.1:8080.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_pages_of_our_own_and_allowed_origins_may_call(origin: str | None, allowed: bool) -> None:
    found = of(LOOPBACK, allow_origins="https://console.example")
    assert found.allows_origin(origin, "127.0.0.1:8080") is allowed


def test_a_page_of_a_foreign_name_is_no_page_of_ours() -> None:
    assert not of(LOOPBACK).allows_origin("http://evil.example", "evil.example")
