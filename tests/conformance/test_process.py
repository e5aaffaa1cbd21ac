from __future__ import annotations

from sandlot.testing.conformance import EngineSuite


class TestProcess(EngineSuite):
    engine_name = "process"
