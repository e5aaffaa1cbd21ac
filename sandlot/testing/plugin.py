"""The pytest plugin: required engines and Pythons, choice of engine, count and report of what ran.

Loaded wherever pytest meets an installed sandlot, so it imports nothing of the engines by itself and
runs on Python 3.8.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Generator, Iterator, List, Optional, Set

import pytest

from .ledger import Ledger, Record, host_kind, summary

if TYPE_CHECKING:
    from .suite import Suite

LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()
"""Where the session's ledger is found: `config.stash[LEDGER]`."""
_SEEN: pytest.StashKey[Set[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group `sandlot`."""
    group = parser.getgroup("sandlot")
    group.addoption(
        "--cycles",
        type=int,
        default=150,
        metavar="COUNT",
        help="sandboxes made and deleted one after the other where leaks are looked for (default: 150)",
    )
    group.addoption(
        "--examples",
        type=int,
        default=5,
        metavar="COUNT",
        help="requests made up for each operation of the API, besides those at its edges (default: 5)",
    )
    group.addoption(
        "--require-engine",
        action="append",
        default=[],
        metavar="NAME",
        help="a skip for lack of this engine fails",
    )
    group.addoption(
        "--require-python",
        action="append",
        default=[],
        metavar="X.Y",
        help="a skip for lack of this Python fails",
    )
    group.addoption(
        "--engine", action="append", default=[], metavar="NAME", help="run the suites of this engine only"
    )
    group.addoption(
        "--sandlot-report", metavar="FILE", help="write what was executed, as JSON for docs/engines.md"
    )
    group.addoption(
        "--hostile-seconds", type=float, default=2.0, metavar="N", help="how long each fuzzing case runs"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers and open the ledger."""
    config.addinivalue_line("markers", "engine: starts real boxes")
    config.addinivalue_line("markers", "conformance: what every engine promises")
    config.addinivalue_line("markers", "hostile: runs attack programs behind the walls")
    config.addinivalue_line("markers", "needs_engine(name): a skip means that this engine does not work here")
    config.addinivalue_line(
        "markers", "needs_python(version): a skip means that this Python is not installed"
    )
    pytest.register_assert_rewrite(
        *(f"sandlot.testing.{room}" for room in ("suite", "conformance", "hostile"))
    )
    config.stash[LEDGER] = Ledger()
    config.stash[_SEEN] = set()


def engine_of(item: pytest.Item) -> Optional[str]:
    """The engine *item* is about: its class's `engine_name`, or its marker `needs_engine`."""
    marker = item.get_closest_marker("needs_engine")
    if marker is not None:
        return str(marker.args[0])
    name = getattr(getattr(item, "cls", None), "engine_name", None)
    return name if isinstance(name, str) and name else None


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Keep the suites of the chosen engines; tests about no engine stay."""
    chosen = set(config.getoption("--engine"))
    if not chosen:
        return
    dropped = [item for item in items if engine_of(item) not in chosen | {None}]
    items[:] = [item for item in items if engine_of(item) in chosen | {None}]
    config.hook.pytest_deselected(items=dropped)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:  # noqa: ARG001
    """Turn the skip of something required into a failure, and remember which engines really ran."""
    outcome = yield
    report = outcome.get_result()
    engine = engine_of(item)
    if report.when == "call" and report.passed and engine is not None:
        item.config.stash[_SEEN].add(engine)
    _enter(item, report)
    # A suite that skips in the middle of a test says "not applicable"; lack of an engine shows in set-up.
    midway = report.when == "call" and hasattr(getattr(item, "cls", None), "engine_name")
    missing = _required(item, engine) if report.skipped and not midway else None
    if missing is not None:
        report.outcome = "failed"
        report.longrepr = f"{missing} is required, but the test was skipped: {_reason(report)}"


def _required(item: pytest.Item, engine: Optional[str]) -> Optional[str]:
    if engine and engine in item.config.getoption("--require-engine"):
        return f"engine {engine}"
    marker = item.get_closest_marker("needs_python")
    if marker is not None and str(marker.args[0]) in item.config.getoption("--require-python"):
        return f"Python {marker.args[0]}"
    return None


def _enter(item: pytest.Item, report: Any) -> None:
    """One record per conformance test that ran; hostile suites keep their own books."""
    suite: Any = getattr(item, "cls", None)
    if report.when == "call" and not report.skipped and getattr(suite, "suite_name", "") == "conformance":
        outcome = "passed" if report.passed else "failed"
        record = Record(
            "conformance", str(suite.engine_name), host_kind(), item.name, outcome, "passed", report.duration
        )
        item.config.stash[LEDGER].write(record)


def _reason(report: Any) -> str:
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report; fail a session in which a required engine had no passing test at all."""
    target = session.config.getoption("--sandlot-report")
    if target:
        Path(target).write_text(session.config.stash[LEDGER].to_json(), encoding="utf-8")
    if session.exitstatus == pytest.ExitCode.OK and _unmet(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unmet(config: pytest.Config) -> List[str]:
    if config.getoption("collectonly", default=False):
        return []
    required: List[str] = config.getoption("--require-engine")
    seen: Set[str] = config.stash[_SEEN]
    return sorted(set(required) - seen)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many cases were really executed, per engine and kind of host."""
    lines = summary(config.stash[LEDGER])
    if lines or _unmet(config):
        terminalreporter.section("sandlot")
    for line in lines:
        terminalreporter.write_line(line)
    for name in _unmet(config):
        terminalreporter.write_line(
            f"required engine {name}: not one test of it passed in this session", red=True
        )


@pytest.fixture(scope="class")
def sandlot_stage(request: pytest.FixtureRequest) -> Iterator[None]:
    """Gives a Suite class its engine; skips the class, with the cause, where the engine does not work."""
    suite: type[Suite] = request.cls
    suite.ledger = request.config.stash[LEDGER]
    suite.fuzz_seconds = request.config.getoption("--hostile-seconds")
    suite.raise_curtain()
    try:
        yield
    finally:
        suite.drop_curtain()
