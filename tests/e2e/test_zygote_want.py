"""E12, E15 and retirement: a zygote that cannot make another box for want of something, and its recovery."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandlot.contracts.errors import EngineUnavailable, StartFailed
from sandlot.contracts.spec import SandboxSpec
from sandlot.engines.zygote import terms
from sandlot.testing import leaks
from sandlot.testing.engines import make_engine
from sandlot.testing.host_processes import adopt_orphans
from sandlot.testing.suite import collect, shell
from tests.e2e.standing import standing

pytestmark = [
    pytest.mark.engine,
    pytest.mark.faults,
    pytest.mark.needs_engine("zygote"),
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may take something from a zygote"),
]

_WANTS = ("processes", "network namespaces", "pid namespaces", "mount namespaces", "user namespaces")


@pytest.mark.parametrize("want", _WANTS)
def test_a_box_that_cannot_have_all_of_its_walls_is_not_made_and_the_next_one_is(want: str) -> None:
    async def scenario() -> None:
        adopt_orphans()
        before = leaks.snapshot()
        engine = make_engine("zygote")
        try:
            first = await engine.create(SandboxSpec())
            with _lacking(want):
                for _ in range(3):
                    with pytest.raises((StartFailed, EngineUnavailable)):
                        await engine.create(SandboxSpec())
                assert (await collect(first, shell("echo well"))).stdout == b"well\n"
            began = time.monotonic()
            second = await engine.create(SandboxSpec())
            assert time.monotonic() - began < 1
            assert (await collect(second, shell("echo well"))).stdout == b"well\n"
        finally:
            await engine.close()
        assert leaks.difference(before, await leaks.settled(before)) == ()

    asyncio.run(scenario())


def test_a_zygote_that_retires_is_followed_by_another_and_nobody_notices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terms, "MOST_BOXES", 4)

    async def scenario() -> None:
        engine = make_engine("zygote")
        try:
            zygotes: set[int] = set()
            for _ in range(4):
                began = time.monotonic()
                boxes = await asyncio.gather(*(engine.create(SandboxSpec()) for _ in range(3)))
                zygotes.update(standing("zygote"))
                for box in boxes:
                    assert (await collect(box, shell("echo well"))).stdout == b"well\n"
                    await box.close()
                # Five that live less than a second are taken for a fault.
                await asyncio.sleep(max(0.0, 1.1 - (time.monotonic() - began)))
            assert len(zygotes) > 1
        finally:
            await engine.close()

    asyncio.run(scenario())


@contextmanager
def _lacking(want: str) -> Iterator[None]:
    (zygote,) = standing("zygote")
    if want == "processes":
        _, most = limits = resource.prlimit(zygote, resource.RLIMIT_NPROC)
        resource.prlimit(zygote, resource.RLIMIT_NPROC, (0, most))
        try:
            yield
        finally:
            resource.prlimit(zygote, resource.RLIMIT_NPROC, limits)
        return
    kind = want.partition(" ")[0]
    name = {"network": "net", "mount": "mnt"}.get(kind, kind)
    # Counted in the zygote's own user namespace (namespaces(7)), so nobody else is concerned.
    usual = _limit(zygote, name)
    _limit(zygote, name, "0")
    try:
        yield
    finally:
        _limit(zygote, name, usual)


def _limit(zygote: int, name: str, value: str = "") -> str:
    path = f"/proc/sys/user/max_{name}_namespaces"
    line = f"echo {value} > {path}" if value else f"cat {path}"
    command = ["nsenter", f"--target={zygote}", "--user", "sh", "-c", line]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
