"""`sandlot config` and the file that `--config` names."""

from __future__ import annotations

import json
from pathlib import Path

from sandlot.testing.servers import running_server
from tests.unit.cli.conftest import Sandlot
from tests.unit.local.machine import data_directory
from tests.unit.server.talk import ask


def test_every_origin_is_told(sandlot: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text('# ours\nmemory = "64Mi"\ncpu = 0.5\n', encoding="utf-8")
    told = sandlot("config", "--json", "--config", "here.toml", SANDLOT_PIDS="9", SANDBOX_CPU_QUOTA="2")
    shown = json.loads(told.stdout)
    origins = {name: shown[name]["origin"] for name in ("memory", "cpu", "pids", "output")}
    assert origins == {
        "memory": f"file {tmp_path}/here.toml:2",
        "cpu": "variable SANDBOX_CPU_QUOTA",
        "pids": "variable SANDLOT_PIDS",
        "output": "default",
    }
    table = sandlot("config", SANDLOT_CONFIG=str(tmp_path / "here.toml")).stdout.decode().splitlines()
    (row,) = [line for line in table if line.startswith("memory ")]
    assert row.split("  ")[-1].strip() == f"file {tmp_path}/here.toml:2"


def test_a_key_is_told_to_be_set_and_never_shown(sandlot: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text('key = "sl_0_hidden"\n', encoding="utf-8")
    for words in (["config", "--config", "here.toml"], ["config", "--json", "--config", "here.toml"]):
        told = sandlot(*words)
        assert told.returncode == 0
        assert b"hidden" not in told.stdout + told.stderr
        assert b"here.toml:1" in told.stdout


def test_a_file_that_will_not_do_is_said(sandlot: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text("prot = 80\n", encoding="utf-8")
    for verb in ("config", "serve"):
        told = sandlot(verb, "--config", "here.toml")
        assert told.returncode == 125
        assert b"here.toml:1: unknown setting 'prot': did you mean 'port'?" in told.stderr
        assert sandlot(verb, "--config", "none.toml").returncode == 125


def test_all_of_a_server_goes_by_the_file_it_was_given() -> None:
    with data_directory() as place:
        file = place / "server.toml"
        file.write_text(f'data_directory = "{place}/there"\nmost_upload = "1Mi"\n', encoding="utf-8")
        environ = {"SANDLOT_DATA_DIRECTORY": ""}
        with running_server("--config", str(file), environ=environ) as server:
            ask(server, "POST", "/v1/run", {"cmd": ["true"]})
            made = {path.name for path in (place / "there").iterdir()}
            assert not (server.directory / "data").exists()
    assert {"registry.db", "agents"} <= made
