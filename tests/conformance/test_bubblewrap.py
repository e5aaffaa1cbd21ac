from __future__ import annotations

from sandlot.testing.conformance import EngineSuite


class TestBubblewrap(EngineSuite):
    engine_name = "bubblewrap"
