"""One loader: precedence, origins, and errors for what is unknown or cannot be read."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Dict

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import DEFAULT_TIMEOUT, Isolation, Network

needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML is read from Python 3.11 on")
is_root = hasattr(os, "geteuid") and os.geteuid() == 0


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_those_of_the_contracts() -> None:
    chosen = settings.load(environ={"HOME": "/home/someone"}, files=[])
    assert chosen.network is Network.NONE
    assert chosen.timeout == DEFAULT_TIMEOUT
    assert chosen.limits.asked() == ()
    assert chosen.origins["network"] == chosen.origins["timeout"] == "default"


def test_a_flag_wins_over_a_variable() -> None:
    chosen = settings.load({"memory": "1Gi"}, {"SANDLOT_MEMORY": "2Gi"}, [])
    assert (chosen.memory, chosen.origins["memory"]) == (Bytes(2**30), "flag --memory")


def test_a_flag_that_was_not_given_is_none() -> None:
    chosen = settings.load({"memory": None}, {"SANDLOT_MEMORY": "2Gi"}, [])
    assert (chosen.memory, chosen.origins["memory"]) == (Bytes(2**31), "variable SANDLOT_MEMORY")


@needs_toml
def test_precedence_goes_down_to_the_user_file(tmp_path: Path) -> None:
    project = write(tmp_path / settings.PROJECT_FILE, 'memory = "300Mi"\npids = 30\n')
    user = write(tmp_path / "config.toml", 'memory = "4Gi"\npids = 40\ncpu = 0.5\n')
    chosen = settings.load({}, {"SANDLOT_MEMORY": "2Gi"}, [project, user])
    assert (chosen.memory, chosen.pids, chosen.cpu) == (2 * 2**30, 30, 0.5)
    origins = [chosen.origins[name] for name in ("memory", "pids", "cpu")]
    assert origins == ["variable SANDLOT_MEMORY", f"file {project}:2", f"file {user}:3"]


@needs_toml
def test_a_project_file_lowers_limits_and_never_raises_them(tmp_path: Path) -> None:
    project = write(tmp_path / settings.PROJECT_FILE, 'output = "600Mi"\n')
    with pytest.raises(InvalidSpec, match="not raise it above 1 MiB"):
        settings.load({}, {}, [project])
    user = write(tmp_path / "config.toml", 'output = "600Mi"\n')
    assert settings.load({}, {}, [user]).output == 600 * 2**20


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MEMORY", "lots"),
        ("MEMORY", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "inf"),
        ("CPU", "many"),
        ("PIDS", "1.5"),
        ("PIDS", "0"),
        ("PIDS", "\u0661"),
        ("NETWORK", "some"),
        ("ISOLATION", "strict"),
        ("ENVIRONMENT", "../system"),
        ("ENGINE", ""),
        ("DATA_DIRECTORY", "relative"),
        ("NO_SUCH_SETTING", "1"),
    ],
)
def test_what_cannot_be_read_is_an_error_naming_its_origin(name: str, text: str) -> None:
    if not text:
        assert settings.load({}, {"SANDLOT_" + name: text}, []).origins["engine"] == "default"
        return
    with pytest.raises(InvalidSpec, match="variable SANDLOT_" + name):
        settings.load({}, {"SANDLOT_" + name: text}, [])


def test_a_bad_value_is_an_error_even_where_a_stronger_one_hides_it() -> None:
    with pytest.raises(InvalidSpec, match="SANDLOT_MEMORY"):
        settings.load({"memory": "1Gi"}, {"SANDLOT_MEMORY": "lots"}, [])


@needs_toml
@pytest.mark.parametrize(
    "line", ['network = "full"', 'engine = "process"', 'isolation = "process"', 'data_directory = "/x"']
)
def test_a_project_file_takes_no_wall_down(tmp_path: Path, line: str) -> None:
    project = write(tmp_path / settings.PROJECT_FILE, line)
    with pytest.raises(InvalidSpec, match="project file may not set"):
        settings.load({}, {}, [project])
    user = write(tmp_path / "config.toml", line)
    assert settings.load({}, {}, [user]).origins[line.split(maxsplit=1)[0]] == f"file {user}:1"


@needs_toml
@pytest.mark.parametrize("text", ["memory = ", "unknown = 1", "memory = true", "[table]\nx = 1", "\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidSpec, match=r"config\.toml"):
        settings.load({}, {}, [path])


@needs_toml
@pytest.mark.skipif(is_root, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "pids = 30\n")
    path.chmod(0)
    with pytest.raises(InvalidSpec, match=r"config\.toml cannot be read"):
        settings.load({}, {}, [path])


@pytest.mark.skipif(is_root, reason="root searches every directory")
def test_a_file_that_cannot_even_be_looked_at_is_passed_over(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    path = write(hidden / "config.toml", "pids = 30\n")
    hidden.chmod(0)
    try:
        assert settings.load({}, {}, [path]).pids is None
    finally:
        hidden.chmod(0o700)


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from Python 3.11 on TOML is read")
def test_a_file_is_never_ignored_for_lack_of_a_reader(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "pids = 30\n")
    with pytest.raises(InvalidSpec, match=r"Python 3\.11"):
        settings.load({}, {}, [path])


def test_values_have_the_types_of_the_contracts() -> None:
    environ = {"SANDLOT_TIMEOUT": "500ms", "SANDLOT_ISOLATION": "vm", "SANDLOT_NETWORK": "full"}
    chosen = settings.load({"pids": 5}, environ, [])
    assert chosen.timeout == Seconds(0.5)
    assert chosen.isolation is Isolation.VM
    assert chosen.network is Network.FULL
    assert chosen.limits.asked() == ("pids",)


def test_the_document_has_a_value_and_an_origin_for_every_setting() -> None:
    environ = {"SANDLOT_MEMORY": "64Mi", "SANDLOT_ISOLATION": "vm", "HOME": "/h"}
    shown = json.loads(json.dumps(settings.load({}, environ, []).to_json()))
    assert shown["memory"] == {"value": 67108864, "origin": "variable SANDLOT_MEMORY"}
    assert shown["isolation"]["value"] == "vm"
    assert all(set(entry) == {"value", "origin"} for entry in shown.values())


def directories(environ: Dict[str, str]) -> Dict[str, str]:
    return {name: str(path) for name, (path, _origin) in settings.directories(environ).items()}


@pytest.mark.skipif(not is_root, reason="needs uid 0")
def test_directories_of_root() -> None:
    assert directories({"HOME": "/root", "XDG_DATA_HOME": "/elsewhere"}) == {
        "data_directory": "/var/lib/sandlot",
        "runtime_directory": "/run/sandlot",
    }


@pytest.mark.skipif(is_root, reason="needs an ordinary user")
def test_directories_of_a_user() -> None:
    environ = {"HOME": "/home/u", "XDG_DATA_HOME": "/data", "XDG_STATE_HOME": "relative"}
    assert directories(environ) == {
        "data_directory": "/data/sandlot",
        "runtime_directory": "/home/u/.local/state/sandlot/run",
    }
    assert (
        directories({**environ, "XDG_RUNTIME_DIR": "/run/user/7"})["runtime_directory"]
        == "/run/user/7/sandlot"
    )


def test_what_systemd_says_wins() -> None:
    environ = {"HOME": "/h", "STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "RUNTIME_DIRECTORY": "/run/one"}
    found = directories(environ)
    assert found["data_directory"] == "/var/lib/one"
    assert found["runtime_directory"] == "/run/one"
    chosen = settings.load({"data_directory": "/mine"}, environ, [])
    assert chosen.environments_directory == Path("/mine/environments")


def test_a_box_tells_its_programs_about_itself_without_harm() -> None:
    assert settings.load({}, {"SANDLOT_WORKSPACE": "/workspace"}, []).origins["engine"] == "default"


def test_only_what_the_installer_needs_is_handed_to_it() -> None:
    environ = {"PIP_INDEX_URL": "a", "https_proxy": "b", "NO_PROXY": "c", "HOME": "/h", "AWS_SECRET": "d"}
    assert set(settings.installer_variables(environ)) == {"PIP_INDEX_URL", "https_proxy", "NO_PROXY", "HOME"}
