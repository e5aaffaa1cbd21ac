"""The short way in for one program, over real boxes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandlot
from sandlot.contracts.errors import InvalidSpec
from tests.unit.local.machine import data_directory, obstacle

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with data_directory() as place:
        yield place


@pytest.fixture(autouse=True)
def works_here(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))


def test_one_line_runs_code() -> None:
    result = sandlot.run("print(6 * 7)", timeout=5)
    assert (result.text, result.exit_code, result.isolation.name) == ("42\n", 0, "NAMESPACE")
    assert {"seccomp", "landlock", "network"} <= set(result.enforced)


def test_one_line_runs_a_program_with_files_input_and_variables() -> None:
    result = sandlot.run(
        argv=["/bin/sh", "-c", "cat a/b -; echo $A"], files={"a/b": b"1"}, stdin="2", env={"A": "3"}
    )
    assert result.text == "123\n"


def test_a_failing_program_is_a_result() -> None:
    result = sandlot.run("import os; os.kill(os.getpid(), 11)")
    assert (result.exit_code, result.signal, result.reason.value) == (139, 11, "signalled")


@pytest.mark.parametrize("asked", [{"timeout": -1}, {"memory": "lots"}, {"nonsense": 1}, {"network": "some"}])
def test_a_bad_request_is_refused_before_anything_starts(asked: dict[str, object]) -> None:
    with pytest.raises(InvalidSpec):
        sandlot.run("print(1)", **asked)  # type: ignore[arg-type]


def test_neither_and_both_are_no_command() -> None:
    with pytest.raises(InvalidSpec):
        sandlot.run()
    with pytest.raises(InvalidSpec):
        sandlot.run("1", argv=["ls"])


def test_it_works_under_a_running_loop() -> None:
    async def notebook() -> str:
        return sandlot.run("print(1)").text

    assert asyncio.run(notebook()) == "1\n"


def test_nothing_is_left_when_it_ends() -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())

    before, threads = children(), len(os.listdir("/proc/self/task"))
    sandlot.run(argv=["/bin/sh", "-c", "sleep 100 & sleep 100 & echo"])
    assert children() == before
    # Python's join returns a moment before the kernel's thread is gone.
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > threads and time.monotonic() < deadline:
        os.sched_yield()
    assert len(os.listdir("/proc/self/task")) <= threads
