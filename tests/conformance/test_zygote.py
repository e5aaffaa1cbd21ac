from __future__ import annotations

from sandlot.testing.conformance import EngineSuite


class TestZygote(EngineSuite):
    engine_name = "zygote"
