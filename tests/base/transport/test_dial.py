"""Steps of making a connection that a test machine cannot bring about: the flow is driven by hand."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sandlot.contracts.errors import ConnectionLost, TimedOut
from sandlot.transport.address import parse_address
from sandlot.transport.dial import Route
from sandlot.transport.failures import Lost
from sandlot.transport.stream import Stream
from sandlot.transport.sync import drive
from sandlot.transport.waiting import Flow, Lookup, Ready
from tests.base.transport.servers import answering, closed_port, serving


def dialled(url: str = "http://h:8", seconds: float = 5.0) -> Flow[Stream]:
    return Route(parse_address(url)).dial(seconds)


def test_a_name_is_looked_up_within_the_time() -> None:
    want = next(dialled())
    assert isinstance(want, Lookup)
    assert (want.host, want.port) == ("h", 8)
    assert 0 < want.seconds <= 5


def test_a_name_that_does_not_exist_is_told_at_once() -> None:
    flow = dialled()
    next(flow)
    with pytest.raises(ConnectionLost, match="cannot reach http://h:8: no such name; is `sandlot serve`"):
        flow.throw(socket.gaierror(socket.EAI_NONAME, "no such name"))


def test_a_resolver_that_fails_is_asked_again() -> None:
    flow = dialled()
    next(flow)
    with pytest.raises(Lost) as caught:
        flow.throw(socket.gaierror(socket.EAI_AGAIN, "try again"))
    assert not caught.value.was_sent


def test_a_resolver_that_is_silent_is_told() -> None:
    flow = dialled()
    next(flow)
    with pytest.raises(TimedOut, match="no connection to http://h:8 within 5 seconds"):
        flow.send(None)


def test_a_host_that_is_silent_is_told() -> None:
    flow = dialled("http://192.0.2.1", 7.0)  # RFC 5737: an address of nobody
    try:
        want: Any = next(flow)
    except Lost:
        pytest.skip("this machine has no route at all")
    assert isinstance(want, Ready)
    assert (want.read, want.write) == (False, True)
    with pytest.raises(TimedOut, match=r"no connection to http://192\.0\.2\.1 within 7 seconds"):
        flow.send(False)


def test_every_address_of_a_name_is_tried() -> None:
    with serving(answering()) as server:
        port = int(server.url.rpartition(":")[2])
        flow = dialled(f"http://h:{port}")
        next(flow)
        refused = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", closed_port()))
        served = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))

        def resolved() -> Flow[Stream]:
            want = flow.send([refused, served])
            while True:
                try:
                    want = flow.send((yield want))
                except StopIteration as end:
                    stream: Stream = end.value
                    return stream

        stream = drive(resolved())
        assert stream.release().getpeername() == ("127.0.0.1", port)
        stream.close()


def test_localhost_is_this_machine_whatever_a_resolver_says() -> None:
    flow = dialled("http://localhost:8")
    next(flow)
    with pytest.raises(Lost, match="its name has no address"):
        flow.send([(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 8))])
