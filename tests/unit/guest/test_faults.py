"""What the agent does when the host, a supervisor or a reader fails."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sandlot.wire import frames
from sandlot.wire.frames import Frame, Kind, json_frame
from tests.base.guest.driver import PATIENCE, PLAN, Host, Reply


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _dies(pid: int) -> bool:
    limit = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < limit:
        os.sched_yield()
    return not _alive(pid)


def _started(host: Host, *argv: str, **fields: Any) -> tuple[int, int]:
    """A stream with a running command, and the command's pid."""
    stream = host.open("run", argv=list(argv), **fields)
    host.until(lambda: host.replies[stream].events)
    return stream, host.replies[stream].events[0]["pid"]


def _supervised(host: Host, *argv: str, **fields: Any) -> tuple[int, int]:
    """As `_started`, of a command that got no spare, because another one has it."""
    _started(host, "sleep", "3600")
    return _started(host, *argv, **fields)


def _supervisor(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_end_of_the_channel_ends_everything(host: Host) -> None:
    _, pid = _started(host, "sleep", "60")
    host.hang_up()
    assert host.process.wait(PATIENCE) == 0
    assert not _alive(pid)


def test_the_death_of_the_agent_ends_everything(host: Host) -> None:
    _, pid = _supervised(host, "sleep", "60")
    supervisor = _supervisor(pid)
    host.process.kill()
    assert _dies(supervisor)
    assert _dies(pid)


def test_shutdown_answers_first(host: Host) -> None:
    _, pid = _started(host, "sleep", "60")
    assert host.ask("shutdown").ok == {}
    assert host.process.wait(PATIENCE) == 0
    assert not _alive(pid)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Kind.OPEN, 2, b'{"verb": "ping"}'),
        Frame(Kind.OPEN, 1, b"[]"),
        Frame(Kind.OPEN, 1, b'{"verb": "ping", "verb": "ping"}'),
        json_frame(Kind.HELLO, 0, {"protocol": 1}),
    ],
)
def test_a_host_that_breaks_the_protocol_is_left(host: Host, frame: Frame) -> None:
    host.post(frame)
    assert host.process.wait(PATIENCE) == 3
    assert "broke the protocol" in host.last_words()


def test_bytes_that_are_no_frame_end_the_agent_and_its_commands(host: Host) -> None:
    _, pid = _started(host, "sleep", "60")
    os.write(host.outgoing, b"\xff" * 64)
    assert host.process.wait(PATIENCE) == 3
    assert not _alive(pid)


def test_more_input_than_there_is_credit_ends_the_agent(host: Host) -> None:
    stream, _ = _started(host, "sleep", "60", stdin=True)
    try:
        for _ in range(5):
            host.post(Frame(Kind.INPUT, stream, bytes(65536)))
    except BrokenPipeError:
        pass
    assert host.process.wait(PATIENCE) == 3


@pytest.mark.parametrize(
    "hello",
    [
        {"protocol": 2, "workspace": "/tmp", "roots": [], "plan": PLAN},
        {"protocol": 1, "roots": [], "plan": PLAN},
        {"protocol": 1, "workspace": "tmp", "roots": [], "plan": PLAN},
        {"protocol": 1, "workspace": "/tmp", "roots": ["tmp"], "plan": PLAN},
        {"protocol": 1, "workspace": "/tmp", "roots": [], "plan": {}},
        {"protocol": 1, "workspace": "/tmp", "roots": [], "plan": {**PLAN, "walls": ["moat"]}},
    ],
)
def test_a_greeting_that_cannot_be_right_is_refused(tmp_path: Path, hello: dict[str, Any]) -> None:
    host = Host(str(tmp_path))
    data = frames.encode(json_frame(Kind.HELLO, 0, hello))
    answered, said = host.process.communicate(data, PATIENCE)
    assert (answered, host.process.returncode) == (b"", 3)
    assert said.startswith(b"sandlot agent: ")


