"""ipybox 0.6.7 beside sandlot.compat.ipybox: the same signatures, and its client works in our container."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat import ipybox
from sandlot.compat.ipybox import executor
from sandlot.contracts.errors import SandlotError
from sandlot.environments import registry
from tests.e2e.jupyter import told

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(180)]

_CLIENT = """
import asyncio, sys
from ipybox import ExecutionClient, ExecutionError

async def main():
    async with ExecutionClient(port=int(sys.argv[1])) as client:
        print([(await client.execute("print('x')")).text for _ in range(100)].count("x"))
        print((await client.execute("import os, sys; print(os.environ['MARK'], sys.path[-1])")).text)
        await client.execute("open('/app/from_the_original.txt', 'w').write('hi')")
        try:
            await client.execute("1 / 0")
        except ExecutionError as error:
            print(error)

asyncio.run(main())
"""

_SIGNATURES = """
import inspect, json
import ipybox
from ipybox import executor

def told(function):
    found = inspect.signature(function).parameters.values()
    return [[each.name, repr(each.default) if each.default is not each.empty else None] for each in found]

names = json.loads(input_names)
found = {name: told(eval(name)) for name in names}
print(json.dumps([found, ipybox.DEFAULT_TAG]))
"""

_NAMES = [
    *("ipybox.arun", "executor.ExecutionError.__init__", "executor.ExecutionResult.__init__"),
    *(f"ipybox.ExecutionContainer.{name}" for name in ("__init__", "run", "kill", "init_firewall")),
    *(
        f"ipybox.ExecutionClient.{name}"
        for name in ("__init__", "connect", "disconnect", "execute", "submit")
    ),
    *(f"ipybox.Execution.{name}" for name in ("result", "stream")),
]


def _parameters(name: str) -> list[list[Any]]:
    place: Any = {"ipybox": ipybox, "executor": executor}[name.split(".", maxsplit=1)[0]]
    for part in name.split(".")[1:]:
        place = getattr(place, part)
    found = inspect.signature(place).parameters.values()
    return [[each.name, repr(each.default) if each.default is not each.empty else None] for each in found]


@pytest.fixture(scope="module")
def container() -> Iterator[ipybox.ExecutionContainer]:
    """In the environment `default`, with IPython."""
    try:
        registry.get("default")
    except SandlotError as error:
        pytest.skip(f"{error.message}; `make run` builds it")
    found = ipybox.ExecutionContainer(env={"MARK": "seen"})
    asyncio.run(found.run())
    yield found
    asyncio.run(found.kill())


def test_signatures_are_those_of_the_original(jupyter_clients: Path, tmp_path: Path) -> None:
    program = f"input_names = {json.dumps(_NAMES)!r}\n{_SIGNATURES}"
    (line,) = told(jupyter_clients, program, folder=tmp_path)
    original, tag = json.loads(line)
    assert tag == ipybox.DEFAULT_TAG
    ours = {name: _parameters(name) for name in _NAMES}
    numbers = {"120.0": "120"}
    plain = {
        name: [[each, numbers.get(default, default)] for each, default in found]
        for name, found in ours.items()
    }
    assert plain == original


def test_the_original_client_works_in_our_container(
    jupyter_clients: Path, container: ipybox.ExecutionContainer, tmp_path: Path
) -> None:
    port = str(container.executor_port)
    lines = told(jupyter_clients, _CLIENT, port, folder=tmp_path)
    assert lines == ["100", "seen /app", "ZeroDivisionError: division by zero"]


def test_our_client_has_ipython_and_pictures(container: ipybox.ExecutionContainer, tmp_path: Path) -> None:
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"

    async def scene() -> None:
        async with ipybox.ExecutionClient(container.executor_port) as client:
            assert (await client.execute("!echo $MARK")).text == "seen"
            (image,) = (await client.execute(plot)).images
            assert image.width > 300
        at = {"kernel_gateway_host": "127.0.0.1", "kernel_gateway_port": container.executor_port}
        async with ipybox.CodeExecutor(**at, images_dir=tmp_path / "images") as code:  # type: ignore[arg-type]
            (path,) = (await code.execute(plot)).images
            assert path.read_bytes().startswith(b"\x89PNG")
            with pytest.raises(ipybox.CodeExecutionError) as caught:
                await code.execute("1 / 0")
            assert "\x1b" not in str(caught.value)
            assert "ZeroDivisionError: division by zero\n" in str(caught.value)

    asyncio.run(scene())
