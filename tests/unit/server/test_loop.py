from __future__ import annotations

import asyncio
import sys

import pytest

from sandlot.server import loop


async def _tell(told: list[str]) -> None:
    told.append(type(asyncio.get_running_loop()).__module__)


def test_a_server_runs_on_uvloop() -> None:
    pytest.importorskip("uvloop")
    told: list[str] = []
    loop.run(_tell(told))
    assert told == ["uvloop"]


def test_a_server_runs_on_asyncio_where_uvloop_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    told: list[str] = []
    loop.run(_tell(told))
    assert told[0].startswith("asyncio.")
