from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandlot import settings
from sandlot.contracts.errors import Forbidden
from sandlot.contracts.spec import Isolation, KeptWorkspace, Mount, SandboxSpec, WorkspaceKind
from sandlot.server.policy import admit

USUAL = settings.load({}, {"HOME": "/h"}, [])
LENIENT = settings.load({"allow_process": True}, {"HOME": "/h"}, [])
MOUNT = Mount("/etc", PurePosixPath("/etc"))


@pytest.mark.parametrize(
    ("spec", "usual", "lenient"),
    [
        (SandboxSpec(), True, True),
        (SandboxSpec(engine="bubblewrap"), True, True),
        (SandboxSpec(isolation=Isolation.VM), True, True),
        (SandboxSpec(engine="bubblewrap", isolation=Isolation.PROCESS), True, True),
        (SandboxSpec(engine="process"), False, True),
        (SandboxSpec(engine="process", isolation=Isolation.VM), False, True),
        (SandboxSpec(isolation=Isolation.PROCESS), False, True),
        (SandboxSpec(mounts=(MOUNT,)), False, False),
        (SandboxSpec(workspace=KeptWorkspace("w", WorkspaceKind.DIRECTORY)), False, False),
    ],
)
def test_what_may_be_asked_over_http(spec: SandboxSpec, usual: bool, lenient: bool) -> None:
    for chosen, allowed in ((USUAL, usual), (LENIENT, lenient)):
        if allowed:
            assert admit(spec, chosen) is spec
        else:
            with pytest.raises(Forbidden):
                admit(spec, chosen)
