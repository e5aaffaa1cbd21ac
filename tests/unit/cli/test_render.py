from __future__ import annotations

import io

import pytest

from sandlot.cli import render


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü", "plain ü"),
        ("\x1b]52;c;eA==\x07", "\\x1b]52;c;eA==\\x07"),
        ("a\rb\nc", "a\\rb\\nc"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert render.escaped(text) == shown


def test_messages_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    render.say("one\ntwo\x1b")
    assert capsys.readouterr().err == "sandlot: one\nsandlot: two\\x1b\n"


@pytest.mark.parametrize(
    ("variables", "on_screen", "on_file"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_colour_follows_the_conventions(
    variables: dict[str, str], on_screen: bool, on_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for stream, expected in ((Screen(), on_screen), (io.StringIO(), on_file)):
        assert (render.coloured("x", "good", stream) != "x") is expected


def test_columns_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    render.table([("A", "B"), ("long", "x\x1b")])
    assert capsys.readouterr().out == "A     B\nlong  x\\x1b\n"


def test_progress_without_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = render.Progress()
    progress("building\x1b[2J")
    progress("  ")
    progress.end()
    assert capsys.readouterr().err == "sandlot: building\\x1b[2J\n"


def test_quick_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    render.Progress(patient=True)("probing")
    assert capsys.readouterr().err == ""
