"""What who opens a WebSocket may ask besides messages: a sign of life, and how long messages may be."""

from __future__ import annotations

from contextlib import closing

import pytest

from sandlot.contracts.errors import ConnectionLost
from sandlot.wire.websocket import Close, Ping
from tests.base.transport.faces import Connect
from tests.base.transport.servers import serving
from tests.base.transport.test_talks import ASKED, OFFERED, Heard


def test_a_sign_of_life_can_be_asked_for(connect: Connect) -> None:
    heard = Heard("x")
    with serving(heard) as server:
        talk = connect(server.url).websocket(ASKED, OFFERED)
        talk.ping()
        assert talk.receive() == "x"
        talk.close()
        talk.ping()
    assert heard.messages == [Ping(), Close(1000)]


def test_how_long_messages_may_be_is_said_by_who_opens(connect: Connect) -> None:
    with serving(Heard("abcd")) as server:
        with closing(connect(server.url).websocket(ASKED, OFFERED, largest=4)) as talk:
            assert talk.receive() == "abcd"
        with pytest.raises(ConnectionLost, match="longer than 3 bytes"):
            connect(server.url).websocket(ASKED, OFFERED, largest=3).receive()
