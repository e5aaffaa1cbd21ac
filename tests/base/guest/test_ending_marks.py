"""What a program brought is known by the end of the table of modules, and exactly so."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import pytest

from sandlot.guest.ending import Before, Mark

Change = Callable[[Dict[Any, Any]], object]


def table() -> Dict[Any, Any]:
    return {"sys": 1, "os": 2, "__main__": 3}


@pytest.mark.parametrize(
    ("change", "late"),
    [
        (lambda _modules: None, []),
        (lambda modules: modules.update(a=1, b=2), ["a", "b"]),
        (lambda modules: modules.update(a=1, sys=2), ["a"]),
        (lambda modules: (modules.update(a=1), modules.pop("a")), []),
        (lambda modules: modules.pop("os"), None),
        (lambda modules: modules.update(a=1, os=modules.pop("os")), None),
        (lambda modules: modules.pop("__main__"), None),
        (dict.clear, None),
    ],
)
def test_keys_that_came_later_are_told_or_it_is_said_that_they_cannot(
    change: Change, late: Optional[List[str]]
) -> None:
    modules = table()
    mark = Mark(list(modules))
    change(modules)
    assert mark.since(modules) == late


@pytest.mark.parametrize(
    ("change", "late"),
    [
        (lambda modules: modules.update({"a": 1, 5: 2}), ["a", 5]),
        (lambda modules: (modules.pop("os"), modules.update(a=1, os=2, b=3)), ["a", "b"]),
        (lambda modules: modules.update(a=1, __main__=modules.pop("__main__")), ["a"]),
        (dict.clear, []),
    ],
)
def test_what_a_program_brought_is_found_whatever_it_did(change: Change, late: List[Any]) -> None:
    modules = table()
    before = Before(list(modules))
    change(modules)
    assert before.modules_since(modules) == late


def test_what_the_agent_brought_later_is_not_the_programs() -> None:
    modules = table()
    before = Before(list(modules))
    modules.update(agent=4)
    before.add(before.modules_since(modules))
    assert len(before) == len(modules)
    modules.update(mine=5)
    assert before.modules_since(modules) == ["mine"]
    del modules["os"]
    assert before.modules_since(modules) == ["mine"]


def test_keys_that_were_taken_out_and_put_in_again_do_not_hide_which_came_later() -> None:
    modules = table()
    mark = Mark(list(modules))
    aside = {name: modules.pop(name) for name in ("sys", "__main__")}
    modules.update(aside)
    mark.put_last(list(aside))
    assert mark.since(modules) == []
    mark.put_last([])
    modules.update(a=1)
    assert mark.since(modules) == ["a"]
