"""Features: network, mounts, isolation and environments; offered and real, or refused."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.errors import EngineUnavailable, InvalidSpec, NotFound, Unsupported
from sandlot.contracts.spec import Isolation, Mount, Network, SandboxSpec
from sandlot.testing.suite import Suite, collect, python, shell


@contextmanager
def listening() -> Iterator[int]:
    """A TCP port of the host's loopback that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def _connect(port: int) -> str:
    return f"""
import socket
try:
    socket.create_connection(('127.0.0.1', {port}), 2).close()
    print('connected')
except OSError as error:
    print('refused', error)
"""


class FeatureTests(Suite):
    """Every feature flag, both ways."""

    @pytest.mark.parametrize("feature", [f for f in Feature if f.value], ids=lambda f: str(f.name).lower())
    async def test_a_box_announces_what_the_probe_did(self, feature: Feature) -> None:
        box = await self.bench.shared_box()
        assert (feature in box.features) == self.offers(feature)
        if not self.offers(feature):
            with pytest.raises(Unsupported, match=str(feature.name).lower()):
                require(feature, box.features, engine=self.engine_name)

    async def test_without_a_network_nothing_is_reached(self) -> None:
        with listening() as port:
            result = await self.run(python(_connect(port)))
        assert result.text.startswith("refused")

    async def test_no_network_is_said_to_hold(self) -> None:
        box = await self.bench.shared_box()
        assert {"network", "namespaces", "seccomp"} & set(box.enforced)

    async def test_full_network_reaches_the_host_or_is_refused(self) -> None:
        spec = SandboxSpec(network=Network.FULL)
        if not self.offers(Feature.NETWORK_FULL):
            assert await self.refuses(spec)
            return
        with listening() as port:
            async with self.box(spec) as box:
                assert (await collect(box, python(_connect(port)))).stdout == b"connected\n"
                assert "network" not in box.enforced

    async def test_pairs_of_sockets_always_work(self) -> None:
        code = "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))"
        assert (await self.run(python(code))).stdout == b"b'x'\n"

    async def test_asyncio_works(self) -> None:
        code = (
            "import asyncio\nasync def main():\n  await asyncio.sleep(0); print('done')\nasyncio.run(main())"
        )
        assert (await self.run(python(code))).stdout == b"done\n"

    @pytest.mark.parametrize("writable", [False, True], ids=["read-only", "writable"])
    async def test_a_mount_is_shown_as_asked_or_refused(self, writable: bool) -> None:
        with tempfile.TemporaryDirectory(prefix="mount-") as name:
            _open_to_all(Path(name))
            mount = Mount(name, PurePosixPath("/mnt/given"), writable=writable)
            spec = SandboxSpec(mounts=(mount,))
            if not self.offers(Feature.MOUNTS):
                assert await self.refuses(spec)
                return
            async with self.box(spec) as box:
                result = await collect(box, shell("cat /mnt/given/file; echo new > /mnt/given/written"))
            assert result.text == "of the host"
            assert (Path(name) / "written").exists() == writable
            assert result.ok == writable

    async def test_a_mount_that_would_hide_the_box_is_refused(self) -> None:
        for target in ("/", "/workspace", "/usr/lib", "/proc", "/mnt/../etc"):
            spec = SandboxSpec(mounts=(Mount("/tmp", PurePosixPath(target)),))
            with pytest.raises((InvalidSpec, Unsupported)):
                await self.engine.create(spec)

    @pytest.mark.parametrize("level", list(Isolation), ids=lambda level: level.name.lower())
    async def test_more_isolation_than_promised_is_refused(self, level: Isolation) -> None:
        spec = SandboxSpec(isolation=level)
        reached = self.viability.isolation
        if level > reached:
            assert await self.refuses(spec), (
                f"{level.name} was asked of an engine that reaches {reached.name}"
            )
            return
        async with self.box(spec) as box:
            assert box.isolation >= level

    async def test_an_unknown_environment_is_refused(self) -> None:
        with pytest.raises((NotFound, InvalidSpec, EngineUnavailable)):
            await self.engine.create(SandboxSpec(environment="no-such-environment"))

    async def test_two_boxes_know_nothing_of_each_other(self) -> None:
        async with self.box() as one, self.box() as two:
            await collect(one, shell('echo secret > mark; echo secret > "$TMPDIR/mark"'))
            result = await collect(two, shell('ls -A; ls -A "$TMPDIR"'))
            assert "mark" not in result.text

    async def test_a_sweep_takes_nothing_that_lives(self) -> None:
        async with self.box() as box:
            await self.engine.sweep()
            assert (await collect(box, shell("echo lives"))).stdout == b"lives\n"

    async def test_a_closed_engine_ends_its_boxes_and_makes_no_more(self) -> None:
        engine = self.new_engine(frozenset())
        box = await engine.create(SandboxSpec())
        await engine.close()
        await engine.close()
        end = [event async for event in box.run(shell("echo lives"))]
        assert not any(getattr(event, "data", b"") == b"lives\n" for event in end)
        with pytest.raises(EngineUnavailable):
            await engine.create(SandboxSpec())


def _open_to_all(directory: Path) -> None:
    directory.chmod(0o777)
    (directory / "file").write_text("of the host")
    os.chmod(directory / "file", 0o644)
