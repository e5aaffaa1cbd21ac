"""The container image's recipe, carried out step by step without a container.

Base images come from a registry, so no test builds it; docs/deploy.md says what was run by hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.unit.local.machine import data_directory, obstacle

RECIPE = ROOT / "deploy" / "container" / "Containerfile"


@dataclass(frozen=True)
class Step:
    """One instruction, its continued lines joined, and the number of its stage."""

    stage: int
    word: str
    rest: str


def steps() -> list[Step]:
    text = re.sub(r"^#.*\n", "", RECIPE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[Step] = []
    stage = -1
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            stage += word == "FROM"
            found.append(Step(stage, word, rest.strip()))
    return found


def last(word: str) -> str:
    """What the last such instruction of the last stage says."""
    found = steps()
    return [step.rest for step in found if step.word == word and step.stage == found[-1].stage][-1]


def locked(name: str) -> dict[str, str]:
    """Names and versions of a lock."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a venv with that wheel, over what the tests' own venv has besides it."""
    place = tmp_path_factory.mktemp("image") / "opt"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*command, "--prefix", place, "--ignore-installed", wheel], check=True)
    # Behind its own; the editable install of the tests is a .pth over there, which is not read.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place / "bin"


def test_the_wheel_alone_is_what_runs_in_it(installed: Path) -> None:
    program = "import sandlot; print(sandlot.__file__)"
    done = subprocess.run(
        [installed / "python", "-I", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(installed.parent))


def test_boxes_begin_in_c_there_without_a_compiler(installed: Path) -> None:
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler on this machine")
    assert [step.stage for step in steps() if "python -I -m sandlot.environments.native" in step.rest] == [0]
    made = subprocess.run(
        [installed / "python", "-I", "-m", "sandlot.environments.native"],
        check=True,
        capture_output=True,
        text=True,
    )
    library = Path(made.stdout.partition(":")[0])
    assert library.is_relative_to(installed.parent)
    with data_directory() as place:
        told = subprocess.run(
            [installed / "python", "-I", "-m", "sandlot.cli.main", "doctor"],
            env={"PATH": str(installed), "SANDLOT_DATA_DIRECTORY": str(place)},
            check=False,
            capture_output=True,
            text=True,
        )
    assert "first process of a box: compiled when sandlot was installed" in told.stdout


def test_its_entry_point_serves_and_its_health_check_says_so(installed: Path) -> None:
    if why := obstacle():
        pytest.skip(f"no box can be started here: {why}")
    assert json.loads(last("CMD")) == ["serve", "--host", "0.0.0.0"]
    with data_directory() as place:
        environ = {
            "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
            "SANDLOT_URL": f"unix://{place}/s",
            "SANDLOT_DATA_DIRECTORY": str(place / "data"),
            "SANDLOT_RUNTIME_DIRECTORY": str(place / "run"),
        }
        check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
        assert _run(installed, check, environ) == 1
        # At a socket: a test listens at no address that others reach.
        words = [*json.loads(last("ENTRYPOINT")), "serve", "--unix", f"{place}/s"]
        program = str(installed / words[0])
        with subprocess.Popen([program, *words[1:]], env=environ, stderr=subprocess.DEVNULL) as server:
            try:
                assert _run(installed, [*check, "--wait", "40s"], environ) == 0
                assert _run(installed, check, environ) == 0
            finally:
                server.send_signal(getattr(signal, last("STOPSIGNAL")))
            assert server.wait(40) == 0


def _run(commands: Path, words: list[str], environ: dict[str, str]) -> int:
    return subprocess.run(
        [str(commands / words[0]), *words[1:]], check=False, capture_output=True, env=environ
    ).returncode


def test_it_wants_a_key_where_others_reach_it(installed: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "SANDLOT_DATA_DIRECTORY": str(tmp_path), "SANDLOT_PORT": "0"}
    words = [str(installed / "sandlot"), *json.loads(last("CMD"))]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 125
    assert "sandlot key create" in done.stderr


def test_it_runs_as_nobodys_user_and_fetches_nothing_at_run_time() -> None:
    assert re.fullmatch("[1-9][0-9]{3,}:[1-9][0-9]{3,}", last("USER"))
    assert not [step for step in steps() if step.word == "ADD"]
    words = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD")), last("HEALTHCHECK")]
    assert not [word for word in words if "://" in word or "install" in word]


def test_packages_are_the_locked_ones_and_those_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[ <>=;]", text)[0] for text in project["optional-dependencies"]["server"]}
    image, tests = locked("server.txt"), locked("dev.txt")
    assert wanted <= image.keys()
    assert image.items() <= tests.items()
    assert any("--require-hashes -r server.txt" in step.rest for step in steps())
    asked = (ROOT / "requirements" / "server.in").read_text(encoding="utf-8")
    assert wanted == {re.split(r"[ <>=;]", line)[0] for line in asked.splitlines() if line[:1].isalpha()}


def test_only_what_it_copies_is_sent_to_the_builder() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    shown = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert shown == {"dist/*.whl", "requirements/server.txt"}
