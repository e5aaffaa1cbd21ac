from __future__ import annotations

from typing import Iterator

import pytest

from tests.base.compat_noxrunner.recorder import Recorder, recording


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder
