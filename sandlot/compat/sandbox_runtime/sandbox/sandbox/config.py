"""SandboxConfig: what a sandbox may use, in the words of the original."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, List, Optional, Tuple

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.spec import Limits

_IGNORED = ("max_task_count", "max_idle_time", "working_dir", "readonly_paths", "writable_paths")
_KIBI = 1024
_SIZE = re.compile(r"([0-9]+)([KkMmGg])?")


@dataclass
class SandboxConfig:
    """What a sandbox may use. What is left as it is here is sandlot's own default.

    `cpu_quota` is in cores, `memory_limit` in KiB, `max_user_progress` counts processes and threads,
    `timeout_seconds` holds where an event says no other, `tmpfs_size` is the workspace's ("100M" are
    100 * 2**20 bytes). What is asked and cannot be enforced here is refused when a handler is run.

    Ignored, because every call has a sandbox of its own: `max_task_count`, `max_idle_time`. Ignored as
    they always were: `working_dir`, `readonly_paths`, `writable_paths`; no path of the host is shown.
    """

    cpu_quota: Optional[float] = None
    memory_limit: Optional[int] = None
    allow_network: bool = False
    max_task_count: int = 10
    max_user_progress: int = 1000
    timeout_seconds: int = 300
    working_dir: Optional[str] = None
    readonly_paths: Optional[List[str]] = field(default=None)
    writable_paths: Optional[List[str]] = field(default=None)
    tmpfs_size: str = "100M"
    max_idle_time: int = 60

    def __post_init__(self) -> None:
        """Lists that were not given are empty ones."""
        self.readonly_paths = self.readonly_paths or []
        self.writable_paths = self.writable_paths or []

    def to_dict(self) -> Dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def __str__(self) -> str:
        return f"SandboxConfig({self.to_dict()})"


_USUAL = SandboxConfig()


def limits_of(config: SandboxConfig) -> Limits:
    """The limits that *config* asks for. Raises InvalidSpec for a value that cannot be one."""
    asked_pids = config.max_user_progress != _USUAL.max_user_progress
    return Limits(
        memory=None if config.memory_limit is None else Bytes.parse(config.memory_limit * _KIBI),
        cpu=_cores(config.cpu_quota, os.cpu_count() or 1),
        pids=config.max_user_progress if asked_pids else None,
        disk=_size(config.tmpfs_size) if config.tmpfs_size != _USUAL.tmpfs_size else None,
    )


def ignored(config: SandboxConfig) -> Tuple[str, ...]:
    """The fields of *config* that say something and change nothing."""
    names = [each.name for each in fields(config) if each.name in _IGNORED]
    return tuple(name for name in names if getattr(config, name) != getattr(_USUAL, name))


def _cores(quota: Optional[float], present: int) -> Optional[Cores]:
    """A quota of all there is bounds nothing: it was 300 in the original, seconds by mistake."""
    return None if quota is None or quota >= present else Cores.parse(quota)


def _size(text: str) -> Bytes:
    """*text* as tmpfs(5) reads it: its letters are powers of 1024."""
    matched = _SIZE.fullmatch(str(text).strip())
    if not matched:
        raise InvalidSpec(f"tmpfs_size {text!r} is not a size: use one such as 100M")
    unit = (matched[2] or "").upper()
    return Bytes.parse(matched[1] + (unit + "i" if unit else ""))
