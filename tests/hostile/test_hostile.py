from __future__ import annotations

from sandlot.testing.hostile import HostileSuite


class TestBubblewrapHostile(HostileSuite):
    engine_name = "bubblewrap"
    # As a user of cgroup v1 the limits on memory and cpu are refused: three cases have nothing to lift.
    fewest_controls = (57, 54)


class TestProcessHostile(HostileSuite):
    engine_name = "process"
    fewest_controls = (56, 51)


class TestZygoteHostile(HostileSuite):
    engine_name = "zygote"
    fewest_controls = (50, 48)
