"""What may not be asked over HTTP, whoever asks (pure)."""

from __future__ import annotations

from sandlot.contracts.errors import Forbidden
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.settings import Settings

PROCESS = "process"


def admit(spec: SandboxSpec, settings: Settings) -> SandboxSpec:
    """*spec* itself when it may be asked over HTTP.

    Raises Forbidden for the engine `process` and its level unless the operator allowed them (a program
    there shares the server's uid, so it could read the server's keys), and for what only local callers
    may ask: mounts of the host and workspaces by name.
    """
    if spec.mounts or spec.workspace is not None:
        raise Forbidden("mounts and kept workspaces are not given over HTTP: upload the files instead")
    is_unwalled = spec.engine == PROCESS or (spec.engine is None and spec.isolation is Isolation.PROCESS)
    if is_unwalled and not settings.allow_process:
        raise Forbidden(
            "the engine 'process' shares the server's user, so it is not given over HTTP: use another "
            "engine, or start the server with --allow-process"
        )
    return spec
