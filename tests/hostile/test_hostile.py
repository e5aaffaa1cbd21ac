from __future__ import annotations

from sandlot.testing.hostile import HostileSuite


class TestBubblewrapHostile(HostileSuite):
    engine_name = "bubblewrap"
    # As a user of cgroup v1 the limits on memory and cpu are refused: three cases have nothing to lift.
    fewest_controls = (63, 60)


class TestProcessHostile(HostileSuite):
    engine_name = "process"
    fewest_controls = (60, 55)


class TestZygoteHostile(HostileSuite):
    engine_name = "zygote"
    fewest_controls = (56, 53)
