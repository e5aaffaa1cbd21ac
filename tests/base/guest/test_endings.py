"""A program ends in a fork of the agent as it does under this very interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from sandlot.wire.frames import Kind
from tests.base.guest.driver import Host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")

INPUT = b"one\ntwo\n"

# Threads and what joins them.
THREADS = {
    "a daemon thread is left": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); print('on')"
    ),
    "a timer fires": "import threading; threading.Timer(0.05, print, ['tick']).start()",
    "a daemon timer does not": (
        "import threading\nt = threading.Timer(60, print, ['tick']); t.daemon = True; t.start()"
    ),
    "threads come before atexit": (
        "import atexit, threading, time\natexit.register(print, 'exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()"
    ),
    "threads outlive an error": (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n1/0"
    ),
    "an idle pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "p = ThreadPoolExecutor(); print(p.submit(pow, 2, 3).result())"
    ),
    "a pool at the end": (
        "import atexit\nfrom concurrent.futures import ThreadPoolExecutor\np = ThreadPoolExecutor()\n"
        "atexit.register(lambda: p.submit(print, 'late'))"
    ),
    "threads outlive an exit": (
        "import sys, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nsys.exit(5)"
    ),
    "an exit in a thread is its own": (
        "import sys, threading\n"
        "t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join(); print('on')"
    ),
    "an executor is waited for": (
        "import atexit; atexit.register(print, 'exit')\nimport concurrent.futures as c, time\n"
        "c.ThreadPoolExecutor(2).submit(lambda: (time.sleep(0.1), print('done')))\nprint('main')"
    ),
    "an executor of asyncio is waited for": (
        "import asyncio, time\nasync def main():\n"
        "  asyncio.get_running_loop().run_in_executor(None, lambda: (time.sleep(0.1), print('ran')))\n"
        "asyncio.run(main())"
    ),
}

PROCESSES = {
    "a process pool ends": (
        "import concurrent.futures as c, multiprocessing as m\n"
        "with c.ProcessPoolExecutor(1, mp_context=m.get_context('fork'))"
        " as e: print(e.submit(abs, -3).result())"
    ),
    "a child of multiprocessing is joined": (
        "import multiprocessing as m, time\n"
        "p = m.get_context('fork').Process(target=lambda: (time.sleep(0.1), print('child', flush=True)))\n"
        "p.start(); print('main', flush=True)"
    ),
    "a daemon of multiprocessing is ended": (
        "import multiprocessing as m, time\n"
        "m.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True).start(); print('main')"
    ),
    "a manager ends": (
        "import multiprocessing as m\nl = m.get_context('fork').Manager().list([1]); l.append(3); print(l[:])"
    ),
    "spawned children find the program": (
        "import multiprocessing as m\np = m.get_context('spawn').Process(target=print, args=('spawned',))\n"
        "p.start(); p.join(); print(p.exitcode)"
    ),
    "a fork that falls off the end is a program": (
        "import atexit, os\nprint('once', flush=True)\npid = os.fork()\n"
        "if pid == 0: atexit.register(print, 'child')\nelse: print(os.waitpid(pid, 0)[1])"
    ),
    "a subprocess left": "import subprocess\np = subprocess.Popen(['true'])",
}

FILES = {
    "a file in a class": "class K: pass\nK.f = open('kept', 'w'); K.f.write('kept')",
    "a file in a closure": (
        "def make():\n  f = open('kept', 'w')\n  return lambda s: f.write(s)\nw = make(); w('kept')"
    ),
    "a file in a cycle": "f = open('kept', 'w'); f.write('kept')\nl = [f]; l.append(l)\ndel f",
    "a file in a thread's own": (
        "import threading\nl = threading.local(); l.f = open('kept', 'w'); l.f.write('kept')"
    ),
    "a file in a cache": (
        "import functools\n@functools.lru_cache(None)\ndef g(): return open('kept', 'w')\ng().write('kept')"
    ),
    "a file in an exception": (
        "try:\n  g = open('kept', 'w'); g.write('kept'); raise ValueError(g)\n"
        "except ValueError as e: x = e\ndel g"
    ),
    "a file in a module of the program": (
        "open('mine.py', 'w').write('f = open(\"kept\", \"w\"); f.write(\"kept\")\\n')\n"
        "import sys; sys.path.insert(0, '.'); sys.dont_write_bytecode = True\nimport mine"
    ),
    "a file in a module it imported": (
        "import colorsys\ncolorsys.f = open('kept', 'w'); colorsys.f.write('kept')"
    ),
    "a buffered writer": "import io\nw = io.BufferedWriter(io.FileIO('kept', 'w')); w.write(b'kept')",
    "a row of csv": "import csv\nw = csv.writer(open('kept', 'w')); w.writerow([1, 2])",
    "logging is shut down": (
        "import logging, logging.handlers\nl = logging.getLogger('x'); l.addHandler("
        "logging.handlers.MemoryHandler(9, target=logging.StreamHandler(open('kept', 'w'))))\n"
        "l.warning('kept')"
    ),
    "a temporary directory goes": (
        "import os, tempfile\nd = tempfile.TemporaryDirectory(dir='.'); open(os.path.join(d.name, 'f'), 'w')"
    ),
    "a temporary file goes": "import tempfile\nf = tempfile.NamedTemporaryFile(dir='.')",
    "a file that cannot be written": "f = open('/dev/full', 'w'); f.write('x')",
}

FINALISERS = {
    "finalisers see their globals": "class A:\n  def __del__(s): print(helper)\nhelper = 5\na = A()",
    "finalisers may print": "import sys\nclass A:\n  def __del__(s): sys.stdout.write('w')\na = A()",
    "finalisers come in order": (
        "class A:\n  def __init__(s, n): s.n = n\n  def __del__(s): print(s.n)\n"
        "_a = A('_a'); b = A('b'); c = A('c'); __d = A('__d')"
    ),
    "finalisers of cycles": "class A:\n  def __del__(s): print('gone')\na = A(); a.me = a",
    "finalisers of what survived a collection": (
        "import gc\nclass A:\n  def __del__(s): print('gone')\na = A(); a.me = a; gc.collect()\n"
        "b = A(); b.me = b; gc.collect(0)"
    ),
    "finalisers of what survived many": (
        "class A:\n  def __del__(s): print('gone')\na = A(); a.me = a\nkept = [[n] for n in range(20000)]"
    ),
    "a file in a cycle that survived": (
        "import gc\nclass A: pass\na = A(); a.me = a; a.f = open('kept', 'w'); a.f.write('kept')\n"
        "gc.collect(); gc.collect()"
    ),
    "finalisers without the collector": (
        "import gc\nclass A:\n  def __del__(s): print('gone')\na = A(); gc.disable()"
    ),
    "finalisers that fail": "class A:\n  def __del__(s): 1/0\na = A()",
    "finalisers of a module": (
        "open('mine.py', 'w').write('class A:\\n  def __del__(s): print(\"mod\")\\na = A()\\n')\n"
        "import sys; sys.path.insert(0, '.'); sys.dont_write_bytecode = True\nimport mine"
    ),
    "generators are closed": (
        "def g():\n  try: yield 1\n  finally: print('closed', flush=True)\nl = [g()]; next(l[0])"
    ),
    "an open asyncio loop": (
        "import asyncio\nl = asyncio.new_event_loop(); print(l.run_until_complete(asyncio.sleep(0, 1)))"
    ),
    "weakref.finalize": "import weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'finalised')",
    "weakref.finalize without atexit": (
        "import weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'finalised').atexit = False"
    ),
    "callbacks of references that go too": (
        "import weakref\nclass A: pass\na = A(); r = weakref.ref(a, lambda r: print('callback'))"
    ),
}

ATEXIT = {
    "last in, first out": "import atexit\nfor i in range(3): atexit.register(print, i)",
    "registered at the end": "import atexit\natexit.register(lambda: atexit.register(print, 'second'))",
    "an error in it": "import atexit\natexit.register(lambda: 1/0); print('x')",
    "an exit in it": "import atexit, sys\natexit.register(lambda: sys.exit(7)); print('x')",
    "an import in it": (
        "import atexit\ndef f():\n  import colorsys; print(colorsys.__name__)\natexit.register(f)"
    ),
    "not yet finalising": "import atexit, sys\natexit.register(lambda: print(sys.is_finalizing()))",
    "after an interrupt": (
        "import atexit, os, time\natexit.register(print, 'bye'); os.kill(os.getpid(), 2); time.sleep(9)"
    ),
}

EXITS = {
    "a subclass of SystemExit": "class E(SystemExit): pass\nraise E(4)",
    "an exit of an exit": "raise SystemExit(SystemExit(3))",
    "an exit of a tuple": "raise SystemExit((1, 2))",
    "an exit of a float": "raise SystemExit(1.5)",
    "a negative exit": "raise SystemExit(-5)",
    "an exit beyond a byte": "raise SystemExit(2**40 + 3)",
    "an index is no number": (
        "class I:\n  def __index__(s): return 3\n  def __str__(s): return 'I'\nraise SystemExit(I())"
    ),
    "exit()": "exit(3)",
    "exit with a word": "exit('bye')",
    "no memory": "raise MemoryError",
    "no more frames": "def f(): f()\nf()",
    "a hook that fails": "import sys\ndef h(*a): raise ValueError('in hook')\nsys.excepthook = h\n1/0",
    "faulthandler": "import faulthandler, os; faulthandler.enable(); os.abort()",
}

STREAMS = {
    "a full standard output": "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('x')",
    "a full one after exit 3": (
        "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('x'); sys.exit(3)"
    ),
    "a full file in its place": "import sys\nsys.stdout = open('/dev/full', 'w'); print('x')",
    "no standard output": "import sys\ndel sys.stdout",
    "no standard error": "import sys\ndel sys.stderr\n1/0",
    "a detached one": "import sys\nb = sys.stdout.detach(); b.write(b'raw\\n')",
    "one of memory": "import io, sys\nsys.stdout = io.StringIO(); print('gone')",
    "a line without an end": "import sys; sys.stdout.write('no newline')",
    "no modules left": "import sys\nsys.modules.clear(); print(1)",
    "no table of modules": "import sys\nsys.modules = None; print(1)",
    "a module that came back": (
        "import sys\nopen('mine.py', 'w').write('class A:\\n  def __del__(s): print(\"mod\")\\na = A()\\n')\n"
        "sys.path.insert(0, '.'); sys.dont_write_bytecode = True\nimport mine\n"
        "sys.modules['io'] = sys.modules.pop('io')"
    ),
    "no modules but objects": "import sys\nsys.modules['odd'] = 5; sys.modules[3] = 4; print(1)",
}

ALL: Dict[str, str] = {
    f"{group}: {name}": text
    for group, programs in [
        ("threads", THREADS), ("processes", PROCESSES), ("files", FILES), ("finalisers", FINALISERS),
        ("atexit", ATEXIT), ("exits", EXITS), ("streams", STREAMS),
    ]
    for name, text in programs.items()
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_it_ends_as_under_this_interpreter(name: str, tmp_path: Path) -> None:
    places = tmp_path / "reference", tmp_path / "box"
    for place in places:
        place.mkdir()
    status, output, complaint = _reference(ALL[name], places[0])
    ended, reply = _in_a_box(ALL[name], places[1])
    assert (ended, reply.stdout) == (status, output), reply.stderr
    assert _last_line(reply.stderr) == _last_line(complaint)
    assert _files(places[1]) == _files(places[0])


def test_a_warning_at_the_end_names_no_file_of_ours(tmp_path: Path) -> None:
    text = "import warnings; warnings.simplefilter('always'); f = open('/etc/passwd')"
    _, reply = _in_a_box(text, tmp_path)
    assert reply.stderr.startswith(b"sys:1: ResourceWarning: unclosed file")
    assert b"sandlot" not in reply.stderr


def _reference(text: str, folder: Path) -> Tuple[int, bytes, bytes]:
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, input=INPUT, capture_output=True, cwd=str(folder), env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def _in_a_box(text: str, folder: Path) -> Tuple[int, Any]:
    with Host(str(folder)) as host:
        stream = host.start_code(text, stdin=True)
        host.send(stream, Kind.INPUT, INPUT)
        host.send(stream, Kind.INPUT_END)
        reply = host.finish(stream)
    code = reply.ok["exit_code"]
    return (-reply.ok["signal"] if code is None else code), reply


def _last_line(complaint: bytes) -> bytes:
    lines = complaint.replace(b"<string>", b"<code>").splitlines()
    return lines[-1] if lines else b""


def _files(folder: Path) -> Dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
