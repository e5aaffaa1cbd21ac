"""Sandboxes as people hold them: here and on a server, with and without async, they do the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound, PathEscape, TimedOut
from sandlot.contracts.events import Exited, Reason, Started, Stdout
from sandlot.contracts.lease import State
from tests.unit.client.places import Place

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]

CHUNK = bytes(100_000)
_OTHERS = """
import os
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) != os.getpid():
        print(open(f"/proc/{pid}/cmdline").read())
"""


@pytest.fixture
def box(place: Place) -> Any:
    return place.open(env={"FOR_ALL": "yes"})


def test_a_program_runs_behind_walls(place: Place, box: Any) -> None:
    result = place.twin.wait(box.run("print(6 * 7)"))
    assert (result.text, result.exit_code, result.isolation.name) == ("42\n", 0, "NAMESPACE")
    assert {"seccomp", "landlock", "network"} <= set(result.enforced)
    assert place.twin.wait(box.run(argv=["/bin/false"])).exit_code == 1
    assert (
        place.twin.wait(box.shell("echo $FOR_ALL $MORE; pwd", workdir="/tmp", env={"MORE": "a"})).text
        == "yes a\n/tmp\n"
    )


def test_a_timeout_is_a_result(place: Place, box: Any) -> None:
    result = place.twin.wait(box.run("while True: pass", timeout=0.3))
    assert (result.reason, result.exit_code) == (Reason.TIMEOUT, 124)


def test_a_program_that_does_not_exist_is_a_result(place: Place, box: Any) -> None:
    assert place.twin.wait(box.run(argv=["/no/such/program"])).exit_code == 127


@pytest.mark.parametrize("stdin", ["text\n" * 3, b"\xff" * 15, [b"x" * 5] * 3, bytes(3_000_000)])
def test_input_arrives_whole(place: Place, box: Any, stdin: Any) -> None:
    size = len(stdin) if not isinstance(stdin, list) else 15
    assert place.twin.wait(box.shell("wc -c", stdin=stdin)).text.strip() == str(size)


def test_a_program_that_stops_reading_stops_the_input(place: Place, box: Any) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield CHUNK

    result = place.twin.wait(box.shell("head -c 10 > /dev/null; exit 3", stdin=endless()))
    assert result.exit_code == 3
    assert len(taken) < 1000


def test_a_program_that_never_reads_runs_to_its_end(place: Place, box: Any) -> None:
    assert place.twin.wait(box.shell("sleep 0.3; exit 4", stdin=iter([CHUNK] * 1000))).exit_code == 4


def test_an_input_that_breaks_is_raised_and_nothing_runs_on(place: Place, box: Any) -> None:
    def broken() -> Iterator[bytes]:
        yield b"begun"
        raise LookupError("the source broke")

    with pytest.raises(LookupError, match="the source broke"):
        place.twin.wait(box.run(argv=["/bin/cat"], stdin=broken()))
    assert b"cat" not in place.twin.wait(box.run(_OTHERS)).stdout


def test_events_come_as_they_happen_and_leaving_kills(place: Place, box: Any) -> None:
    command = Command(code="import time; print('up', flush=True); time.sleep(60)", timeout=None)
    first = place.twin.some(box.events(command), 2)
    assert isinstance(first[0], Started)
    assert first[1] == Stdout(b"up\n")
    assert b"sleep(60)" not in place.twin.wait(box.run(_OTHERS)).stdout


def test_files_are_written_read_listed_moved_and_removed(place: Place, box: Any) -> None:
    wait = place.twin.wait
    wait(box.write("deep/file", "ä"))
    assert wait(box.read("/workspace/deep/file")) == "ä".encode()
    assert [entry["name"] for entry in wait(box.list("deep"))] == ["file"]
    assert wait(box.stat("deep/file"))["size"] == 2
    wait(box.mkdir("a/b", parents=True))
    wait(box.move("deep/file", "a/b/file"))
    with pytest.raises(NotFound):
        wait(box.read("deep/file"))
    with pytest.raises(Conflict):
        wait(box.remove("a"))
    wait(box.remove("a", recursive=True))
    with pytest.raises(NotFound):
        wait(box.stat("a"))
    with pytest.raises(PathEscape):
        wait(box.read("../etc/passwd"))


def test_large_files_are_read_whole(place: Place, box: Any) -> None:
    place.twin.wait(box.shell("head -c 5000000 /dev/zero > large"))
    assert place.twin.wait(box.read("large")) == bytes(5_000_000)


def test_trees_go_in_and_come_out(place: Place, box: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(b"x" * 700_000)
    (tmp_path / "data/link").symlink_to("a")
    assert place.twin.wait(box.put(tmp_path / "data")) == ["data/link is a symbolic link: left out"]
    assert (
        place.twin.wait(box.shell("cp -r data copy && ln -s a copy/near && wc -c < copy/a")).text.strip()
        == "700000"
    )
    assert place.twin.wait(box.get("copy", tmp_path / "back")) == 2
    assert (tmp_path / "back/a").read_bytes() == b"x" * 700_000
    assert (tmp_path / "back/near").is_symlink()
    with pytest.raises(NotFound):
        place.twin.wait(box.get("nothing", tmp_path / "back"))
    with pytest.raises(NotFound):
        place.twin.wait(box.put(tmp_path / "nothing"))


def test_a_directory_does_not_replace_a_file_of_the_host(place: Place, box: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    place.twin.wait(box.shell("mkdir -p d/file && touch d/file/x"))
    with pytest.raises(Conflict):
        place.twin.wait(box.get("d", tmp_path))
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_changes_are_told(place: Place, box: Any) -> None:
    place.twin.wait(box.start(argv=["/bin/sh", "-c", "while :; do touch seen; sleep 0.05; rm seen; done"]))
    changes = place.twin.some(box.watch("."), 3)
    assert {change["path"] for change in changes} == {"/workspace/seen"}


def test_background_programs_are_fed_waited_for_and_signalled(place: Place, box: Any) -> None:
    wait = place.twin.wait
    process = wait(box.start(argv=["/bin/sh", "-c", "read x; echo got $x"]))
    with pytest.raises(TimedOut):
        wait(box.wait(process, 0.1))
    assert [row["id"] for row in wait(box.processes()) if row["running"]] == [process]
    wait(box.feed(process, "it\n", end=True))
    assert wait(box.wait(process, 10))["exit_code"] == 0
    assert wait(box.output(process)) == (b"got it\n", 7, 0)
    sleeper = wait(box.start("import time; time.sleep(100)"))
    wait(box.signal(sleeper, 9))
    assert wait(box.wait(sleeper))["signal"] == 9


def test_a_terminal_is_typed_to(place: Place, box: Any) -> None:
    terminal = place.twin.wait(
        box.terminal(["/bin/sh", "-c", "read x; stty size; exit 5"], rows=30, columns=90)
    )
    place.twin.wait(terminal.type(b"go\n"))
    events = place.twin.all(terminal.events())
    output = b"".join(event.data for event in events if isinstance(event, Stdout))
    assert b"30 90" in output
    assert isinstance(events[-1], Exited)
    assert events[-1].exit_code == 5
    place.twin.wait(terminal.type(b"too late"))
    place.twin.wait(terminal.close())


def test_a_terminal_that_is_closed_ends_its_program(place: Place, box: Any) -> None:
    terminal = place.twin.wait(box.terminal(["/bin/sh", "-c", "echo up; sleep 77"]))
    place.twin.some(terminal.events(), 2)
    place.twin.wait(terminal.close())
    place.twin.wait(terminal.close())
    for _ in range(100):
        if b"sleep 77" not in place.twin.wait(box.run(_OTHERS)).stdout:
            return
    pytest.fail("the program of a closed terminal runs on")


def test_a_sandbox_tells_its_state_and_is_kept_alive(place: Place, box: Any) -> None:
    before = place.twin.wait(box.status())
    assert (before.id, before.engine, before.state) == (box.id, "zygote", State.RUNNING)
    assert place.twin.wait(box.touch()).lease.active >= before.lease.active


def test_a_closed_sandbox_says_so(place: Place) -> None:
    made = place.open()
    place.twin.wait(made.close())
    place.twin.wait(made.close())
    with pytest.raises(NotFound, match="closed"):
        place.twin.wait(made.run("1"))
    with pytest.raises(NotFound, match="closed"):
        place.twin.wait(made.touch())


@pytest.mark.parametrize(
    "asked", [{"timeout": -1}, {"memory": "lots"}, {"nonsense": 1}, {"ttl": 0}, {"env": {"A B": ""}}]
)
def test_a_bad_request_is_refused_before_anything_starts(place: Place, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        place.open(**asked)


def test_a_sandbox_that_was_deleted_is_gone(place: Place) -> None:
    made = place.open()
    place.twin.wait(made.delete())
    with pytest.raises(NotFound):
        place.twin.wait(made.run("1"))
