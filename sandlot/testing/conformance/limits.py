"""Limits: what is asked is enforced, measurably, or refused with Unsupported; never approximated."""

from __future__ import annotations

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.events import Reason
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Limits, SandboxSpec
from sandlot.testing.suite import Suite, collect, python, shell

_MIB = 2**20
_LIMITS = {
    Feature.LIMIT_MEMORY: Limits(memory=Bytes(128 * _MIB), disk=None),
    Feature.LIMIT_CPU: Limits(cpu=Cores(0.5)),
    Feature.LIMIT_PIDS: Limits(pids=32),
    Feature.LIMIT_DISK: Limits(disk=Bytes(16 * _MIB)),
    Feature.LIMIT_INODES: Limits(inodes=200),
}


class LimitTests(Suite):
    """Each limit, both ways."""

    @pytest.mark.parametrize("feature", _LIMITS, ids=lambda feature: str(feature.name).lower())
    async def test_a_limit_asked_is_accepted_and_listed_or_refused(self, feature: Feature) -> None:
        spec = SandboxSpec(limits=_LIMITS[feature])
        if not self.offers(feature):
            assert await self.refuses(spec), f"{feature.name} is not offered, was asked, and a box was made"
            return
        async with self.box(spec) as box:
            (asked,) = spec.limits.asked()
            listed = {"memory": "cgroup.memory", "cpu": "cgroup.cpu"}.get(asked, asked)
            assert any(listed in name or asked in name for name in box.enforced) or asked == "pids", (
                box.enforced
            )

    async def _limited(self, feature: Feature, code: str, seconds: float = 15) -> Result:
        if not self.offers(feature):
            pytest.skip(f"engine {self.engine_name} refuses {feature.name} here, which is tested")
        async with self.box(SandboxSpec(limits=_LIMITS[feature])) as box:
            result = await collect(box, python(code, timeout=Seconds(seconds)))
            if feature is not Feature.LIMIT_MEMORY:
                assert (await collect(box, shell("echo well"))).stdout == b"well\n", "the box lives on"
            return result

    async def test_memory_is_enforced(self) -> None:
        result = await self._limited(Feature.LIMIT_MEMORY, "x = bytearray(400_000_000); print('got it')")
        assert b"got it" not in result.stdout
        assert result.reason is Reason.OUT_OF_MEMORY or b"MemoryError" in result.stderr
        assert result.exit_code in (137, 1)

    async def test_memory_below_the_limit_is_there(self) -> None:
        result = await self._limited(Feature.LIMIT_MEMORY, "x = bytearray(40_000_000); print('got it')")
        assert result.stdout == b"got it\n"

    async def test_cpu_is_enforced(self) -> None:
        code = """
import time, resource
end = time.monotonic() + 1.0
while time.monotonic() < end: pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""
        result = await self._limited(Feature.LIMIT_CPU, code)
        assert 0.05 < float(result.text) < 0.75

    async def test_pids_are_enforced(self) -> None:
        code = """
import os, signal
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if child == 0: signal.pause()
        children.append(child)
except BlockingIOError: pass
for child in children: os.kill(child, 9)
print(len(children))
"""
        result = await self._limited(Feature.LIMIT_PIDS, code)
        assert 1 <= int(result.text) <= 32

    async def test_disk_is_enforced(self) -> None:
        code = """
import errno
try:
    with open('file', 'wb') as file:
        for n in range(64): file.write(bytes(2**20))
except OSError as error: print(errno.errorcode[error.errno])
"""
        assert (await self._limited(Feature.LIMIT_DISK, code)).stdout in (b"ENOSPC\n", b"EDQUOT\n")

    async def test_inodes_are_enforced(self) -> None:
        code = """
import errno
n = 0
try:
    for n in range(1000): open(f'f{n}', 'w').close()
except OSError as error: print(errno.errorcode[error.errno], n)
"""
        word, count = (await self._limited(Feature.LIMIT_INODES, code)).text.split()
        assert word in ("ENOSPC", "EDQUOT")
        assert int(count) <= 200

    async def test_open_files_are_enforced(self) -> None:
        code = """
import os
opened = []
try:
    while len(opened) < 1000: opened.append(os.dup(0))
except OSError: pass
for descriptor in opened: os.close(descriptor)
print(len(opened))
"""
        async with self.box(SandboxSpec(limits=Limits(open_files=64))) as box:
            assert int((await collect(box, python(code))).text) < 64

    async def test_the_sandboxs_output_limit_holds(self) -> None:
        async with self.box(SandboxSpec(limits=Limits(output=Bytes(5000)))) as box:
            result = await collect(box, shell("head -c 9000 /dev/zero"))
        assert (len(result.stdout), result.stdout_truncated) == (5000, True)

    async def test_defaults_hold_where_they_can(self) -> None:
        async with self.box() as box:
            result = await collect(
                box, python("import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])")
            )
        assert int(result.text) <= 1024
