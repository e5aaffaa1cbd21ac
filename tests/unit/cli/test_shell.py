"""`sandlot shell` on a real terminal: keys, size, endings, and the terminal as it was before."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.cli.conftest import Sandlot
from tests.unit.cli.proxy import Network, network
from tests.unit.cli.terminal import Screen, screen

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


@dataclass(frozen=True)
class Place:
    """Where there is a sandbox called box: the variables and the flags that lead there."""

    env: dict[str, str]
    flags: list[str]

    def sandlot(self, verb: str, *words: str) -> int:
        """The exit code of `sandlot` with *words*, without a terminal."""
        command = [sys.executable, "-m", "sandlot.cli.main", verb, *self.flags, *words]
        return subprocess.run(command, env=self.env, capture_output=True, check=False, timeout=50).returncode


@pytest.fixture(scope="module", params=["server", "local"])
def place(request: pytest.FixtureRequest, clean: dict[str, str]) -> Iterator[Place]:
    running: RunningServer = request.getfixturevalue("server")  # which skips where no box can be started
    here = Place(clean, ["--local"])
    if request.param == "server":
        here = Place({**clean, "SANDLOT_URL": running.url}, [])
    assert here.sandlot("create", "box") == 0
    yield here
    assert here.sandlot("delete", "box") == 0


def _screen(place: Place, verb: str, *words: str) -> AbstractContextManager[Screen]:
    return screen(verb, *place.flags, *words, env=place.env)


def _at_prompt(shown: Screen) -> None:
    """Wait until a shell reads what is typed: the echo of the command is not its output."""
    shown.until(r"[$#] ")
    shown.type("echo rea''dy\n")
    shown.until("ready")


def test_it_is_a_real_terminal_of_our_size_and_kind(place: Place) -> None:
    with _screen(place, "shell", "box") as shown:
        before = shown.modes()
        _at_prompt(shown)
        assert shown.modes() != before
        shown.type("stty size; echo $TERM; tty\n")
        shown.until("33 99")
        shown.until("xterm-color")
        shown.until("/dev/pts/")
        shown.type("exit 7\n")
        assert shown.ended() == 7
        assert shown.modes() == before


def test_a_new_size_reaches_the_program(place: Place) -> None:
    program = "trap 'stty size' WINCH; echo rea''dy; while :; do sleep 0.05; done"
    with _screen(place, "shell", "box", "--", "sh", "-c", program) as shown:
        shown.until("ready")
        shown.resize(40, 111)
        shown.until("40 111")


def test_ctrl_c_is_the_programs(place: Place) -> None:
    program = "trap 'echo caught; exit 3' INT; echo rea''dy; while :; do sleep 0.05; done"
    with _screen(place, "shell", "box", "--", "sh", "-c", program) as shown:
        shown.until("ready")
        shown.type("\x03")
        shown.until("caught")
        assert shown.ended() == 3


def test_three_times_the_way_out_leaves_and_the_sandbox_stays(place: Place) -> None:
    with _screen(place, "shell", "box", "--", "sh", "-c", "trap '' INT HUP; echo up; cat") as shown:
        before = shown.modes()
        shown.until("up")
        shown.type("\x1d\x1d\x1d")
        shown.until("left")
        assert shown.ended() == 128 + signal.SIGHUP
        assert shown.modes() == before
    assert place.sandlot("exec", "box", "--", "true") == 0


@pytest.fixture(scope="module")
def far(server: RunningServer, clean: dict[str, str]) -> Iterator[tuple[Network, Place]]:
    """A network that can be cut, and a sandbox called box behind it."""
    del server  # which skips where no box can be started
    with (
        running_server("--allow-host", "127.0.0.1", "--pool", "0") as running,
        network(running.url) as between,
    ):
        place = Place({**clean, "SANDLOT_URL": between.url}, [])
        assert place.sandlot("create", "box") == 0
        yield between, place


def test_it_comes_back_to_its_program_when_the_connection_is_lost(far: tuple[Network, Place]) -> None:
    between, place = far
    program = "echo up; read x; echo then $x; stty size; exit 6"
    with _screen(place, "shell", "box", "--", "sh", "-c", program) as shown:
        before = shown.modes()
        shown.until("up")
        between.cut()
        shown.until("the connection was lost")
        shown.resize(40, 111)
        between.mend()
        shown.until("back again")
        shown.type("on\n")
        shown.until("then on\r\n40 111")
        assert shown.ended() == 6
        assert shown.modes() == before


def test_a_terminal_that_is_gone_is_told(far: tuple[Network, Place]) -> None:
    between, place = far
    with _screen(place, "shell", "box", "--", "sh", "-c", "echo up; read x") as shown:
        shown.until("up")
        between.cut()
        shown.until("the connection was lost")
        here = Place({**place.env, "SANDLOT_URL": between.server}, [])
        assert here.sandlot("delete", "box") == 0
        between.mend()
        shown.until("'box'")
        assert shown.ended() == 125


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_gives_the_terminal_back(place: Place, number: signal.Signals) -> None:
    with _screen(place, "shell", "box") as shown:
        before = shown.modes()
        _at_prompt(shown)
        shown.running.send_signal(number)
        assert shown.ended() == 128 + number
        assert shown.modes() == before


def test_a_program_that_is_not_there_is_told_and_the_terminal_given_back(place: Place) -> None:
    with _screen(place, "shell", "box", "no-such-program") as shown:
        before = shown.modes()
        assert shown.ended() == 127
        assert shown.modes() == before


def test_an_unknown_sandbox_leaves_the_terminal_alone(place: Place) -> None:
    with _screen(place, "shell", "nope") as shown:
        before = shown.modes()
        shown.until("'nope'")
        assert (shown.ended(), shown.modes()) == (125, before)


def test_without_a_terminal_it_says_what_to_use(sandlot: Sandlot) -> None:
    told = sandlot("shell", "box")
    assert (told.returncode, b"use `sandlot exec ID -- PROGRAM`" in told.stderr) == (125, True)


def test_exec_at_a_terminal_passes_every_key_on(place: Place) -> None:
    with _screen(place, "exec", "-it", "box", "--", "sh", "-c", "stty size; cat") as shown:
        before = shown.modes()
        shown.until("33 99")
        shown.type("typed\n")
        shown.until("typed\r\n.*typed\r\n")
        shown.type("\x04")
        assert (shown.ended(), shown.modes()) == (0, before)
