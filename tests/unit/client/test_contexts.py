"""Contexts as people hold them: here and on a server, with and without async, they do the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import sandlot
from sandlot.contracts.cells import Begun, CellStatus, Finished, InputAsked
from sandlot.contracts.contexts import Completeness
from sandlot.contracts.errors import NotFound, Unsupported
from tests.unit.client.places import Place

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


def answered(asked: InputAsked) -> str:
    return f"{asked.prompt}-{asked.password}"


def test_a_sandbox_runs_cells_that_keep_their_state(place: Place) -> None:
    box = place.open(env={"FOR_ALL": "yes"})
    wait = place.twin.wait
    assert wait(box.run_code("import os; x = 41")).ok
    result = wait(box.run_code("print(os.environ['FOR_ALL']); x + 1"))
    assert (result.text, result.execution_count) == ("yes\n42", 2)
    failed = wait(box.run_code("1 / 0"))
    assert (failed.status, failed.error.name) == (CellStatus.ERROR, "ZeroDivisionError")
    assert wait(box.run_code("input('a')", on_input=answered)).text == "'a-False'"
    assert wait(box.run_code("__import__('getpass').getpass('p')", on_input=answered)).text == "'p-True'"
    assert wait(box.run_code("while True: pass", timeout=0.3)).status is CellStatus.TIMEOUT
    assert wait(box.run_code("x")).text == "41"
    with pytest.raises(NotFound, match="stdout"):
        wait(box.output_page(result))
    long = wait(box.run_code("print('é' * 2**20)"))
    assert (long.spilled.size, long.spilled.is_whole) == (2**21 + 1, True)
    page = wait(box.output_page(long, 2, 5))  # a page that ends within a character
    assert (page.text, page.following) == ("éé", 6)
    assert wait(box.output_page(long, 2**21 - 2, 100)).text == "é\n"
    assert wait(box.read(str(long.spilled.path), offset=2**21, length=7)) == b"\n"
    (default,) = wait(box.contexts())
    assert wait(default.run("x")).text == "41"


def test_a_context_is_held_apart_and_closed(place: Place) -> None:
    box = place.open()
    wait = place.twin.wait
    context = wait(box.context(workdir="/tmp", env={"OF_IT": "a"}))
    assert (context.language, context.facts.language) == ("python", "python")
    code = "import os; os.getcwd() + os.environ['OF_IT']"
    assert wait(context.run(code)).text == "'/tmpa'"
    first, *written, last = place.twin.all(context.stream("print(1)"))
    assert (type(first), type(last)) == (Begun, Finished)
    assert "".join(each.text for each in written) == "1\n"
    assert wait(context.is_complete("if 1:")).status is Completeness.INCOMPLETE
    assert "getcwd" in "".join(wait(context.complete("os.getcw")).matches)
    assert wait(context.inspect("len")).found
    assert [each.code for each in wait(context.history())] == [code, "print(1)"]
    wait(context.restart())
    assert wait(context.run("os")).error.name == "NameError"
    wait(context.close())
    assert wait(box.contexts()) == ()
    with pytest.raises(Unsupported, match="cobol"):
        wait(box.context("cobol"))


def test_a_context_is_copied_and_rolled_back(place: Place) -> None:
    wait = place.twin.wait
    context = wait(place.open().context())
    wait(context.run("x = [1]"))
    kept = wait(context.checkpoint())
    assert wait(context.checkpoints()) == (kept,)
    copy = wait(context.fork())
    assert wait(copy.run("x.append(2); x")).text == "[1, 2]"
    assert wait(context.run("x.append(3); x")).text == "[1, 3]"
    wait(context.rollback(kept))
    assert wait(context.run("x")).text == "[1]"
    wait(context.discard(kept))
    assert wait(context.checkpoints()) == ()
    with pytest.raises(NotFound):
        wait(context.rollback(kept))
    wait(copy.close())


def test_leaving_a_stream_interrupts_its_cell_and_keeps_the_state(place: Place) -> None:
    box = place.open()
    context = place.twin.wait(box.context())
    place.twin.wait(context.run("kept = 1"))
    place.twin.some(context.stream("print(1, flush=True)\nwhile True: pass", timeout=100), 2)
    assert place.twin.wait(context.run("kept")).text == "1"


def test_another_thread_interrupts_what_this_one_runs(url: str) -> None:
    with sandlot.Sandbox.connect(url) as box, box.context() as context:
        end: list[Any] = []
        threads: list[threading.Thread] = []
        for event in context.stream("print(1, flush=True)\nwhile True: pass"):
            if isinstance(event, Finished):
                end.append(event.status)
            elif not end and not isinstance(event, InputAsked):
                threads.append(threading.Thread(target=context.interrupt))
                threads[-1].start()
        for each in threads:  # one that comes when the context is closed would find none
            each.join()
        assert end == [CellStatus.INTERRUPTED]
