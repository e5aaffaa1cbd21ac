"""The payload that waits: who gets it, what becomes of it, and how a command in it is ended."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sandlot.wire.frames import Frame, Kind, json_frame
from tests.base.guest.driver import PLAN, Host

BUSY = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: pass\n"


def children(pid: int) -> set[int]:
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def spare_of(host: Host) -> int:
    """The one child of an agent that has nothing else to do, which has one again once that is over."""
    while len(children(host.process.pid)) != 1:
        host.ask("ping")
    return children(host.process.pid).pop()


def begun(host: Host, *argv: str, **fields: Any) -> tuple[int, int]:
    """A stream with a running command that reads to the end of its input, and its pid."""
    stream = host.open("run", argv=list(argv or ("cat",)), stdin=True, **fields)
    host.until(lambda: host.replies[stream].events)
    return stream, host.replies[stream].events[0]["pid"]


def let_go(host: Host, stream: int) -> dict[str, Any]:
    host.send(stream, Kind.INPUT_END)
    return host.finish(stream).ok


def test_a_command_gets_the_spare_and_another_one_comes(host: Host) -> None:
    first = spare_of(host)
    assert host.run("sh", "-c", "echo $$").stdout == b"%d\n" % first
    second = spare_of(host)
    assert host.code("import os; print(os.getpid())").stdout == b"%d\n" % second
    assert len({first, second, spare_of(host)}) == 3


def test_a_second_command_at_once_has_a_supervisor_and_a_third_gets_a_spare(host: Host) -> None:
    spare = spare_of(host)
    (one, first), (two, second) = begun(host), begun(host)
    assert first == spare
    assert parent(second) != host.process.pid
    let_go(host, one)
    supervisor = parent(second)
    while len(children(host.process.pid)) != 2:
        host.ask("ping")
    (next_spare,) = children(host.process.pid) - {supervisor}
    three, third = begun(host)
    assert third == next_spare
    assert [let_go(host, stream)["exit_code"] for stream in (three, two)] == [0, 0]


@pytest.mark.parametrize("fields", [{"tty": {"rows": 24, "columns": 80}}, {"background": True}])
def test_a_command_that_the_spare_does_not_fit_leaves_it(host: Host, fields: dict[str, Any]) -> None:
    spare = spare_of(host)
    host.run("true", **fields)
    while children(host.process.pid) != {spare}:
        host.ask("ping")
    assert host.run("sh", "-c", "echo $$").stdout == b"%d\n" % spare


def test_a_spare_that_is_killed_while_it_waits_costs_one_command_its_speed(host: Host) -> None:
    os.kill(spare_of(host), signal.SIGKILL)
    while children(host.process.pid):
        host.ask("ping")
    stream, pid = begun(host)
    supervisor = parent(pid)
    assert supervisor != host.process.pid
    assert let_go(host, stream)["exit_code"] == 0
    while children(host.process.pid) <= {supervisor}:
        host.ask("ping")
    spare = spare_of(host)
    assert host.run("sh", "-c", "echo $$").stdout == b"%d\n" % spare


def test_a_spare_that_dies_before_anybody_asks_ends_the_wait_for_it(tmp_path: Path) -> None:
    for _ in range(5):  # between the greeting and the first turn there is a moment without a reaper
        with Host(str(tmp_path)) as host:
            for child in children(host.process.pid):
                os.kill(child, signal.SIGKILL)
            first = host.run("echo", "on", timeout=15)
            assert first.stdout == b"on\n" or (first.ok["reason"], first.ok["signal"]) == ("signalled", 9)
            assert first.ok["duration"] < 5
            assert host.run("echo", "on").stdout == b"on\n"


def test_the_last_command_is_followed_by_no_spare(host: Host) -> None:
    spare_of(host)
    assert host.run("true", last=True).ok["exit_code"] == 0
    for _ in range(20):
        host.ask("ping")
    assert children(host.process.pid) == set()


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_spare_ends_with_its_agent(tmp_path: Path, is_killed: bool) -> None:
    with Host(str(tmp_path)) as host:
        watch = os.pidfd_open(spare_of(host))
        if is_killed:
            host.process.kill()
        else:
            host.hang_up()
        assert select.select([watch], [], [], 10)[0] == [watch]
        os.close(watch)


def test_a_spare_holds_nothing_but_its_pipes_and_shows_them_to_no_program(host: Host) -> None:
    held = os.listdir(f"/proc/{spare_of(host)}/fd")
    assert sorted(map(int, held)) == [0, 1, 2, 3, 4, 5]
    text = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
    assert host.code(text).stdout == b"[0, 1, 2, 3]\n"  # 3 is the listing's own
    spare_of(host)
    assert host.run("sh", "-c", "ls /proc/self/fd | wc -l").stdout.strip() == b"4"


def test_what_a_command_leaves_is_killed_within_its_grace(host: Host) -> None:
    text = (
        "import os, sys, time\n"
        "for _ in range(3):\n"
        "    if os.fork(): continue\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)\n"
        "time.sleep(0.2)\n"
    )
    spare_of(host)
    started = time.monotonic()
    reply = host.code(text)
    pids = [int(word) for word in reply.stdout.split()]
    assert len(pids) == 3
    assert all(map(is_gone, pids))
    assert time.monotonic() - started < 5
    assert (reply.ok["reason"], reply.ok["exit_code"]) == ("exited", 0)
    spare_of(host)


def test_what_ends_within_the_grace_is_heard_and_told_at_once(host: Host) -> None:
    spare_of(host)
    reply = host.run("sh", "-c", "(sleep 0.02; echo late) & exit 4")
    assert (reply.stdout, reply.ok["exit_code"]) == (b"late\n", 4)


def test_the_leftovers_of_one_command_are_killed_and_another_goes_on(host: Host) -> None:
    spare_of(host)
    attended, _ = begun(host, "sh", "-c", "cat; sleep 60 & setsid sleep 61 & exit 0")
    other, pid = begun(host)
    assert let_go(host, attended)["exit_code"] == 0
    assert not is_gone(pid)
    assert let_go(host, other)["exit_code"] == 0
    spare_of(host)


def test_a_fork_bomb_ends_with_its_command(host: Host) -> None:
    text = (
        "import os, time\n"
        "limit = time.monotonic() + 0.5\n"
        "for _ in range(12):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        while time.monotonic() < limit + 5:\n"
        "            if os.fork(): os._exit(0)\n"
        "            os.setsid()\n"
        "        os._exit(0)\n"
        "print('lit')\n"
    )
    spare_of(host)
    reply = host.code(text, timeout=15)
    assert (reply.stdout, reply.ok["exit_code"]) == (b"lit\n", 0)
    spare_of(host)  # nothing else is left
    assert host.run("echo", "next").stdout == b"next\n"


def test_a_timeout_ends_the_whole_command_in_a_spare(host: Host) -> None:
    spare_of(host)
    reply = host.run("sh", "-c", "trap '' TERM; setsid sleep 60 & echo $!; sleep 60", timeout=0.3)
    assert reply.ok["reason"] == "timeout"
    assert 0.25 < reply.ok["duration"] < 5
    assert is_gone(int(reply.stdout))
    spare_of(host)


def test_a_timeout_of_nothing_is_one(host: Host) -> None:
    spare_of(host)
    assert host.run("sleep", "60", timeout=0).ok["reason"] == "timeout"
    spare_of(host)


def test_cancel_ends_the_whole_command_in_a_spare(host: Host) -> None:
    spare_of(host)
    stream = host.open("run", argv=["sh", "-c", "setsid sleep 60 & echo $!; exec sleep 61"])
    host.until(lambda: host.replies[stream].stdout)
    host.post(Frame(Kind.CANCEL, stream))
    reply = host.finish(stream)
    assert reply.ok["reason"] == "killed"
    assert is_gone(int(reply.stdout))
    spare_of(host)


def test_a_signal_reaches_the_group_of_a_command_in_a_spare(host: Host) -> None:
    spare_of(host)
    stream = host.open("run", argv=["sh", "-c", "trap 'echo got; exit 3' TERM; echo up; sleep 60 & wait"])
    host.until(lambda: host.replies[stream].stdout)
    host.post(json_frame(Kind.SIGNAL, stream, {"signal": 15}))
    reply = host.finish(stream)
    assert (reply.stdout, reply.ok["exit_code"]) == (b"up\ngot\n", 3)


def test_a_command_that_cannot_start_is_told_and_the_next_one_runs(host: Host, tmp_path: Path) -> None:
    spare_of(host)
    assert host.run("true", workdir=f"{tmp_path}/missing").error == "not_found"
    spare_of(host)
    assert host.code("print(1)", workdir=f"{tmp_path}/missing").error == "not_found"
    spare_of(host)
    assert host.code("print(1)").stdout == b"1\n"


def test_what_a_command_used_is_told_without_its_waiting(host: Host) -> None:
    spare_of(host)
    idle = host.code("pass").ok
    assert idle["cpu_seconds"] < 0.15
    spare_of(host)
    busy = host.code(BUSY.format(0.3) + "x = bytearray(60_000_000)\n").ok
    assert 0.25 < busy["cpu_seconds"] < 5
    assert busy["memory_peak"] > 60_000_000


def test_what_its_orphans_used_is_told_too_and_not_again(host: Host) -> None:
    text = (
        "import os\nr, w = os.pipe()\nif os.fork() == 0:\n"
        "    if os.fork(): os._exit(0)\n"
        f"    exec({BUSY.format(0.3)!r}); os._exit(0)\n"
        "os.close(w); os.wait(); os.read(r, 1)\n"  # the end of the file is that of the orphan
    )
    spare_of(host)
    assert 0.25 < host.code(text).ok["cpu_seconds"] < 5
    spare_of(host)
    assert host.code("pass").ok["cpu_seconds"] < 0.2


def test_limits_hold_in_a_spare_from_its_order_on(tmp_path: Path) -> None:
    plan = {**PLAN, "walls": ["session", "rlimits"], "rlimits": {"nofile": 50, "fsize": 1 << 16}}
    text = (
        "import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_FSIZE),"
        " r.getrlimit(r.RLIMIT_CORE))"
    )
    with Host(str(tmp_path), plan) as host:
        assert host.greeting is not None
        assert host.greeting["walls"]["payload"] == ["session", "rlimits"]
        for _ in range(2):
            spare_of(host)
            assert host.code(text).stdout == b"(50, 50) (65536, 65536) (0, 0)\n"


def test_a_long_program_goes_through_a_spares_pipe(host: Host) -> None:
    spare_of(host)
    stream = host.open("run", code=True)
    host.send(stream, Kind.SOURCE, b"x = 1  # padding\n" * 12_000 + b"print(x)\n")
    host.send(stream, Kind.SOURCE_END)
    assert host.finish(stream).stdout == b"1\n"


def test_a_long_command_line_and_environment_go_through_too(host: Host) -> None:
    spare_of(host)
    word, value = "w" * 40_000, "v" * 15_000
    reply = host.run(
        sys.executable,
        "-c",
        "import os, sys; print(len(sys.argv[1]), len(os.environ['V']))",
        word,
        env={"V": value},
    )
    assert reply.stdout == b"40000 15000\n"
