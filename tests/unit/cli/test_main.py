from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sandlot import __version__
from sandlot.cli.main import VERBS, main
from tests.unit.cli.conftest import Sandlot


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {verb} " in shown for verb in VERBS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sandlot {__version__}\n"


@pytest.mark.parametrize("words", [[], ["nothing"], ["\x1b[31m"]])
def test_what_is_no_command_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_command_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: sandlot {verb}" in capsys.readouterr().out


def test_help_loads_nothing_it_does_not_need() -> None:
    program = "import sys; from sandlot.cli.main import main; main(['--help'])\n"
    program += "print(*sys.modules, file=sys.stderr)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"argparse", "asyncio", "sandlot.local", "sandlot.settings"} & set(told.stderr.split())


def test_an_error_is_a_message_and_125(sandlot: Sandlot) -> None:
    told = sandlot("config", SANDLOT_MEMORY="lots")
    assert told.returncode == 125
    assert told.stdout == b""
    assert told.stderr.startswith(b"sandlot: variable SANDLOT_MEMORY: 'lots' is not")


def test_an_error_is_json_where_json_was_asked_for(sandlot: Sandlot) -> None:
    told = sandlot("config", "--json", SANDLOT_MEMORY="lots")
    assert told.returncode == 125
    assert told.stderr == b""
    assert json.loads(told.stdout)["error"]["code"] == "invalid_spec"


def test_json_after_the_double_dash_is_the_programs() -> None:
    words = ["run", "--memory", "x", "--", "ls", "--json"]
    program = f"from sandlot.cli.main import main; raise SystemExit(main({words}))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (125, b"")


def test_config_shows_values_and_origins(sandlot: Sandlot) -> None:
    shown = json.loads(sandlot("config", "--json", SANDLOT_PIDS="7").stdout)
    assert shown["pids"] == {"value": 7, "origin": "variable SANDLOT_PIDS"}
    assert shown["network"] == {"value": "none", "origin": "default"}
    table = sandlot("config", SANDLOT_MEMORY="1Gi").stdout.decode()
    assert [line.split() for line in table.splitlines() if line.startswith("memory")] == [
        ["memory", "1", "GiB", "variable", "SANDLOT_MEMORY"]
    ]


def test_env_list_has_the_built_in_one(sandlot: Sandlot) -> None:
    told = sandlot("env", "list", "--json")
    assert json.loads(told.stdout)["environments"][0]["name"] == "system"
    assert sandlot("env", "list").stdout.decode().splitlines()[1].startswith("system ")


def test_env_remove_of_nothing_says_so(sandlot: Sandlot) -> None:
    told = sandlot("env", "remove", "nothing")
    assert (told.returncode, b"no environment 'nothing'" in told.stderr) == (125, True)


@pytest.mark.parametrize("package", ["./local", "-e"])
def test_env_create_refuses_what_the_build_cannot_see(sandlot: Sandlot, package: str) -> None:
    told = sandlot("env", "create", "x", "--", package)
    assert told.returncode == 125
    assert not sandlot("env", "list").stdout.count(b"\nx ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_flags(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("doctor", "create", "timeout", "allow-source"):
        assert word in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("run --tim", "--timeout"),
        ("exec box --det", "--detach"),
        ("download box --t", "--to"),
        ("hea", "health"),
    ],
)
def test_bash_completes(typed: str, offered: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    words = f"sandlot {typed}".split()
    ask = f'\nCOMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _sandlot; echo "${{COMPREPLY[@]}}"'
    told = subprocess.run(["bash", "-euc", script + ask], capture_output=True, text=True, check=True)
    assert told.stdout == offered + "\n"
