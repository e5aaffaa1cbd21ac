"""The hostile suite: attack programs with a pinned verdict per engine and kind of host.

    from sandlot.testing.hostile import HostileSuite


    class TestMineHostile(HostileSuite):
        engine_name = "mine"

Ids are those of the threat list and stable. Attack programs run inside boxes only: the modules in
`programs` do nothing when imported, and a control run takes one wall off a box, never the box away.
"""

from __future__ import annotations

from .case import Case, Control, Finding, Outcome, Verdict
from .catalogue import CASES
from .suite import HostileSuite

__all__ = ["CASES", "Case", "Control", "Finding", "HostileSuite", "Outcome", "Verdict"]
