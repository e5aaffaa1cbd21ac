"""Kernels as processes of their own, for clients that know no provisioners; and clients that just end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from jupyter_client.manager import KernelManager

from sandlot.testing.host_processes import descendants
from tests.e2e import notebooks
from tests.e2e.notebooks import talking
from tests.e2e.standing import kill, outliving, standing

pytestmark = pytest.mark.engine

# What a script does whose author forgot to shut the kernel down.
FORGETFUL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="sandlot")
client.execute_interactive("print('ran')", allow_stdin=False)
import os
from sandlot.testing.host_processes import descendants
print(*[each.pid for each in descendants(os.getpid())])
"""


APART = FORGETFUL.replace('sandlot")', 'apart")') + "os._exit(0)"
"""The same with a kernel that is a process, which nobody tells to end."""


@pytest.fixture(scope="module", autouse=True)
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with notebooks.installed(tmp_path_factory.mktemp("jupyter"), environment=notebooks.ENVIRONMENT):
        yield


def test_client_without_provisioners_starts_the_same_kernel_as_a_process() -> None:
    install_apart()
    with talking("apart") as apart:
        assert any("sandlot.cli.main" in each.words for each in descendants(os.getpid()))
        assert apart.printed("kept = 'kept'; print(1)") == "1\n"
        asked = apart.begin("while True: pass")
        apart.manager.interrupt_kernel()
        assert apart.reply(asked)["ename"] == "KeyboardInterrupt"
        assert apart.printed("print(kept)") == "kept\n"
        apart.manager.shutdown_kernel()
        assert not apart.manager.is_alive()
    assert not descendants(os.getpid())


def install_apart() -> None:
    """A kernel that clients without provisioners start."""
    notebooks.rewrite(notebooks.install("apart", environment=notebooks.ENVIRONMENT), metadata={})


@pytest.mark.parametrize("script", [FORGETFUL, APART], ids=["provisioner", "process"])
def test_a_client_that_ends_without_a_word_leaves_nothing(script: str) -> None:
    install_apart()
    client = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=30, check=True, text=True
    )
    ran, started = client.stdout.splitlines()
    assert ran == "ran"
    assert not outliving([int(pid) for pid in started.split()], 5)


def test_box_that_dies_is_told_and_the_next_start_makes_another() -> None:
    with talking() as boxed:
        asked = boxed.begin("while True: pass")
        boxes = standing("box")
        if not boxes:
            pytest.skip("boxes are told apart where the engine zygote made them")
        kill(boxes)
        assert "box" in boxed.reply(asked)["evalue"]
        boxed.manager.restart_kernel()
        assert boxed.printed("print(1)") == "1\n"


def test_everything_ends_with_the_last_kernel() -> None:
    with talking() as first, talking() as second:
        assert first.printed("print(1)") == second.printed("print(1)") == "1\n"
        assert descendants(os.getpid())
    assert not descendants(os.getpid())
    assert not [thread for thread in threading.enumerate() if thread.name == "sandlot"]


def test_a_kernel_that_cannot_start_leaves_nothing() -> None:
    notebooks.install("wrong", environment="nowhere")
    manager = KernelManager(kernel_name="wrong")
    with pytest.raises(Exception, match="nowhere"):
        manager.start_kernel()
    assert not manager.is_alive()
    assert not descendants(os.getpid())
    assert not [thread for thread in threading.enumerate() if thread.name == "sandlot"]
