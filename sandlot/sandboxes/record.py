"""Record: everything that is remembered of one sandbox, and how it changes (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandlot.contracts.capability import Feature
from sandlot.contracts.engine import Box
from sandlot.contracts.lease import Ending, Lease, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import (
    Bounds,
    Isolation,
    KeptWorkspace,
    SandboxSpec,
    WorkspaceKind,
)


@dataclass(frozen=True, slots=True)
class Record:
    """One sandbox. An owner may use an `id` again once it has ended; `key` (128 random bits) is never reused.

    `spec` is what was settled when it was created; it has no workspace, that follows from `key` and `kind`.
    `engine` to `features` are those of its newest box.
    """

    owner: str
    id: str
    key: str
    spec: SandboxSpec
    lease: Lease
    created: float
    kind: WorkspaceKind = WorkspaceKind.MEMORY
    state: State = State.STOPPED
    ending: Ending | None = None
    engine: str = ""
    isolation: Isolation = Isolation.PROCESS
    enforced: tuple[str, ...] = ()
    features: Feature = Feature.NOTHING

    @property
    def is_durable(self) -> bool:
        """Whether the workspace outlives its box."""
        return self.kind is not WorkspaceKind.MEMORY

    @property
    def has_ended(self) -> bool:
        """Whether only the record is left."""
        return self.state is State.ENDED

    def box_spec(self, *, is_first: bool) -> SandboxSpec:
        """What an engine is asked for: the spec, on this sandbox's workspace, made with its first box."""
        if not self.is_durable:
            return self.spec
        blank = Bounds.of(self.spec.limits) if is_first else None
        return replace(self.spec, workspace=KeptWorkspace(self.key, self.kind, blank))

    def running(self, box: Box, since: float | None = None) -> Record:
        """With *box* up; *since* is when its lease begins with it."""
        return replace(
            self,
            state=State.RUNNING,
            lease=self.lease if since is None else self.lease.touched(since),
            ending=None,
            engine=box.engine,
            isolation=box.isolation,
            enforced=tuple(box.enforced),
            features=box.features,
        )

    def stopped(self, ending: Ending) -> Record:
        """With its box gone and its workspace kept."""
        return replace(self, state=State.STOPPED, ending=ending)

    def ended(self, ending: Ending) -> Record:
        """With nothing left; its variables, which may be secrets, are not remembered."""
        spec = replace(self.spec, env={}) if self.spec.env else self.spec
        return replace(self, state=State.ENDED, ending=ending, spec=spec)

    def claimed(self, now: float, ttl: Seconds | None) -> Record:
        """With its lease renewed at *now*, for *ttl* when one is given."""
        return replace(self, lease=self.lease.touched(now, ttl))

    def status(self) -> SandboxStatus:
        """It as its owner sees it."""
        return SandboxStatus(
            id=self.id,
            engine=self.engine,
            isolation=self.isolation,
            enforced=self.enforced,
            lease=self.lease,
            state=self.state,
            features=self.features,
            created=self.created,
            is_durable=self.is_durable,
            ending=self.ending,
        )
