"""Properties have no deadline here: wall time would only say how busy a machine is."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)
# For interpreters that come after one that has tried every example: what differs between them shows early.
settings.register_profile("another python", deadline=None, max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """Load the profile that the command line names, else the thorough one."""
    settings.load_profile(config.getoption("--hypothesis-profile") or "any machine")