def test_a_wall_that_cannot_stand_refuses_the_box(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    plan = {**PLAN, "walls": ["no_new_privs", "landlock"], "writable": [f"{tmp_path}/missing"]}
    hello = {"protocol": 1, "workspace": "/tmp", "roots": [], "plan": plan}
    answered, said = host.process.communicate(frames.encode(json_frame(Kind.HELLO, 0, hello)), PATIENCE)
    assert (answered, host.process.returncode) == (b"", 3)
    assert b"the box is refused" in said
    assert b"landlock" in said


def test_nothing_said_is_no_error(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    assert host.process.communicate(b"", PATIENCE) == (b"", b"")
    assert host.process.returncode == 0


def test_a_killed_supervisor_leaves_no_orphan(host: Host) -> None:
    text = "sleep 60 & (setsid sleep 61 &) ; echo $!; wait"
    stream, pid = _supervised(host, "sh", "-c", text)
    host.until(lambda: host.replies[stream].stdout)
    others = set(_children_of(host.process.pid)) - {str(_supervisor(pid))}
    os.kill(_supervisor(pid), signal.SIGKILL)
    ended = host.finish(stream).ok
    assert (ended["reason"], ended["exit_code"], ended["signal"]) == ("killed", None, 9)
    assert set(_children_of(host.process.pid)) == others
    assert host.run("echo", "next").stdout == b"next\n"


def _children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_stopped_supervisor_does_not_stop_the_clock(host: Host) -> None:
    stream, pid = _supervised(host, "sleep", "60", timeout=0.3)
    os.kill(_supervisor(pid), signal.SIGSTOP)
    assert host.finish(stream).ok["reason"] == "timeout"
    assert _dies(pid)


def test_a_stopped_payload_is_killed_all_the_same(host: Host) -> None:
    assert host.run("sh", "-c", "kill -STOP $$", timeout=0.2).ok["reason"] == "timeout"


def test_a_reader_that_stalls_stops_its_command_and_no_other(host: Host) -> None:
    host.grants = False
    stream = host.open("run", argv=["sh", "-c", "head -c 2000000 /dev/zero; echo end"])
    host.until(lambda: len(host.replies[stream].stdout) == frames.INITIAL_CREDIT)
    assert host.run("echo", "other").stdout == b"other\n"
    assert host.replies[stream].done is None
    host.grants = True
    host.post(frames.credit_frame(stream, frames.INITIAL_CREDIT))
    assert len(host.finish(stream).stdout) == 2_000_004


def test_a_timeout_fires_while_the_reader_stalls(host: Host) -> None:
    host.grants = False
    reply = host.run("sh", "-c", "while :; do head -c 65536 /dev/zero; done", timeout=0.3)
    assert reply.ok["reason"] == "timeout"
    assert reply.ok["truncated"]["stdout"]
    assert len(reply.stdout) == frames.INITIAL_CREDIT


def test_a_host_that_reads_nothing_costs_bounded_memory(host: Host) -> None:
    streams = [host.open("run", argv=["cat", "/dev/zero"]) for _ in range(12)]
    limit = time.monotonic() + 1
    while time.monotonic() < limit:
        resident = _resident(host.process.pid)
        assert resident < 60 * 2**20
    host.grants = False
    for stream in streams:
        host.post(Frame(Kind.CANCEL, stream))
    for stream in streams:
        assert host.finish(stream).ok["reason"] == "killed"


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_agent_does_not_grow_with_its_commands(host: Host) -> None:
    for _ in range(40):
        host.run("true", timeout=60)
    before = _resident(host.process.pid)
    for _ in range(300):
        host.run("true", timeout=60)
    assert _resident(host.process.pid) - before < 2 * 2**20


@pytest.mark.parametrize("has_supervisor", [False, True])
def test_forged_signals_do_nothing(host: Host, has_supervisor: bool) -> None:
    if has_supervisor:
        _started(host, "sleep", "3600")
    text = (
        "import os\n"
        "for number in (1, 2, 3, 10, 12, 13, 14, 15, 17, 23, 34, 64):\n"
        f"    os.kill(os.getppid(), number); os.kill({host.process.pid}, number)\n"
        "print('sent')\n"
    )
    assert host.code(text).stdout == b"sent\n"
    assert host.ask("ping").ok == {}


@pytest.mark.parametrize("has_supervisor", [False, True])
def test_the_channel_is_closed_to_a_payload_of_the_same_uid(tmp_path: Path, has_supervisor: bool) -> None:
    if os.getuid() == 0:
        pytest.skip("root opens everything; the uid of a box is an ordinary one")
    text = (
        "import os, json\n"
        "found = {}\n"
        "for pid in (os.getppid(), AGENT):\n"
        "    for name in ('mem', 'fd/0', 'fd/1', 'environ'):\n"
        "        try: os.close(os.open(f'/proc/{pid}/{name}', os.O_RDONLY))\n"
        "        except OSError: continue\n"
        "        found[f'{pid}/{name}'] = 'open'\n"
        "print(json.dumps(found))\n"
    )
    with Host(str(tmp_path), {**PLAN, "walls": ["session", "dumpable"]}) as host:
        if has_supervisor:
            _started(host, "sleep", "3600")
        assert json.loads(host.code(text.replace("AGENT", str(host.process.pid))).stdout) == {}


def test_frames_may_arrive_a_byte_at_a_time(host: Host) -> None:
    host.replies[1] = Reply()
    for byte in frames.encode(json_frame(Kind.OPEN, 1, {"verb": "run", "argv": ["echo", "slowly"]})):
        os.write(host.outgoing, bytes([byte]))
    assert host.finish(1).stdout == b"slowly\n"


@pytest.mark.skipif(
    os.getuid() != 0, reason="an agent's descriptors are closed to its own uid, only root counts"
)
def test_no_descriptor_is_lost_over_many_commands(host: Host) -> None:
    host.run("true")
    before = _descriptors(host)
    for _ in range(30):
        host.run("true", stdin=True)
        host.run("true", tty={"rows": 24, "columns": 80})
        host.code("1")
        host.ask("stat", path=host.workspace)
        assert host.run("true", workdir="/nowhere").error == "not_found"
    assert _descriptors(host) <= before + 1  # the workspace's root was opened
    assert len(_children_of(host.process.pid)) == 1  # the next spare


def _descriptors(host: Host) -> int:
    """How many it has open, once the next spare was forked, as it is after every command."""
    while len(_children_of(host.process.pid)) != 1:
        host.ask("ping")
    return len(os.listdir(f"/proc/{host.process.pid}/fd"))
