"""ExecutionContainer: a real sandbox, seen by its ports, its binds and what is left of it."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.compat.ipybox import DEFAULT_TAG, ExecutionClient, ExecutionContainer, ExecutionError, arun
from sandlot.compat.ipybox.binds import target_of
from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound
from sandlot.testing import leaks

pytestmark = [pytest.mark.engine, pytest.mark.timeout(90)]
Asked = tuple[int, object]


@pytest.fixture(scope="module")
def container(place: Path) -> Iterator[ExecutionContainer]:
    """One for all tests of this module; their event loops come and go."""
    del place
    found = ExecutionContainer(env={"GREETING": "hello"})
    asyncio.run(found.run())
    yield found
    asyncio.run(found.kill())


def asked(port: int, path: str, method: str = "GET", **headers: str) -> Asked:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the URL is written above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def text_of(port: int, *codes: str) -> list[str | None]:
    async def scene() -> list[str | None]:
        async with ExecutionClient(port) as client:
            return [(await client.execute(code)).text for code in codes]

    return asyncio.run(scene())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_kernels_of_one_container_share_its_files_and_not_their_state(container: ExecutionContainer) -> None:
    port = container.executor_port
    assert text_of(port, "x = 5\nopen('/app/shared.txt', 'w').write('seen')", "print(x)")[1] == "5"
    with pytest.raises(ExecutionError, match="NameError"):
        text_of(port, "x")
    code = "import os, sys\nprint(open('shared.txt').read(), os.environ['GREETING'], sys.path[-1])"
    assert text_of(port, code) == ["seen hello /app"]


def test_no_output_is_lost(container: ExecutionContainer) -> None:
    assert text_of(container.executor_port, *["print('x')"] * 300) == ["x"] * 300


def test_a_timeout_keeps_the_state_and_a_death_does_not_hang(container: ExecutionContainer) -> None:
    async def scene() -> None:
        async with ExecutionClient(container.executor_port) as client:
            await client.execute("x = 7")
            with pytest.raises(asyncio.TimeoutError):
                await client.execute("while True: pass", timeout=0.2)
            assert (await client.execute("print(x)")).text == "7"
            failing, next_one = await client.submit("1 / 0"), await client.submit("print(x)")
            with pytest.raises(ExecutionError, match="ZeroDivisionError"):
                await failing.result()
            assert (await next_one.result()).text == "7"
            with pytest.raises(ExecutionError, match=r"KernelDied.*exit code 3"):
                await client.execute("import os; os._exit(3)")
            told = await client.execute("import sys; print(sys.path[-1], 'x' in globals())")
            assert told.text == "/app False"

    asyncio.run(scene())


def test_only_kernels_are_served_and_only_to_loopbacks_names(container: ExecutionContainer) -> None:
    port = container.executor_port
    assert asked(port, "/api/kernels") == (200, [])
    for path in ("/v1/sandboxes", "/healthz", "/metrics", "/workspace/se/v2/execute_code"):
        assert asked(port, path)[0] == 404
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert asked(port, "/api/kernels", "POST", **headers)[0] == 403


def test_the_resource_server_is_told_to_be_missing(container: ExecutionContainer) -> None:
    port = container.resource_port
    assert asked(port, "/status") == asked(port, "/status/") == (200, {"status": "ok"})
    for method, path in (("GET", "/files/x"), ("PUT", "/mcp/a/b"), ("POST", "/directories/x"), ("GET", "/")):
        status, told = asked(port, path, method)
        assert status == 501
        assert isinstance(told, dict)
        assert "binds" in told["detail"]
    status, told = asked(port, "/status", Host="evil.example")
    assert status == 403
    assert isinstance(told, dict)
    assert list(told) == ["detail"]


def test_a_firewall_is_refused(container: ExecutionContainer) -> None:
    with pytest.raises(RuntimeError, match=r"^Failed to initialize firewall: .*no network"):
        asyncio.run(container.init_firewall(["example.com"]))
    with pytest.raises(RuntimeError, match=r"^Container not running$"):
        asyncio.run(ExecutionContainer().init_firewall())


def test_what_never_ran_has_no_ports_and_can_be_killed() -> None:
    idle = ExecutionContainer(resource_port=8900)
    asyncio.run(idle.kill())
    assert (idle.tag, idle.resource_port) == (DEFAULT_TAG, 8900)
    with pytest.raises(RuntimeError, match=r"^Container not running$"):
        _ = idle.executor_port


def test_directories_of_the_host_are_shared_and_nothing_is_left(place: Path) -> None:
    shared = place / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    (shared / "in.txt").write_text("from the host")
    binds = {str(shared): "data/in", str(place / "made" / "here"): "/out"}
    ports = free_port(), free_port()

    async def scene() -> None:
        before = leaks.snapshot()
        async with ExecutionContainer(DEFAULT_TAG + ":latest", binds, None, *ports) as container:
            assert (container.executor_port, container.resource_port) == ports
            with pytest.raises(RuntimeError, match="kill it"):
                await container.run()
            with pytest.raises(Conflict, match=f"port {ports[0]} "):
                await ExecutionContainer(executor_port=ports[0]).run()
            code = "print(open('/app/data/in/in.txt').read()); open('/app/out/x', 'w').write('from the box')"
            assert await arun(text_of, ports[0], code) == ["from the host\n12"]
        await container.kill()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", ports[0])
        assert not leaks.difference(before, await leaks.settled(before))

    asyncio.run(scene())
    assert (place / "made" / "here" / "x").read_text() == "from the box"


@pytest.mark.parametrize("target", ["", "/", ".", "../etc", "a/../../b"])
def test_a_bind_stands_below_app(target: str) -> None:
    with pytest.raises(InvalidSpec, match="below /app"):
        target_of(target)
    assert str(target_of("/a//b")) == "/workspace/a/b"


def test_an_image_means_an_environment_or_is_refused(place: Path) -> None:
    del place
    with pytest.raises(NotFound, match="sandlot env create science"):
        asyncio.run(ExecutionContainer("science").run())
    with pytest.raises(InvalidSpec, match="Images of Docker are not read"):
        asyncio.run(ExecutionContainer("ghcr.io/me/mine:1").run())
