"""What becomes of a size where the engine has no means to enforce it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from sandlot.contracts.errors import Unsupported
from sandlot.contracts.lease import Lease
from sandlot.contracts.service import SandboxStatus, Service
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.server.dialects.sandbox_runtime.sessions import made
from sandlot.server.dialects.sandbox_runtime.sizes import size_from


@dataclass
class Boundless:
    """Sandboxes in directories, of which nothing bounds the size."""

    asked: list[SandboxSpec] = field(default_factory=list)

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        self.asked.append(spec)
        if spec.limits.disk is not None:
            raise Unsupported("nothing bounds a workspace in a directory")
        return SandboxStatus(sandbox, "memory", Isolation.PROCESS, (), Lease(None, 0.0))


def make(service: Boundless, size: str | None) -> SandboxStatus:
    read = None if size is None else (size, size_from(size))
    return asyncio.run(made(cast("Service", service), "s", SandboxSpec(), read))


@pytest.mark.parametrize("size", [None, "50M", "100M"])
def test_what_clients_send_unasked_works_everywhere(size: str | None) -> None:
    service = Boundless()
    assert "disk" not in make(service, size).enforced
    assert service.asked[-1] == SandboxSpec()


@pytest.mark.parametrize("size", ["64M", "1G", "104857600"])
def test_what_somebody_chose_is_refused_and_never_dropped(size: str) -> None:
    with pytest.raises(Unsupported):
        make(Boundless(), size)
