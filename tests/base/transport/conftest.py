from __future__ import annotations

from typing import Iterator

import pytest

from tests.base.transport.faces import Connect, face


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with face(request.param) as made:
        yield made
