"""What may not be asked over HTTP, whoever asks (pure)."""

from __future__ import annotations

import ipaddress
import os

from sandlot.contracts.errors import Forbidden
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.engines.registry import ALONE
from sandlot.settings import Settings

PROCESS = "process"


def admit(spec: SandboxSpec, settings: Settings, uid: int | None = None) -> SandboxSpec:
    """*spec* itself when it may be asked over HTTP of a server that runs as *uid* (by default ours).

    What *spec* leaves open counts as *settings* have it. Raises Forbidden for the engine `process` and its
    level unless the operator allowed them (a program there shares the server's uid, so it could read the
    server's keys), for an engine that shows another server the operator's key unless he chose it, for the
    host's network unless the operator allowed it and where its programs would pass as callers without a key,
    and for what only local callers may ask: mounts of the host and workspaces by name.
    """
    if spec.mounts or spec.workspace is not None:
        raise Forbidden("mounts and kept workspaces are not given over HTTP: upload the files instead")
    preferred = settings.engine if spec.isolation is None else None
    engine, floor = spec.engine or preferred, spec.isolation or settings.isolation
    is_unwalled = engine == PROCESS or (engine is None and floor is Isolation.PROCESS)
    if is_unwalled and not settings.allow_process:
        raise Forbidden(
            "the engine 'process' shares the server's user, so it is not given over HTTP: use another "
            "engine, or start the server with --allow-process"
        )
    if engine in ALONE and engine != settings.engine:
        raise Forbidden(
            f"the engine {engine!r} would use this server's own key at another one: call that one yourself, "
            f"or start the server with SANDLOT_ENGINE={engine}"
        )
    if spec.network is Network.FULL and not settings.allow_network:
        raise Forbidden(
            "this host's network is not given over HTTP, for programs there reach all that listens on it: "
            "leave network out, or start the server with --allow-network"
        )
    if spec.network is Network.FULL and _passes_as_ours(settings, os.geteuid() if uid is None else uid):
        raise Forbidden(
            "a program on this machine's network could call this server as its own user, who needs no key: "
            "start the server with --auth keys, or at --unix PATH"
        )
    return spec


def _passes_as_ours(settings: Settings, uid: int) -> bool:
    """Whether a program of a box that has the host's network is a keyless caller's equal.

    A server that is not root has no other uid to give to its boxes, so peers cannot tell the two apart.
    """
    return uid != 0 and settings.unix is None and settings.auth != "keys" and _is_loopback(settings.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a name: nobody knows yet
