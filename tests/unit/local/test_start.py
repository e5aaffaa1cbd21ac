from __future__ import annotations

import time

import pytest

from sandlot.local.start import steady_clock


def test_e18_setting_the_clock_changes_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady_clock()
    before = clock()
    assert abs(before - time.time()) < 5
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock() - before < 5
