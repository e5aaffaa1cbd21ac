"""Unmodified clients of Jupyter's kernel gateway run their kernels in `sandlot serve`."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from sandlot.testing.servers import RunningServer, running_server
from tests.e2e.jupyter import told
from tests.e2e.original import clean_variables
from tests.unit.native.calls import until

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(180)]

_IPYBOX = """
import asyncio, sys
from ipybox.executor import ExecutionClient, ExecutionError

PICTURE = '''
import base64
class Dot:
    def _repr_png_(self):
        return base64.b64decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        )
Dot()
'''

async def main():
    host, port = sys.argv[1:]
    async with ExecutionClient(port=int(port), host=host) as client:
        found = [(await client.execute("print('x')")).text for _ in range(300)]
        print(found.count("x"))
        print([image.size for image in (await client.execute(PICTURE)).images])
        try:
            await client.execute("kept = 7\\nwhile True: pass", timeout=1)
        except asyncio.TimeoutError:
            print((await client.execute("kept")).text)
        try:
            await client.execute("def f():\\n    1 / 0\\nf()")
        except ExecutionError as error:
            print(error, "f()" in error.trace)
        print((await client.execute("pass")).text)
        going = await client.submit("import time\\nfor i in range(3): print(i, flush=True); time.sleep(.2)")
        print(len([chunk async for chunk in going.stream()]) >= 3, (await going.result()).text.split())

asyncio.run(main())
"""

_GATEWAY = """
import asyncio, sys
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelSpecManager, GatewayMappingKernelManager

async def told(client, code):
    asked = client.execute(code)
    reply, words = await client.get_shell_msg(timeout=20), []
    assert reply["parent_header"]["msg_id"] == asked
    while True:
        message = await client.get_iopub_msg(timeout=20)
        if message["parent_header"].get("msg_id") == asked:
            content = message["content"]
            if content.get("execution_state") == "idle":
                return reply["content"]["status"], "".join(words)
            words.append(content.get("text", "") + content.get("data", {}).get("text/plain", ""))

async def main():
    GatewayClient.instance().url = sys.argv[1]
    GatewayClient.instance().init_connection_args()
    spec = await GatewayKernelSpecManager().get_kernel_spec("python3")
    print(spec["spec"]["language"])
    manager = GatewayMappingKernelManager()
    name = await manager.start_kernel(kernel_name="python3", env={"KERNEL_MARK": "seen"})
    client = manager.get_kernel(name).client()
    await client.start_channels()
    await client.wait_for_ready(timeout=20)
    print(*await told(client, "import os; x = 5; print(1); os.environ['KERNEL_MARK']"))
    client.execute("while True: pass")
    while (await client.get_iopub_msg(timeout=20))["msg_type"] != "execute_input":
        pass
    await manager.interrupt_kernel(name)
    print((await client.get_shell_msg(timeout=20))["content"]["ename"])
    print(*await told(client, "x"))
    await manager.restart_kernel(name)
    print((await told(client, "x"))[0])
    print([each["id"] == name for each in await manager.list_kernels()])
    client.stop_channels()
    await manager.shutdown_kernel(name)
    print(await manager.list_kernels())

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def test_the_client_of_ipybox_loses_nothing(
    jupyter_clients: Path, server: RunningServer, tmp_path: Path
) -> None:
    place = urlsplit(server.url)
    lines = told(jupyter_clients, _IPYBOX, str(place.hostname), str(place.port), folder=tmp_path)
    assert lines == [
        "300",
        "[(1, 1)]",
        "7",
        "ZeroDivisionError: division by zero True",
        "None",
        "True ['0', '1', '2']",
    ]


def test_the_gateway_client_of_the_notebook_server_runs_its_kernels_here(
    jupyter_clients: Path, server: RunningServer, tmp_path: Path
) -> None:
    lines = told(jupyter_clients, _GATEWAY, server.url, folder=tmp_path)
    assert lines == ["python", "ok 1", "'seen'", "KeyboardInterrupt", "ok 5", "error", "[True]", "[]"]


@contextmanager
def _notebook_server(python: Path, gateway: str, key: str, folder: Path) -> Iterator[str]:
    """The address of one that has its kernels from *gateway*, and lets in who knows the token `mine`."""
    command = [
        str(python.parent / "jupyter-server"),
        "--gateway-url",
        gateway,
        "--no-browser",
        "--allow-root",
    ]
    more = ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token=mine"]
    places = {"JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_DATA_DIR": str(folder)}
    process = subprocess.Popen(
        [*command, *more],
        cwd=folder,
        env={**clean_variables(), **places, "JUPYTER_GATEWAY_AUTH_TOKEN": key},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
        url = next(match[0] for match in found if match and match[0] != gateway)
        until(lambda: _answers(url))  # it says where before it listens
        yield url
    finally:
        process.terminate()
        process.communicate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/api", timeout=5).close()  # noqa: S310 - a server of this test
    except URLError:
        return False
    return True


def test_a_notebook_server_has_its_kernels_from_here(jupyter_clients: Path, tmp_path: Path) -> None:
    with (
        running_server() as server,
        _notebook_server(jupyter_clients, server.url, server.key("ada"), tmp_path) as url,
    ):
        known = {"Authorization": "token mine", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{url}/api/kernels", b'{"name": "python3"}', known)  # noqa: S310 - of this test
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - as above
            name = json.load(answer)["id"]
        place = f"{url.replace('http', 'ws', 1)}/api/kernels/{name}/channels?session_id=s"
        with connect(place, additional_headers=known) as socket:
            header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": ""}
            content = {"code": "import os; print(os.getcwd())"}
            parts = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
            socket.send(json.dumps({"channel": "shell", **parts}))
            heard = [json.loads(socket.recv(timeout=30))]
            while heard[-1]["msg_type"] != "execute_reply":
                heard.append(json.loads(socket.recv(timeout=30)))
    assert "".join(each["content"].get("text", "") for each in heard) == "/workspace\n"
