"""A place of their own for Jupyter's clients, with our kernels installed as `sandlot jupyter` does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from sandlot.compat.jupyter import kernelspec
from sandlot.compat.jupyter.wishes import Wishes
from sandlot.contracts.errors import SandlotError
from sandlot.environments import registry

ENVIRONMENT = "default"
PATIENCE = 20.0


@contextlib.contextmanager
def installed(folder: Path, **wishes: Any) -> Iterator[None]:
    """The kernel `sandlot` is installed with *wishes*, below *folder*; clients of this process find it."""
    try:
        registry.get(ENVIRONMENT)
    except SandlotError as error:
        pytest.skip(f"{error}; `make run` builds it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        for name in ("DATA", "RUNTIME", "CONFIG"):
            patch.setenv(f"JUPYTER_{name}_DIR", str(folder / name.lower()))
        install("sandlot", **wishes)
        yield


def install(name: str, **wishes: Any) -> Path:
    """Install one more kernel; its directory."""
    return Path(kernelspec.install(Wishes(**wishes), name, f"{name} of a test").directory)


def rewrite(directory: Path, **fields: Any) -> None:
    """Change what the kernelspec in *directory* says."""
    path = directory / "kernel.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


class Talk:
    """A kernel and a blocking client of it."""

    def __init__(self, manager: KernelManager) -> None:
        """Of a manager that has started."""
        self.manager = manager
        self.client: BlockingKernelClient = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code: str, **asked: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The content of the reply, and the messages that came before it."""
        heard: list[dict[str, Any]] = []
        asked = {"allow_stdin": False, **asked}
        reply = self.client.execute_interactive(code, output_hook=heard.append, timeout=PATIENCE, **asked)
        return reply["content"], heard

    def printed(self, code: str, **asked: Any) -> str:
        """What *code* writes."""
        reply, heard = self.run(code, **asked)
        assert reply["status"] == "ok", reply
        return "".join(each["content"]["text"] for each in heard if each["msg_type"] == "stream")

    def begin(self, code: str) -> str:
        """Send a cell and wait until it runs; the id of the request."""
        asked = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "execute_input" and message["parent_header"]["msg_id"] == asked:
                return str(asked)

    def reply(self, asked: str) -> dict[str, Any]:
        """The content of the reply to *asked*."""
        while True:
            message = self.client.get_shell_msg(timeout=PATIENCE)
            if message["parent_header"]["msg_id"] == asked:
                return dict(message["content"])


@contextlib.contextmanager
def talking(name: str = "sandlot", **asked: Any) -> Iterator[Talk]:
    """A kernel that is started, and ended with the block."""
    manager = KernelManager(kernel_name=name)
    manager.start_kernel(**asked)
    try:
        talk = Talk(manager)
        try:
            yield talk
        finally:
            talk.client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
