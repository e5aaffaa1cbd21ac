from __future__ import annotations

import os
from configparser import RawConfigParser
from pathlib import Path, PurePosixPath

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Mount
from sandlot.environments import steps
from sandlot.environments.installer import installer_for, without_secrets
from sandlot.environments.requirements import checked, gathered

NOWHERE = {"HOME": "/nonexistent"}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def configured(tmp_path: Path, text: str, **variables: str) -> dict[str, str]:
    return {**NOWHERE, "PIP_CONFIG_FILE": str(write(tmp_path / "pip.conf", text)), **variables}


def shown(mounts: tuple[Mount, ...], below: Path) -> set[str]:
    return {mount.source for mount in mounts if mount.source.startswith(str(below))}


def test_configuration_is_merged_and_carried(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = https://weak/\ntimeout = 7\n")
    variables = configured(tmp_path, "[global]\nindex-url = https://strong/\n", HOME=str(home))
    found = installer_for(variables)
    assert found.variables["PIP_CONFIG_FILE"] == "/workspace/build/pip.conf"
    assert "HOME" not in found.variables
    merged = RawConfigParser()
    merged.read_string(found.files["pip.conf"].decode())
    assert merged.get("global", "index-url") == "https://strong/"
    assert merged.get("global", "timeout") == "7"


def test_local_indexes_are_shown_read_only(tmp_path: Path) -> None:
    for name in ("mirror/simple", "mirror/files", "wheels", "wheels/inner", "plain"):
        (tmp_path / name).mkdir(parents=True)
    text = f"[global]\nindex-url = file://{tmp_path}/mirror/simple\n"
    text += f"extra-index-url =\n  file://{tmp_path}/plain\n  https://x/\n"
    variables = configured(tmp_path, text, PIP_FIND_LINKS=f"{tmp_path}/wheels {tmp_path}/wheels/inner /none")
    found = installer_for(variables)
    assert shown(found.mounts, tmp_path) == {f"{tmp_path}/{name}" for name in ("mirror", "plain", "wheels")}
    assert not any(mount.writable for mount in found.mounts)


def test_certificates_are_carried_as_files(tmp_path: Path) -> None:
    authority = write(tmp_path / "ca.pem", "CERTIFICATE")
    variables = configured(tmp_path, f"[global]\ncert = {authority}\n", PIP_CERT=str(authority))
    found = installer_for(variables)
    place = found.variables["PIP_CERT"]
    assert found.files[PurePosixPath(place).name] == b"CERTIFICATE"
    assert str(authority) not in found.files["pip.conf"].decode()


def test_no_configuration_is_read_when_pip_would_read_none() -> None:
    found = installer_for({"PIP_CONFIG_FILE": os.devnull})
    assert found.files == {"pip.conf": b""}
    assert found.mounts == ()


def test_a_broken_configuration_does_not_show_its_secrets(tmp_path: Path) -> None:
    variables = configured(tmp_path, "index-url = https://user:hunter2@x/\n")
    with pytest.raises(InvalidSpec) as caught:
        installer_for(variables)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "Looking in indexes: https://user:hunter2@host/simple",
            "Looking in indexes: https://****@host/simple",
        ),
        ("https://token@a/ and https://u:p@b/", "https://****@a/ and https://****@b/"),
        ("numpy@https://host/x.whl", "numpy@https://host/x.whl"),
    ],
)
def test_secrets_are_struck_out(line: str, told: str) -> None:
    assert without_secrets(line) == told


def test_secrets_are_not_in_the_text_of_a_value() -> None:
    assert "hunter2" not in repr(installer_for({**NOWHERE, "PIP_INDEX_URL": "https://u:hunter2@h/"}))


@pytest.mark.parametrize("package", ["numpy", "numpy>=2,<3", "pandas[excel]", "x @ https://host/x.whl"])
def test_packages_are_taken_as_they_are(package: str) -> None:
    assert checked([package]) == (package,)


@pytest.mark.parametrize(
    "package", ["--index-url=http://evil", "-e .", "", " ", ".", "./x", "/abs", "file:///x"]
)
def test_options_and_local_paths_are_refused(package: str) -> None:
    with pytest.raises(InvalidSpec):
        checked([package])


def test_requirement_files_bring_those_they_include(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", "numpy==2 \\\n    --hash=sha256:00\n-r sub/b.txt\n-c https://x/c.txt\n")
    write(tmp_path / "sub/b.txt", "--constraint c.txt\n-r ../a.txt\npandas\n")
    write(tmp_path / "sub/c.txt", "six\n")
    assert gathered(first) == {
        "requirements-0.txt": b"numpy==2 \\\n    --hash=sha256:00\n-r requirements-1.txt\n-c https://x/c.txt\n",
        "requirements-1.txt": b"--constraint requirements-2.txt\n-r requirements-0.txt\npandas\n",
        "requirements-2.txt": b"six\n",
    }
    assert gathered(None) == {}


@pytest.mark.parametrize("line", ["-e .", "./local", "../x", "/abs/x.whl", "file:///x", "-r missing.txt"])
def test_requirement_files_with_local_things_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidSpec):
        gathered(write(tmp_path / "a.txt", line + "\n"))


def test_the_steps_install_wheels_only_unless_told() -> None:
    install = steps.plan("/usr/bin/python3", ("numpy",), has_requirements=True, source=False)[2].argv
    assert install[4:] == (
        "install", "--no-compile", "--only-binary", ":all:",
        "--requirement", "/workspace/build/requirements-0.txt", "--", "numpy",
    )  # fmt: skip
    told = steps.plan("/usr/bin/python3", ("numpy",), has_requirements=False, source=True)[2].argv
    assert "--only-binary" not in told


def test_nothing_asked_installs_nothing() -> None:
    plan = steps.plan("/usr/bin/python3", (), has_requirements=False, source=False)
    assert not [step for step in plan if "install" in step.argv]
