"""What the command line can do on every Python of the base install, and what it says on old ones."""

from __future__ import annotations

import json
import sys

import pytest

from sandlot import __version__
from sandlot.cli.main import VERBS, main


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("sandlot " + __version__ + "\n")
    assert all("\n  " + verb in shown for verb in VERBS)


def test_config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_PIDS", "7")
    assert main(["config", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pids"] == {"value": 7, "origin": "variable SANDLOT_PIDS"}
    assert main(["config"]) == 0
    assert "variable SANDLOT_PIDS" in capsys.readouterr().out


def test_an_error_by_words_and_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_PIDS", "none")
    assert main(["config"]) == 125
    assert capsys.readouterr().err.startswith("sandlot: variable SANDLOT_PIDS: 'none' is not a count")
    assert main(["config", "--json"]) == 125
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_spec"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "doctor" in capsys.readouterr().out


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from Python 3.11 on these run")
@pytest.mark.parametrize("verb", ["run", "doctor", "env"])
def test_what_needs_a_newer_python_says_so(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 125
    assert "needs Python 3.11 or later" in capsys.readouterr().err
