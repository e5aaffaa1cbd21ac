"""What starting an agent loads, and the stand-in that makes it cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.base.guest.driver import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")


_ROOMS_WITHOUT_THEIR_FACE = (
    "import sys, types; face = types.ModuleType('sandlot')\n"
    "face.__path__ = [sys.argv[1] + '/sandlot']; sys.modules['sandlot'] = face\n"
)


def _bare(program: str) -> str:
    """What a bare interpreter prints for a program that may import rooms, but not sandlot's lazy face."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _ROOMS_WITHOUT_THEIR_FACE + program, ROOT],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_greeting_needs_no_costly_module() -> None:
    costly = "ctypes re typing dataclasses enum inspect functools collections json signal threading asyncio"
    found = _bare(
        "from sandlot.guest import lean, __main__; lean.install()\n"
        "import sandlot.guest.agent\n"
        f"print([name for name in {costly.split()!r} if hasattr(sys.modules.get(name), '__file__')])"
    )
    assert found == "[]\n"


def test_the_stand_in_does_what_the_walls_need_and_then_leaves() -> None:
    found = _bare(
        "from sandlot.guest import lean; lean.install()\n"
        "from sandlot.walls import session, capabilities, syscalls\n"
        "session.forbid_dumping()\n"
        "print(syscalls.prctl(session.PR_GET_DUMPABLE), len(capabilities.held()))\n"
        "try: syscalls.call('chdir', b'/nowhere')\n"
        "except OSError as error: print(error.errno)\n"
        "print(hasattr(sys.modules['ctypes'], '__file__')); lean.uninstall()\n"
        "import ctypes; print(ctypes.CDLL(None).getpid() > 0, ctypes.__file__ is not None)"
    )
    assert found == "0 3\n2\nFalse\nTrue True\n"


def test_the_stand_in_hands_on_what_it_lacks() -> None:
    found = _bare(
        "from sandlot.guest import lean; lean.install()\n"
        "import ctypes; print(ctypes.sizeof(ctypes.c_longlong))"
    )
    assert found == "8\n"
