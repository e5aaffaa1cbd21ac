"""The short way in, over real boxes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import sandlot
from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound
from sandlot.contracts.events import Started, Stdout
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


@pytest.fixture
def box() -> Iterator[sandlot.Sandbox]:
    with sandlot.Sandbox.local(env={"FOR_ALL": "yes"}) as made:
        yield made


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


def test_a_sandbox_keeps_its_workspace(box: sandlot.Sandbox) -> None:
    box.write("numbers.txt", "1\n2\n")
    assert box.run("open('sum', 'w').write(str(sum(map(int, open('numbers.txt')))))").ok
    assert box.read("/workspace/sum") == b"3"
    assert box.shell("echo $FOR_ALL; pwd", workdir="/tmp").text == "yes\n/tmp\n"
    with pytest.raises(NotFound):
        box.read("nothing")


def test_trees_go_in_and_come_out(box: sandlot.Sandbox, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(b"x" * 100_000)
    (tmp_path / "data/link").symlink_to("a")
    assert box.put(tmp_path / "data") == ["data/link is a symbolic link: left out"]
    assert box.shell("cp -r data copy && wc -c < copy/a").text.strip() == "100000"
    assert box.get("copy", tmp_path / "back") == 1
    assert (tmp_path / "back/a").read_bytes() == b"x" * 100_000
    with pytest.raises(NotFound):
        box.get("nothing", tmp_path / "back")


def test_events_come_as_they_happen_and_leaving_kills(box: sandlot.Sandbox) -> None:
    command = Command(code="import time; print('up', flush=True); time.sleep(60)", timeout=None)
    events = box.events(command)
    assert isinstance(next(events), Started)
    assert next(events) == Stdout(b"up\n")
    events.close()  # type: ignore[attr-defined]
    assert "sleep" not in box.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").text


def test_it_works_under_a_running_loop() -> None:
    async def notebook() -> str:
        return sandlot.run("print(1)").text

    assert asyncio.run(notebook()) == "1\n"


def test_a_closed_sandbox_says_so() -> None:
    made = sandlot.Sandbox.local()
    made.close()
    made.close()
    with pytest.raises(NotFound, match="closed"):
        made.run("1")


def test_nothing_is_left_when_it_ends() -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())

    before, threads = children(), len(os.listdir("/proc/self/task"))
    with sandlot.Sandbox.local() as made:
        made.shell("sleep 100 & sleep 100 & echo")
    assert children() == before
    # Python's join returns a moment before the kernel's thread is gone.
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > threads and time.monotonic() < deadline:
        os.sched_yield()
    assert len(os.listdir("/proc/self/task")) <= threads


def test_a_service_answers_about_its_sandboxes(box: sandlot.Sandbox) -> None:
    assert box.status.engine == "bubblewrap"
    assert box.status.id == box.id


def test_two_names_for_one_error(tmp_path: Path, box: sandlot.Sandbox) -> None:
    (tmp_path / "file").write_bytes(b"")
    box.shell("mkdir -p d/file && touch d/file/x")
    with pytest.raises(Conflict):
        box.get("d", tmp_path)
    assert PurePosixPath(box.shell("pwd").text.strip()) == PurePosixPath("/workspace")
