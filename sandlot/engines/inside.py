"""What every box looks like to the program in it: its user, its name, its variables."""

from __future__ import annotations

from collections.abc import Mapping

USER, GROUP = 1000, 1000
HOSTNAME = "sandlot"
PATH = "/usr/local/bin:/usr/bin:/bin"


def variables(
    asked: Mapping[str, str],
    *,
    workspace: str = "/workspace",
    temporary: str = "/tmp",
    path: str = f"/env/bin:{PATH}",
) -> dict[str, str]:
    """The whole environment of a program but for what its command adds; *asked* is the spec's."""
    return {
        "PATH": path,
        "HOME": workspace,
        "SANDLOT_WORKSPACE": workspace,
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "USER": "sandlot",
        "LOGNAME": "sandlot",
        **asked,
    }
