"""The conformance suite: what every engine promises, as tests an engine's file subclasses in five lines.

from sandlot.testing.conformance import EngineSuite


class TestMine(EngineSuite):
    engine_name = "mine"
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from .archives import ArchiveTests
from .background import BackgroundTests
from .checkpoints import CheckpointTests
from .commands import CommandTests
from .context_output import ContextOutputTests
from .deaths import DeathTests
from .endings import EndingTests
from .features import FeatureTests
from .files import FileTests
from .handlers import HandlerTests
from .limits import LimitTests
from .streams import StreamTests
from .terminals import TerminalTests
from .values import ValueTests
from .watching import WatchTests


class EngineSuite(
    CommandTests,
    StreamTests,
    EndingTests,
    HandlerTests,
    ValueTests,
    FileTests,
    WatchTests,
    ArchiveTests,
    BackgroundTests,
    TerminalTests,
    ContextOutputTests,
    CheckpointTests,
    LimitTests,
    FeatureTests,
    DeathTests,
):
    """All of it; a test file subclasses this and names its engine."""

    suite_name = "conformance"
    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [pytest.mark.conformance]


__all__ = ["EngineSuite"]
