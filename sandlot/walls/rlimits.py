"""Resource limits of the process and of everything it starts (setrlimit(2)); they only ever go down."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

NAMES = (
    "as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
"""Limits that may be asked for, named as in setrlimit(2) without RLIMIT_."""


def prepare() -> None:
    """Load what `lower` needs. Raises OSError where there is no setrlimit(2)."""
    try:
        import resource  # noqa: F401 - absent on Windows, where this room must still import
    except ImportError as error:
        raise OSError(errno.ENOSYS, "resource limits need a Unix system") from error


def lower(limits: Mapping[str, int]) -> None:
    """Set soft and hard limit to each value, never above the hard limit in force; core files are always off.

    The soft limit equals the hard one because a payload could raise it that far anyway.
    Raises ValueError for a name that is not in NAMES, OSError when the kernel refuses.
    """
    unknown = sorted(set(limits) - set(NAMES))
    if unknown:
        raise ValueError(f"no resource limits {unknown}; there are {', '.join(NAMES)}")
    prepare()
    import resource

    for name, value in {**limits, "core": 0}.items():
        kind: int = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))
