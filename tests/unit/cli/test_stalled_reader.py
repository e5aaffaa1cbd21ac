"""`sandlot run` ends when it is told to, also while whoever reads its output stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.unit.local.machine import obstacle

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(30)]

_FLOOD = "while True: print('x' * 1000)"
_MAIN = "import sys; from sandlot.cli.main import main; sys.exit(main())"


def test_a_signal_ends_it_while_its_output_is_not_read() -> None:
    if obstacle() is not None:
        pytest.skip("bubblewrap does not work here")
    reader, writer = os.pipe()
    argv = [sys.executable, "-c", _MAIN, "run", "--timeout", "20s", "-c", _FLOOD]
    with subprocess.Popen(argv, stdout=writer, stdin=subprocess.DEVNULL) as told:
        os.close(writer)
        os.read(reader, 1)  # the program runs, and from now on nobody reads
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                told.wait(0.5)  # the pipe is full by then
            told.send_signal(signal.SIGTERM)
            assert told.wait(5) == 128 + signal.SIGTERM
        finally:
            told.kill()
            os.close(reader)
