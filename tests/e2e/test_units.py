"""The systemd units: what systemd itself says of them, and what the engine needs them to leave alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sandlot.contracts.quantity import Seconds
from sandlot.settings import Settings
from tests.e2e.conftest import ROOT

FOLDER = ROOT / "deploy" / "systemd"
# systemd.exec(5): each of these takes away what a wall of a box is made of; the unit says which.
BREAKING = {
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelTunables",
    "ProtectProc",
    "RestrictNamespaces",
    "SystemCallFilter",
}


def unit(name: str) -> dict[str, str]:
    """The keys of a unit file, each of which stands there once, and in a section."""
    found: dict[str, str] = {}
    section = ""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert section, line
            assert equals, line
            assert key not in found, line
            found[key] = value
    return found


def test_systemd_understands_them(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("sandlot.service", "sandlot.socket"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        # What is started need only be there.
        (tmp_path / name).write_text(text.replace("/opt/sandlot/bin/sandlot", "/bin/true"), encoding="utf-8")
    said = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "sandlot.service", tmp_path / "sandlot.socket"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_socket_is_one_and_is_handed_to_the_server() -> None:
    socket, service = unit("sandlot.socket"), unit("sandlot.service")
    assert socket["ListenStream"] == "127.0.0.1:8080"
    assert service["Requires"] == "sandlot.socket"
    assert service["ExecStart"].split()[1:] == ["serve"]
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")


def test_the_engine_may_do_what_it_must() -> None:
    service = unit("sandlot.service")
    assert not BREAKING & service.keys()
    assert service["Delegate"] == "yes"
    assert service["OOMPolicy"] == "continue"
    assert "CAP_SYS_ADMIN" in service["CapabilityBoundingSet"].split()
    assert "~" not in service["CapabilityBoundingSet"]


def test_it_has_time_to_end_in_order() -> None:
    service = unit("sandlot.service")
    assert service["KillMode"] == "mixed"
    assert Seconds.parse(service["TimeoutStopSec"]) > float(Settings.grace) + 2 * 10
    assert Seconds.parse(service["WatchdogSec"]) >= 10
