"""What of a spec is asked of a backend, what is refused before, and what is checked afterwards (pure)."""

from __future__ import annotations

from dataclasses import replace

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.errors import EngineUnavailable, SandlotError, StartFailed, Unsupported
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.engines.grants import grant, wanted
from sandlot.environments.environment import SYSTEM

NAME = "remote"

LEASE = Seconds(60.0)
"""The lease of a sandbox for which nothing was asked: what a crashed holder leaves is gone that soon."""

UNPROVEN = Feature.NETWORK_FULL
"""What a backend that proves nothing can do: leave the network as it is."""

_LEAST_LEASE = Seconds(3.0)  # three renewals, one a second
_WHY = "its backend proves nothing, so nothing can be promised there: use a sandlot server"


def lease_of(spec: SandboxSpec) -> Seconds:
    """How long the backend keeps a sandbox for *spec* that its holder does not renew."""
    return LEASE if spec.ttl is None else max(spec.ttl, _LEAST_LEASE)


def of_server(spec: SandboxSpec) -> SandboxSpec:
    """What a sandlot server is asked for. Raises Unsupported for what lies on this machine.

    A floor of PROCESS is left out: it says that any level will do, and servers give more unless told to.
    """
    _refuse_this_machine(spec)
    return replace(
        spec,
        engine=None if spec.engine == NAME else spec.engine,
        isolation=None if spec.isolation is Isolation.PROCESS else spec.isolation,
        ttl=lease_of(spec),
    )


def check(spec: SandboxSpec, status: SandboxStatus) -> None:
    """Raise unless the sandbox that *status* tells of is what *spec* asks: a server's word is not enough."""
    if spec.isolation is not None and status.isolation < spec.isolation:
        raise StartFailed(
            f"the server made a sandbox of isolation {status.isolation.name.lower()}, below the "
            f"{spec.isolation.name.lower()} asked: use another server"
        )
    for feature in wanted(spec):
        require(feature, status.features, engine=NAME, hint="its server did not say that it holds")


def refusal(wanted: SandboxSpec, error: EngineUnavailable) -> SandlotError:
    """What to say when a server has no engine for *wanted*: without a floor none works there."""
    if wanted.isolation is None and wanted.engine is None:
        return error
    floor = wanted.engine or f"isolation {wanted.isolation.name.lower() if wanted.isolation else ''}"
    return Unsupported(f"the server of engine {NAME} has no {floor} to give: {error.message}")


def of_plain(spec: SandboxSpec) -> str | None:
    """The container image that a backend without proofs is asked for; None for its own choice.

    Raises Unsupported for all that it would have to prove: a network that is shut off, limits, isolation.
    """
    _refuse_this_machine(spec)
    if spec.network is not Network.FULL:
        raise Unsupported(f"engine {NAME} cannot shut the network off ({_WHY}) or say --net full")
    if spec.engine not in (None, NAME):
        raise Unsupported(f"engine {NAME} cannot choose {spec.engine} there ({_WHY})")
    if spec.limits.open_files is not None:
        raise Unsupported(f"engine {NAME} cannot limit open files ({_WHY})")
    grant(replace(spec, image=None), UNPROVEN, engine=NAME, isolation=Isolation.PROCESS, hint=_WHY)
    return spec.image or (None if spec.environment == SYSTEM else spec.environment)


def _refuse_this_machine(spec: SandboxSpec) -> None:
    mounts = Feature.MOUNTS if spec.mounts else Feature.NOTHING
    require(mounts, Feature.NOTHING, engine=NAME, hint="copy the files in")
    if spec.workspace is not None:
        raise Unsupported(f"engine {NAME} has no workspaces of this machine: copy the files in")
