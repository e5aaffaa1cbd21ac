from __future__ import annotations

import multiprocessing
import random

import pytest

from sandlot.guest import reseed


def test_what_was_drawn_at_an_import_is_drawn_anew() -> None:
    process = multiprocessing.current_process()
    state, key = random.getstate(), process.authkey
    try:
        reseed.reseed()
        assert random.getstate() != state
        assert process.authkey != key
    finally:
        random.setstate(state)
        process.authkey = key


def test_hooks_registered_after_recording_began_are_run_in_the_order_of_a_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os

    called: list[str] = []
    monkeypatch.setattr(reseed, "_HOOKS", [])
    monkeypatch.setattr(os, "register_at_fork", lambda **_hooks: None)
    reseed.record()
    os.register_at_fork(after_in_child=lambda: called.append("child"), before=lambda: called.append("before"))
    reseed.reseed()
    assert called == ["before", "child"]
