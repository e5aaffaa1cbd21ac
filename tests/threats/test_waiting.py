"""A02, and A14 without pongs: who is slow is let go in time, and others are served meanwhile.

The clients began with the session (slow.py); this file comes last.
"""

from __future__ import annotations

import pytest

from tests.threats.proof import prove_healthy
from tests.threats.raw import ask
from tests.threats.slow import SlowClients

pytestmark = [pytest.mark.engine, pytest.mark.timeout(90)]


@pytest.mark.parametrize("name", ["says nothing", "stops in the head", "drips in the head"])
def test_a02_a_slow_head_is_closed_and_others_are_served(slow_clients: SlowClients, name: str) -> None:
    client = slow_clients.ended(name, within=20)
    assert client.seconds is not None
    assert 5 < client.seconds < 20
    status = bytes(client.heard).partition(b"\r\n")[0]
    assert status == (b"" if name == "says nothing" else b"HTTP/1.1 408 Request Timeout")
    prove_healthy(slow_clients.server)


@pytest.mark.parametrize("name", ["stops in a long body", "stops in chunks"])
def test_a02_a_body_that_stands_still_is_refused_and_nothing_of_it_kept(
    slow_clients: SlowClients, name: str
) -> None:
    client = slow_clients.ended(name, within=45)
    assert client.seconds is not None
    assert client.seconds > 20
    assert client.heard.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"timed_out"' in client.heard
    assert ask(slow_clients.server, "GET", "/v1/sandboxes/patient/files/stat?path=half").status == 404
    prove_healthy(slow_clients.server)


def test_a02_chunks_that_drip_keep_nobody_out(slow_clients: SlowClients) -> None:
    # They are cut off at 1 kB/s over more than a minute, which tests/unit/server shows with shorter times.
    said = ask(slow_clients.server, "POST", "/v1/sandboxes/patient/exec", {"cmd": ["echo", "served"]})
    assert said.json["stdout"] == "served\n"


def test_a02_an_answer_that_nobody_reads_keeps_nobody_out(slow_clients: SlowClients) -> None:
    assert slow_clients.clients["reads no answer"].seconds is None
    prove_healthy(slow_clients.server)


def test_a14_a_terminal_that_answers_no_ping_is_closed(slow_clients: SlowClients) -> None:
    client = slow_clients.ended("answers no ping", within=60)
    assert client.seconds is not None
    assert b"\x88" in client.heard  # a close frame (RFC 6455, section 5.5.1)
    assert ask(slow_clients.server, "DELETE", "/v1/sandboxes/patient").status == 204
