from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.cli.main import main

WITHOUT = (
    "import sys; sys.modules['zmq'] = None; from sandlot.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    return tmp_path


def test_kernels_are_installed_listed_and_removed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jupyter", "install", "--name", "small", "--memory", "512Mi", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == {
        "name": "small",
        "directory": str(place / "kernels" / "small"),
        "displayName": "Python in sandlot",
        "config": {"memory": "512Mi"},
    }
    assert (place / "kernels" / "small").stat().st_mode & 0o777 == 0o755
    assert main(["jupyter", "list", "--json"]) == 0
    assert written in json.loads(capsys.readouterr().out)
    assert main(["jupyter", "uninstall", "small"]) == 0
    assert not (place / "kernels" / "small").exists()


def test_kernel_is_installed_below_a_prefix(place: Path) -> None:
    arguments = ["jupyter", "install", "--prefix", str(place / "there"), "--display-name", "Boxed"]
    assert main(arguments) == 0
    text = (place / "there/share/jupyter/kernels/sandlot/kernel.json").read_text(encoding="utf-8")
    assert json.loads(text)["display_name"] == "Boxed"


def test_only_kernels_of_sandlot_are_removed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = place / "kernels" / "foreign"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["x"], "display_name": "x", "language": "x"}')
    assert main(["jupyter", "uninstall", "foreign"]) == 125
    assert "sandlot jupyter list" in capsys.readouterr().err
    assert foreign.exists()


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (["--memory", "lots"], "lots"),
        (["--url", "ftp://x"], "address of a server"),
        (["--mount", "data"], "not a mount"),
        (["--name", "a/b"], "a/b"),
        (["--timeout", "soon"], "soon"),
    ],
)
def test_wishes_that_cannot_be_are_refused_before_anything_is_written(
    wish: list[str], why: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jupyter", "install", *wish]) == 125
    assert why in capsys.readouterr().err
    assert not (place / "kernels").exists()


def test_without_the_extra_the_next_step_is_told() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, "jupyter", "install"], capture_output=True, check=False, text=True
    )
    assert ran.returncode == 125
    assert "pip install 'sandlot[jupyter]'" in ran.stderr
