"""A program given as text behaves as under `python -c`, though no interpreter is started for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.wire.frames import Kind
from tests.base.guest.driver import Host

ENDINGS = {
    "nothing": "",
    "exit 0": "import sys; sys.exit(0)",
    "exit 300": "import sys; sys.exit(300)",
    "exit -1": "import sys; sys.exit(-1)",
    "exit huge": "import sys; sys.exit(2**70)",
    "exit True": "import sys; sys.exit(True)",
    "exit None": "import sys; sys.exit(None)",
    "exit text": "import sys; sys.exit('a reason')",
    "exit object": "import sys; sys.exit([1, 2])",
    "bare SystemExit": "raise SystemExit",
    "error": "[][1]",
    "error in a chain": "try:\n  1/0\nexcept ZeroDivisionError as e:\n  raise KeyError('k') from e",
    "syntax error": "def f(:\n  pass",
    "interrupt": "raise KeyboardInterrupt",
    "_exit": "import os; os._exit(7)",
    "abort": "import os; os.abort()",
    "kill": "import os; os.kill(os.getpid(), 9)",
    "sigpipe is ignored": (
        "import os\nr, w = os.pipe(); os.close(r)\ntry: os.write(w, b'x')\nexcept BrokenPipeError: print(1)"
    ),
    "atexit": "import atexit; atexit.register(print, 'last'); print('first')",
    "atexit then error": "import atexit; atexit.register(print, 'last'); 1/0",
    "threads are waited for": (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()"
    ),
    "files are flushed": "f = open('kept.txt', 'w'); f.write('kept')",
    "finalisers run": "class A:\n  def __del__(self): print('deleted')\na = A()",
    "closed stdout": "import os, sys; print('x'); os.close(1)",
    "closed stdout object": "import sys; sys.stdout.close()",
    "stderr is None": "import sys; sys.stderr = None; 1/0",
    "own hook": "import sys; sys.excepthook = lambda *a: print('hook', a[0].__name__); 1/0",
    "hook that exits": "import sys\nsys.excepthook = lambda *a: sys.exit(5)\n1/0",
    "input": "print(input(), input())",
    "binary": "import sys; sys.stdout.buffer.write(bytes(range(256)))",
    "surrogates": "import sys; print('\\udcff', file=sys.stdout)",
    "names": "print(__name__, __doc__, __package__, __spec__, dir())",
    "future does not leak": "def f(x: int): pass\nprint(f.__annotations__)",
    "pickle by reference": (
        "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)"
    ),
    "multiprocessing": (
        "import multiprocessing as m\nwith m.get_context('fork').Pool(1) as p: print(p.map(abs, [-1]))"
    ),
    "subprocess": "import subprocess, sys; print(subprocess.run(['sh', '-c', 'exit 4']).returncode)",
    "asyncio": "import asyncio; print(asyncio.run(asyncio.sleep(0, 'slept')))",
}


def _reference(text: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", text]
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)}
    return subprocess.run(command, input=b"one\ntwo\n", capture_output=True, cwd=folder, env=env, check=False)


@pytest.mark.parametrize("name", ENDINGS)
def test_it_ends_as_under_the_interpreter(name: str, host: Host, tmp_path: Path) -> None:
    expected = _reference(ENDINGS[name], tmp_path)
    stream = host.start_code(ENDINGS[name], stdin=True)
    host.send(stream, Kind.INPUT, b"one\ntwo\n")
    host.send(stream, Kind.INPUT_END)
    reply = host.finish(stream)
    assert _status(reply.ok) == expected.returncode, reply.stderr
    if name != "names":
        assert reply.stdout == expected.stdout
    if expected.stderr:
        assert reply.stderr.splitlines()[-1] == expected.stderr.splitlines()[-1]
    else:
        assert reply.stderr == b""
    if name == "files are flushed":
        assert (tmp_path / "kept.txt").read_text() == "kept"


def _status(ended: dict[str, int | None]) -> int | None:
    """As subprocess tells it."""
    return ended["exit_code"] if ended["signal"] is None else -ended["signal"]


def test_a_text_with_a_null_byte_is_an_error_of_the_program(host: Host) -> None:
    reply = host.code("print(1)\0")
    assert (reply.stdout, reply.ok["exit_code"]) == (b"", 1)
    assert b"null bytes" in reply.stderr


def test_source_lines_are_there_for_whoever_asks(host: Host) -> None:
    reply = host.code("import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))")
    assert reply.stdout == b"def f():\n    return 1\n\n", reply.stderr


def test_a_thread_that_dies_is_told_with_its_name(host: Host) -> None:
    reply = host.code(
        "import threading\nt = threading.Thread(target=lambda: 1/0, name='weak'); t.start(); t.join()"
    )
    assert b"Exception in thread weak" in reply.stderr
    assert reply.ok["exit_code"] == 0


def test_output_shows_as_it_comes_when_asked(host: Host) -> None:
    stream = host.start_code("print('now')\ninput()", env={"PYTHONUNBUFFERED": "1"}, stdin=True)
    host.until(lambda: host.replies[stream].stdout == b"now\n")
    host.send(stream, Kind.INPUT_END)
    assert host.finish(stream).ok["exit_code"] == 1


def test_siblings_do_not_share_randomness(host: Host) -> None:
    said = [host.code("import random, uuid; print(random.random(), uuid.uuid4())").stdout for _ in range(2)]
    assert said[0] != said[1]


def test_a_module_left_in_the_workspace_does_not_become_the_standard_one(host: Host, tmp_path: Path) -> None:
    for name in ("json", "sitecustomize", "usercustomize", "linecache"):
        (tmp_path / f"{name}.py").write_text("print('poison')")
    (tmp_path / "mine.py").write_text("print('mine')")
    reply = host.code("import json, linecache, mine")
    assert (reply.stdout, reply.stderr) == (b"mine\n", b"")


def test_one_program_cannot_touch_the_next(host: Host) -> None:
    host.code("import builtins, sys, os\nbuiltins.print = None; sys.modules.clear(); os.environ.clear()")
    assert host.code("print('untouched')").stdout == b"untouched\n"


def test_a_program_text_may_be_long(host: Host) -> None:
    stream = host.open("run", code=True)
    text = b"x = 1  # padding\n" * 12_000 + b"print(x)\n"
    host.send(stream, Kind.SOURCE, text)
    host.send(stream, Kind.SOURCE_END)
    assert host.finish(stream).stdout == b"1\n"
