"""ExecutionContainer of ipybox 0.6: here a sandbox of this machine, without Docker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.spec import Isolation, Mount, Network, SandboxSpec

from .binds import mounts_of
from .threads import arun

if TYPE_CHECKING:
    from .serving import Ports, Serving

DEFAULT_TAG: Final = "ghcr.io/gradion-ai/ipybox"
"""The image whose place the usual environment of this machine takes."""

_NO_FIREWALL: Final = (
    "Failed to initialize firewall: a list of allowed domains cannot be enforced yet. This container has no "
    "network at all, which is narrower than any list: leave the call out where that will do"
)


class ExecutionContainer:
    """A sandbox without a network, whose workspace is called /app, behind two ports of loopback.

    At `executor_port` kernels are made in it, at `resource_port` there is nothing but /status yet.
    Callers must be of the same user, or root.
    """

    def __init__(
        self,
        tag: str = DEFAULT_TAG,
        binds: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        executor_port: int | None = None,
        resource_port: int | None = None,
        port_allocation_timeout: float = 10,
        show_pull_progress: bool = True,
    ) -> None:
        """Nothing is started yet.

        *tag* names an environment: by the setting `images`, or itself. *binds* map directories of the host to
        places below /app, *env* are variables of its kernels. Ports that are not given are free ones.
        They are had at once, and no image is pulled: *port_allocation_timeout* and *show_pull_progress*
        change nothing.
        """
        self.tag = tag
        self.binds, self.env = dict(binds or {}), dict(env or {})
        self.show_pull_progress = show_pull_progress
        del port_allocation_timeout
        self._wanted = (executor_port or None, resource_port or None)
        self._serving: Serving | None = None
        self._ports: Ports | None = None

    async def __aenter__(self) -> Self:
        await self.run()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def executor_port(self) -> int:
        """Where ExecutionClient connects. Raises RuntimeError when it was not given and nothing runs."""
        return self._port(0)

    @property
    def resource_port(self) -> int:
        """Where ResourceClient will connect. Raises RuntimeError when it was not given and nothing runs."""
        return self._port(1)

    async def run(self) -> None:
        """Start it. Raises SandlotError when it cannot be what was asked, and RuntimeError when it runs."""
        if self._serving is not None:
            raise RuntimeError("the container is running: kill it before it is run again")
        serving_kind, ports_kind = _serving()
        spec = _spec(self.tag, self.env, await arun(mounts_of, self.binds))
        self._serving = serving_kind()
        try:
            self._ports = await self._serving.open(spec, ports_kind(*(port or 0 for port in self._wanted)))
        except BaseException:
            await self.kill()
            raise

    async def kill(self) -> None:
        """End it, with everything that runs in it; idempotent."""
        serving, self._serving, self._ports = self._serving, None, None
        if serving is not None:
            await serving.close()

    async def init_firewall(self, allowed_domains: Sequence[str] | None = None) -> None:
        """Raises RuntimeError: there is no network yet that could be let out to *allowed_domains*."""
        del allowed_domains
        if self._ports is None:
            raise RuntimeError("Container not running")
        raise RuntimeError(_NO_FIREWALL)

    def _port(self, which: int) -> int:
        port = self._wanted[which]
        if self._ports is not None:
            port = (self._ports.executor, self._ports.resource)[which]
        if port is None:
            raise RuntimeError("Container not running")
        return port


def is_walled() -> bool:
    """Whether the settings of this machine leave containers a boundary: engine `process` promises none."""
    from sandlot import settings

    chosen = settings.load()
    return chosen.engine != "process" and chosen.isolation is not Isolation.PROCESS


def _spec(tag: str, env: Mapping[str, str], mounts: tuple[Mount, ...]) -> SandboxSpec:
    """What the settings of this machine amount to, for a container of *tag*. Raises InvalidSpec."""
    from sandlot import settings
    from sandlot.local import asked
    from sandlot.sandboxes.agreement import without_image

    chosen = settings.load()
    usual = replace(asked.spec_of(chosen, env, mounts), network=Network.NONE)
    if tag == DEFAULT_TAG or (tag.startswith(DEFAULT_TAG + ":") and tag not in chosen.images):
        return usual
    try:
        return without_image(replace(usual, environment=None, image=tag), chosen.images)
    except InvalidSpec as error:
        raise InvalidSpec(f"{error.message}. Images of Docker are not read") from None


def _serving() -> tuple[type[Serving], type[Ports]]:
    try:
        from .serving import Ports, Serving
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sandlot":
            raise
        raise Unsupported(
            f"a container needs {error.name}, which is not installed: pip install 'sandlot[ipybox]'"
        ) from None
    return Serving, Ports
