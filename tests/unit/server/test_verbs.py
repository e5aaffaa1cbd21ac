"""`sandlot key` and `sandlot serve` at the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.cli.main import main
from sandlot.server.keyring import KeyRing
from sandlot.testing.servers import running_server
from tests.unit.server.talk import ask

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(tmp_path / "data"))
    return KeyRing(tmp_path / "data" / "keys.json")


def test_a_key_is_printed_once_alone_on_stdout(capsys: pytest.CaptureFixture[str], ring: KeyRing) -> None:
    assert main(["key", "create", "ci"]) == 0
    shown = capsys.readouterr()
    text = shown.out.rstrip("\n")
    key = ring.opened(text, 0.0)
    assert key is not None
    assert (key.name, key.owner, key.scopes, key.expires) == ("ci", "ci", frozenset({"read", "write"}), None)
    assert "not shown again" in shown.err
    assert main(["key", "list"]) == 0
    listed = capsys.readouterr().out
    assert key.id in listed
    assert text.split("_", 2)[2] not in listed


def test_what_is_asked_of_a_key_is_kept(capsys: pytest.CaptureFixture[str], ring: KeyRing) -> None:
    words = [
        "key",
        "create",
        "ops",
        "--owner",
        "team",
        "--scope",
        "metrics",
        "admin",
        "--expires",
        "30d",
        "--json",
    ]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    key = ring.all()[0]
    assert ring.opened(told["key"], key.created) == key
    assert (told["owner"], told["scopes"]) == ("team", ["admin", "metrics"])
    assert told["expires"] == pytest.approx(key.created + 30 * 86400)
    assert "hash" not in told


def test_a_revoked_key_is_shown_as_such(capsys: pytest.CaptureFixture[str], ring: KeyRing) -> None:
    main(["key", "create", "ci"])
    text = capsys.readouterr().out.strip()
    assert main(["key", "revoke", text.split("_")[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["revoked"] > 0
    assert ring.opened(text, 0.0) is None
    main(["key", "list"])
    assert "revoked" in capsys.readouterr().out
    assert main(["key", "list", "--json"]) == 0
    assert [key["name"] for key in json.loads(capsys.readouterr().out)] == ["ci"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["create", "../ci"], "key name"),
        (["create", "ci", "--scope", "root"], "scopes are"),
        (["create", "ci", "--expires", "soon"], "soon"),
        (["revoke", "0" * 12], "no key"),
    ],
)
def test_what_cannot_be_is_said(capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    assert main(["key", *words]) == 125
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--port", "99999"], "not a port"),
        (["--host", "999.1.1.1"], "no address"),
        (["--unix", "relative"], "absolute"),
        (["--fd", "987"], "no socket"),
        (["--fd", "0"], "socket"),
    ],
)
def test_a_place_that_will_not_do_is_said(words: list[str], why: str) -> None:
    command = [sys.executable, "-m", "sandlot.cli.main", "serve", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 125
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_the_server_says_what_to_install() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from sandlot.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, "serve"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 125
    assert "pip install 'sandlot[server]'" in done.stderr


def test_a_dialect_that_cannot_be_loaded_is_told_and_left_out(tmp_path: Path) -> None:
    about = tmp_path / "foreign-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[sandlot.dialects]\nforeign = no_such_module:routes\n")
    with running_server(environ={"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}) as server:
        assert "no_such_module" in server.heard("dialect foreign cannot be loaded")
        assert ask(server, "GET", "/v1/sandboxes").status == 200
