"""jupyter_client's own managers and clients, as people write them, with kernels in sandboxes."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from jupyter_client.manager import KernelManager
from jupyter_client.session import Session

from sandlot.contracts.errors import InvalidSpec, SandlotError, Unsupported
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import running_server
from tests.e2e import notebooks
from tests.e2e.notebooks import ENVIRONMENT, PATIENCE, Talk, talking

pytestmark = pytest.mark.engine
LISTING = "import os; print(sorted(os.listdir()))"


@pytest.fixture(scope="module", autouse=True)
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with notebooks.installed(tmp_path_factory.mktemp("jupyter"), environment=ENVIRONMENT):
        yield


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    """A kernel that the tests of this file share; each leaves it alive."""
    with talking() as found:
        yield found


@pytest.fixture
def shown() -> Iterator[Path]:
    """A directory that boxes of another uid can read, with a file `data/seen.txt`."""
    place = Path(tempfile.mkdtemp(prefix="sandlot-notebook-"))
    try:
        place.chmod(0o755)
        (place / "data").mkdir(mode=0o755)
        (place / "data" / "seen.txt").write_text("shown", encoding="utf-8")
        yield place
    finally:
        shutil.rmtree(place)


def is_alive(manager: KernelManager) -> bool:
    return bool(manager.is_alive())


def until_dead(manager: KernelManager) -> None:
    gone = threading.Event()
    for _ in range(200):
        if not is_alive(manager):
            return
        gone.wait(0.05)
    raise AssertionError("the kernel never ended")


def test_state_lives_from_cell_to_cell(talk: Talk) -> None:
    talk.run("kept = 6 * 7")
    assert talk.printed("print(kept)") == "42\n"


def test_whoever_reads_after_the_reply_has_missed_nothing(talk: Talk) -> None:
    asked = talk.client.execute("for i in range(5000): print(i)")
    assert talk.reply(asked)["status"] == "ok"
    told = []
    while True:
        message = talk.client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "stream":
            told.append(message["content"]["text"])
        if (
            message["content"].get("execution_state") == "idle"
            and message["parent_header"]["msg_id"] == asked
        ):
            break
    assert "".join(told).split() == [str(number) for number in range(5000)]


def test_300_cells_print_300_times(talk: Talk) -> None:
    assert [talk.printed(f"print({number})") for number in range(300)] == [f"{n}\n" for n in range(300)]


def test_interrupt_ends_the_cell_and_keeps_the_state(talk: Talk) -> None:
    talk.run("kept = 'still here'")
    asked = talk.begin("while True: pass")
    talk.manager.interrupt_kernel()
    assert talk.reply(asked)["ename"] == "KeyboardInterrupt"
    assert talk.printed("print(kept)") == "still here\n"


def test_input_is_answered_by_the_client(talk: Talk) -> None:
    def answer(_message: dict[str, object]) -> None:
        talk.client.input("Ada")

    assert talk.printed("print(input('name? '))", allow_stdin=True, stdin_hook=answer) == "Ada\n"


def test_restart_keeps_the_files_and_nothing_else(talk: Talk) -> None:
    talk.run("lost = 1; open('kept.txt', 'w').close()")
    talk.manager.restart_kernel()  # whose clients need not wait, nor connect anew
    assert "kept.txt" in talk.printed(LISTING)
    assert talk.run("lost")[0]["ename"] == "NameError"


@pytest.mark.parametrize("how", ["signal", "itself"])
def test_kernel_killed_in_a_cell_is_told_and_can_be_restarted(talk: Talk, how: str) -> None:
    code = "import os; os.kill(os.getpid(), 9)" if how == "itself" else "while True: pass"
    asked = talk.begin(code)
    if how == "signal":
        talk.manager.signal_kernel(signal.SIGKILL)
    assert talk.reply(asked)["ename"] == "KernelDied"
    until_dead(talk.manager)
    talk.manager.restart_kernel()  # tells the dead one to shut down, which the next one must not hear
    assert talk.printed("print(1)") == "1\n"
    assert is_alive(talk.manager)


def test_sockets_may_be_files_that_only_their_owner_can_open() -> None:
    with tempfile.TemporaryDirectory(prefix="sandlot-ipc-") as place:
        manager = KernelManager(kernel_name="sandlot", transport="ipc", connection_file=f"{place}/k.json")
        manager.start_kernel()
        talk = Talk(manager)
        try:
            assert talk.printed("print(1)") == "1\n"
        finally:
            talk.client.stop_channels()
            manager.shutdown_kernel()
        assert not os.listdir(place)


def test_signals_that_a_kernel_does_not_know_are_refused(talk: Talk) -> None:
    with pytest.raises(Unsupported, match="SIGUSR1"):
        talk.manager.signal_kernel(signal.SIGUSR1)
    assert is_alive(talk.manager)


def test_messages_that_are_not_signed_with_the_key_are_dropped(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Session(key=b"another key")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket, caplog.at_level(logging.WARNING):
        socket.connect(f"tcp://{talk.manager.ip}:{talk.manager.shell_port}")
        socket.send_multipart([b"no message"])
        socket.send_multipart(stranger.serialize(stranger.msg("execute_request", {"code": "forged = 1"})))
        socket.send_multipart([b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"{}"])
        assert talk.run("forged")[0]["ename"] == "NameError"
        assert not socket.poll(100)
    assert [record.getMessage() for record in caplog.records if "was dropped" in record.getMessage()]


def test_nothing_of_the_host_is_seen_but_what_the_kernelspec_names(
    shown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "s")
    folder = notebooks.install("showing", environment=ENVIRONMENT, mounts=("data:/mnt/data",), workdir="/mnt")
    notebooks.rewrite(folder, env={"TOLD": "$SECRET_OF_THE_HOST!"})
    with talking("showing", cwd=str(shown)) as boxed:
        assert boxed.printed("print(open('data/seen.txt').read())") == "shown\n"
        secret = "os.environ['TOLD'], os.environ.get('SECRET_OF_THE_HOST')"
        assert boxed.printed(f"import os; print({secret}, os.listdir('/workspace'))") == "s! None []\n"
        assert boxed.run("open('data/seen.txt', 'w')")[0]["ename"] in ("OSError", "PermissionError")


@pytest.mark.usefixtures("talk")
def test_kernels_of_a_process_share_what_makes_them() -> None:
    def children() -> list[int]:
        return [each.pid for each in descendants(os.getpid()) if each.parent == os.getpid()]

    before = children()
    with talking() as other:
        assert other.printed("print(1)") == "1\n"
        assert children() == before


def test_a_kernelspec_that_cannot_be_is_refused() -> None:
    for wishes, error in (({"environment": "nowhere"}, SandlotError), ({"memory": "lots"}, InvalidSpec)):
        notebooks.install("wrong", **wishes)
        manager = KernelManager(kernel_name="wrong")
        with pytest.raises(error):
            manager.start_kernel()
        assert not is_alive(manager)


def test_sandbox_of_a_server_ends_with_its_kernel() -> None:
    with running_server("--pool", "0") as server:
        notebooks.install("served", url=server.url, timeout="0.3s")
        with talking("served") as there:
            assert there.printed("print(1)") == "1\n"
            assert there.run("while True: pass")[0]["status"] == "error"
            server.heard("/contexts 201")
        server.heard('"DELETE /v1/sandboxes')
