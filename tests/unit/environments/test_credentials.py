"""What a package brings along does not run where pip's credentials and a network are."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.environments import steps
from sandlot.environments.build import Recipe, create
from sandlot.environments.environment import Environment
from sandlot.environments.installer import without_secrets
from sandlot.local.start import start
from sandlot.local.workshop import LocalWorkshop
from tests.unit.local.machine import data_directory, obstacle

SECRET = "hunter2-in-the-index-address"
SPY = (
    "import os, sys; open(sys.prefix + '/seen', 'a').write("
    "repr(sorted(os.environ.items())) + (open('/workspace/build/pip.conf').read() "
    "if os.path.exists('/workspace/build/pip.conf') else '') + '\\n')\n"
)


def _wheel(folder: Path) -> None:
    """A wheel whose .pth file runs at every start of an interpreter that reads site-packages."""
    files = {
        "spy.pth": SPY,
        "spy-1.data/scripts/python": "#!/usr/bin/python3\n" + SPY.replace("sys.prefix", "'/workspace/env'"),
        "spy-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: spy\nVersion: 1\n",
        "spy-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / "spy-1-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
            wheel.writestr(name, content)
        wheel.writestr("spy-1.dist-info/RECORD", record + "spy-1.dist-info/RECORD,,\n")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with data_directory() as place:
        monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(place))
        yield place


@pytest.mark.engine
@pytest.mark.skipif(os.getuid() != 0, reason="the index must lie outside /tmp, where only root can write")
@pytest.mark.timeout(120)
def test_an_installed_package_never_meets_the_credentials_of_the_index(data: Path) -> None:
    # Not below /tmp, which a box has of its own and no mount may hide.
    wheels = Path(tempfile.mkdtemp(dir="/srv", prefix="sandlot-test-"))
    wheels.chmod(0o755)
    _wheel(wheels)
    variables = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_INDEX_URL": f"https://someone:{SECRET}@index.invalid/simple",
    }

    async def work() -> Environment:
        service = start()
        try:
            recipe = Recipe("spied", packages=("spy",))
            return await create(recipe, LocalWorkshop(service), data=data, installer=variables)
        finally:
            await service.close()

    try:
        asyncio.run(work())
    finally:
        shutil.rmtree(wheels)
    seen = data / "environments" / "spied" / "tree" / "seen"
    assert not seen.exists(), seen.read_text()[:2000]


def test_only_pip_starts_an_interpreter_that_reads_what_was_installed() -> None:
    plan = steps.plan("/usr/bin/python3", ("numpy",), has_requirements=False, source=False)
    installing = next(at for at, step in enumerate(plan) if "pip" in step.argv)
    for step in plan[installing + 1 :]:
        assert step.argv[:3] == ("/usr/bin/python3", "-I", "-S"), step
        assert not step.is_pip


@pytest.mark.parametrize(
    "line",
    ["https://user:p@ss@host/simple", "pkg @ git+https://token@host/x", "a https://u:p@h/ b https://v:q@h/"],
)
def test_no_part_of_a_password_is_shown(line: str) -> None:
    shown = without_secrets(line)
    assert not any(word in shown for word in ("ss@", "user", "token", "u:p", "v:q")), shown
