"""What only a server can do: programs that run on, keys, being there or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandlot import __version__
from sandlot.testing.servers import RunningServer, running_server
from tests.unit.cli.conftest import Sandlot
from tests.unit.cli.terminal import screen

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


@pytest.fixture
def box(served: Sandlot) -> Iterator[Sandlot]:
    """`sandlot` against the server, where there is a sandbox called box."""
    assert served("create", "box").returncode == 0
    yield served
    assert served("delete", "box").returncode == 0


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    """A server that the test may hurt."""
    with running_server() as running:
        yield running


def _started(clean: dict[str, str], url: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandlot.cli.main", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**clean, "SANDLOT_URL": url},
        bufsize=0,
    )


def test_output_and_input_go_back_and_forth(
    box: Sandlot, server: RunningServer, clean: dict[str, str]
) -> None:
    del box
    program = "while line := input(): print('got', line, flush=True)"
    with _started(clean, server.url, "exec", "box", "-c", program) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for word in (b"one\n", b"two\n"):
            running.stdin.write(word)
            assert running.stdout.readline() == b"got " + word
        running.stdin.write(b"\n")
        assert running.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_us_kills_the_program(
    box: Sandlot, server: RunningServer, clean: dict[str, str], number: signal.Signals
) -> None:
    with _started(clean, server.url, "exec", "box", "--", "sh", "-c", "echo up; sleep 100") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        running.send_signal(number)
        assert running.wait(20) == 128 + number
    # The server kills it when it sees that we have gone, which may be after us.
    assert any(b"sleep" not in box("ps", "box").stdout for _ in range(20))


def test_a_program_runs_on_in_the_background(box: Sandlot) -> None:
    program = "read x; echo one; sleep 0.4; echo two"
    name = box("exec", "-d", "box", "--", "sh", "-c", program).stdout.decode().strip()
    (row,) = json.loads(box("ps", "box", "--json").stdout)["processes"]
    assert (row["id"], row["background"], row["argv"][0]) == (name, True, "sh")
    told = box("logs", "--follow", "box", name)
    assert (told.stdout, told.stderr, told.returncode) == (b"one\ntwo\n", b"", 0)
    head, line = box("ps", "box").stdout.decode().splitlines()
    assert head.split() == ["PROCESS", "STATE", "KIND", "AGE", "COMMAND"]
    assert line.split()[:4] == [name, "exited", "0", "background"]
    assert box("logs", "box", name).stdout == b"one\ntwo\n"


def test_logs_tell_what_is_no_longer_kept(box: Sandlot) -> None:
    name = box("exec", "-d", "box", "-c", "print('x' * 2_000_000)").stdout.decode().strip()
    assert box("logs", "-f", "box", name).returncode == 0
    told = box("logs", "box", name)
    assert told.stdout == b"x" * (2**20 - 1) + b"\n"
    assert told.stderr == b"sandlot: %d bytes before this are no longer kept\n" % (2_000_001 - 2**20)


@pytest.mark.parametrize("words", [["logs", "box", "nope"], ["logs", "nope", "p"], ["ps", "nope"]])
def test_what_is_not_there_is_told(box: Sandlot, words: list[str]) -> None:
    told = box(*words)
    assert (told.returncode, told.stdout, b"'nope'" in told.stderr) == (125, b"", True)


@pytest.mark.parametrize("words", [["-t"], ["-i"], ["--json"]])
def test_what_runs_on_without_us_takes_no_terminal(sandlot: Sandlot, words: list[str]) -> None:
    assert sandlot("exec", "-d", *words, "box", "--", "true").returncode == 2


def test_locally_nothing_runs_on(sandlot: Sandlot) -> None:
    told = sandlot("exec", "-d", "--local", "box", "--", "true")
    assert (told.returncode, b"-d needs a server" in told.stderr) == (125, True)


def test_a_healthy_server_is_told(served: Sandlot, server: RunningServer) -> None:
    assert served("health", "--wait", "30s").returncode == 0
    told = json.loads(served("health", "--json").stdout)
    assert (told["url"], told["status"], told["checks"]["engine"]) == (server.url, "ready", "ok")
    assert (told["version"], told["engine"], told["isolation"]) == (__version__, "zygote", "namespace")
    head, version, engine, *checks = served("health").stdout.decode().splitlines()
    assert head == f"{server.url}: ready"
    assert version.split() == ["version", __version__]
    assert engine.split() == ["default", "engine", "zygote,", "namespace"]
    assert ["state", "ok"] in [line.split() for line in checks]


def test_a_server_that_is_not_there_is_told(sandlot: Sandlot) -> None:
    told = sandlot("health", "--json", "--url", "unix:///nonexistent/server.sock")
    assert (told.returncode, told.stderr) == (1, b"")
    shown = json.loads(told.stdout)
    assert (shown["status"], "/nonexistent/server.sock" in shown["cause"]) == ("unreachable", True)
    told = sandlot("ls", "--url", "unix:///nonexistent/server.sock")
    assert (told.returncode, told.stdout) == (125, b"")
    assert b"/nonexistent/server.sock" in told.stderr


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://user:word@127.0.0.1"])
def test_an_address_that_is_none_is_told_without_its_secret(sandlot: Sandlot, url: str) -> None:
    told = sandlot("ls", "--url", url)
    assert (told.returncode, told.stderr.startswith(b"sandlot: flag --url: ")) == (125, True)
    assert b"word" not in told.stderr


def test_a_key_comes_from_a_variable_or_a_file_and_no_flag(
    sandlot: Sandlot, own_server: RunningServer, data_file: str
) -> None:
    key = own_server.key("ours")
    with open(data_file, "w", encoding="ascii") as file:
        file.write(key + "\n")
    at = {"SANDLOT_URL": own_server.url}
    assert sandlot("ls", **at).returncode == 125
    assert sandlot("ls", **at, SANDLOT_KEY=key).returncode == 0
    assert sandlot("ls", **at, SANDLOT_KEY_FILE=data_file).returncode == 0
    told = sandlot("ls", **at, SANDLOT_KEY=key[:-1] + "#")
    assert told.returncode == 125
    assert key[:-1].encode() not in told.stderr
    assert sandlot("ls", "--key", key, **at).returncode == 2


@pytest.fixture
def data_file(clean: dict[str, str]) -> Iterator[str]:
    path = os.path.join(clean["SANDLOT_DATA_DIRECTORY"], "key")
    yield path
    os.unlink(path)


def test_a_server_that_dies_is_told_and_the_terminal_given_back(
    sandlot: Sandlot, own_server: RunningServer, clean: dict[str, str]
) -> None:
    sandlot("create", "box", SANDLOT_URL=own_server.url)
    with screen("shell", "box", env={**clean, "SANDLOT_URL": own_server.url}) as shown:
        before = shown.modes()
        shown.until(r"[$#] ")
        own_server.kill()
        shown.until("sandlot: the connection was lost")
        shown.type("\x1d\x1d\x1d")
        assert (shown.ended(), shown.modes()) == (128 + signal.SIGHUP, before)


def test_local_sandboxes_and_a_server_of_the_same_place_exclude_each_other(
    sandlot: Sandlot, own_server: RunningServer
) -> None:
    place = {"SANDLOT_DATA_DIRECTORY": str(own_server.directory / "data")}
    told = sandlot("ls", "--local", **place)
    assert (told.returncode, b"leave --local out" in told.stderr) == (125, True)
    made = json.loads(sandlot("create", "box", "--json", SANDLOT_URL=own_server.url).stdout)
    own_server.stop()
    found = json.loads(sandlot("ls", "--local", "--json", **place).stdout)["sandboxes"]
    assert [each["id"] for each in found] == (["box"] if made["durable"] else [])
