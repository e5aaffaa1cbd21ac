from __future__ import annotations

from typing import Iterator

import pytest

from tests.base.client.twins import AsyncTwin, Twin


@pytest.fixture(params=["sync", "async"])
def twin(request: pytest.FixtureRequest) -> Iterator[Twin]:
    """Every test that asks for it runs with both twins."""
    if request.param == "sync":
        yield Twin()
        return
    made = AsyncTwin()
    yield made
    made.close()
