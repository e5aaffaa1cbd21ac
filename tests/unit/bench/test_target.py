from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandlot.bench import private_server, target
from sandlot.bench.connection import door
from sandlot.contracts.errors import ConnectionLost, StartFailed


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("unix:///run/sandlot/http.sock", True),
        ("http://192.0.2.1:8080", False),
        ("https://sandlot.example", False),
        ("http://localhost.example", False),
    ],
)
def test_a_server_is_near_when_its_address_is_this_machines(url: str, near: bool) -> None:
    assert target.is_near(url) is near


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (b'{"message": "listening", "url": "http://127.0.0.1:4711"}\n', "http://127.0.0.1:4711"),
        (b'{"message": "probing"}\n', None),
        (b'{"url": 4711}\n', None),
        (b'["url"]\n', None),
        (b"Traceback (most recent call last):\n", None),
        (b"\xff\n", None),
        (b"", None),
    ],
)
def test_the_address_is_read_from_the_servers_log(line: bytes, url: str | None) -> None:
    assert private_server._url_in(line) == url


def test_a_server_that_does_not_come_up_is_told_with_its_last_words() -> None:
    async def told() -> str:
        log = asyncio.StreamReader()
        log.feed_data(b"".join(b"line %d\n" % number for number in range(9)))
        log.feed_eof()
        return await private_server._address(log)

    with pytest.raises(StartFailed, match=r"line 4 \| line 5 \| line 6 \| line 7 \| line 8$"):
        asyncio.run(told())


def test_a_word_the_server_does_not_know_is_told_apart() -> None:
    async def told() -> str:
        log = asyncio.StreamReader()
        log.feed_data(b"usage: sandlot serve\nsandlot serve: error: unrecognized arguments: --pool 0\n")
        log.feed_eof()
        return await private_server._address(log)

    with pytest.raises(private_server.Refused, match=r"--pool 0$"):
        asyncio.run(told())


def test_a_lent_environment_is_the_callers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(tmp_path / "theirs"))
    folder = tmp_path / "theirs" / "environments" / "data"
    folder.mkdir(parents=True)
    private_server._lend("data", tmp_path / "ours")
    private_server._lend("nothing", tmp_path / "ours")
    assert [each.resolve() for each in (tmp_path / "ours" / "environments").iterdir()] == [folder]


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ConnectionLost, match=r"there is no server at http://127\.0\.0\.1:1"):
        target.examined(door("http://127.0.0.1:1"))


def test_a_private_server_gets_nothing_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_ENGINE", "process")
    monkeypatch.setenv("SANDLOT_KEY", "secret")
    given = private_server._environment(tmp_path)
    assert [name for name in given if name.startswith("SANDLOT_")] == [
        "SANDLOT_DATA_DIRECTORY",
        "SANDLOT_RUNTIME_DIRECTORY",
        "SANDLOT_MOST_SANDBOXES",
        "SANDLOT_MOST_SANDBOXES_PER_OWNER",
    ]
    assert Path(given["SANDLOT_DATA_DIRECTORY"]).is_relative_to(tmp_path)
