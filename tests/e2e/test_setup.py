"""Setting up on a machine that lacks something: root installs it, a user is told the exact line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packages are set up on Linux only")
LATER = ("test-kubernetes", "k8s-testenv", "docs")


class Machine:
    """A PATH with the few tools the script needs, a package manager that only notes, and no bubblewrap."""

    def __init__(self, folder: Path, *, uid: int) -> None:
        self.folder = folder
        self.asked = folder / "asked"
        for name in ("sh", "uname", "dirname"):
            (folder / name).symlink_to(str(shutil.which(name)))
        self.program("id", f"echo {uid}")
        self.program("apt-get", f'echo "$*" >> {self.asked}')

    def program(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def setup(self, *needs: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "tools" / "setup_system"), *needs]
        environment = {"PATH": str(self.folder), **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_user_is_told_the_exact_line_and_nothing_is_installed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, uid=1000)
    done = machine.setup("bubblewrap")
    assert done.returncode == 1
    assert "sudo apt-get install -y --no-install-recommends bubblewrap\n" in done.stderr
    assert not machine.asked.exists()


def test_root_installs_what_is_missing_and_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path, uid=0)
    done = machine.setup("bubblewrap")
    assert (done.returncode, done.stdout) == (0, "installing missing system packages: bubblewrap\n")
    assert machine.asked.read_text(encoding="utf-8").splitlines()[-1].endswith(" bubblewrap")


def test_nothing_is_done_where_nothing_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, uid=0)
    machine.program("bwrap", "exit 0")
    done = machine.setup("bubblewrap")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not machine.asked.exists()


def test_a_missing_python_is_named_with_its_venv(tmp_path: Path) -> None:
    done = Machine(tmp_path, uid=1000).setup("python", PYTHON="no-such-python")
    assert done.returncode == 1
    assert "missing system packages: python3 python3-venv" in done.stderr


@pytest.mark.parametrize("target", LATER)
def test_targets_of_later_say_so_and_fail(target: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", target], cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"make {target} is not built yet" in done.stderr
