from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandlot.contracts.capability import Viability
from sandlot.contracts.errors import EngineUnavailable
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.engines import make_engine
from sandlot.testing.hostile.walls import WALLS
from sandlot.walls.plan import INNER


@pytest.mark.parametrize("engine", ["bubblewrap", "process"])
def test_every_wall_an_engine_can_leave_out_is_in_the_table(engine: str) -> None:
    removable: frozenset[str] = make_engine(engine).removable  # type: ignore[attr-defined]
    assert removable <= {wall.name for wall in WALLS}


def test_every_wall_of_lockdown_is_in_the_table() -> None:
    assert set(INNER) <= {wall.name for wall in WALLS}


def test_a_machine_without_bubblewrap_refuses_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """K20: never something weaker in its place."""
    monkeypatch.setenv("PATH", str(tmp_path))

    async def ask() -> Viability:
        engine = make_engine("bubblewrap")
        try:
            viability = await engine.probe()
            with pytest.raises(EngineUnavailable, match="install"):
                await engine.create(SandboxSpec())
        finally:
            await engine.close()
        return viability

    viability = asyncio.run(ask())
    assert not viability.works
    assert "bwrap" in str(viability.cause)
    assert "install" in str(viability.remedy)
