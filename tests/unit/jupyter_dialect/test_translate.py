from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import InvalidSpec
from sandlot.server.dialects.jupyter import translate
from sandlot.server.dialects.jupyter.translate import KernelRow, Wanted, wanted_from


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, Wanted()),
        ({"name": "python"}, Wanted("python")),
        ({"name": "bash", "path": "a.ipynb"}, Wanted("bash", None, ContextSpec("bash"))),
        ({"env": {"KERNEL_USERNAME": "ada"}}, Wanted(spec=ContextSpec(env={"KERNEL_USERNAME": "ada"}))),
        ({"name": "python3", "sandbox": "lab"}, Wanted(sandbox="lab")),
    ],
)
def test_a_kernel_is_asked_for_in_the_words_of_jupyter(asked: dict[str, Any], wanted: Wanted) -> None:
    assert wanted_from(asked) == wanted


@pytest.mark.parametrize(
    "asked", [[], {"name": 3}, {"name": "Python!"}, {"env": {"A": 1}}, {"env": []}, {"sandbox": "../x"}]
)
def test_what_can_be_no_kernel_is_refused(asked: Any) -> None:
    with pytest.raises(InvalidSpec):
        wanted_from(asked)


def test_a_time_has_the_one_form_that_gateway_clients_read() -> None:
    told = translate.row_to_json(KernelRow("k", "python3", "s", "idle", 2, 1.0))
    assert datetime.strptime(told["last_activity"], "%Y-%m-%dT%H:%M:%S.%fZ").second == 1  # noqa: DTZ007 - as they do
    assert (told["execution_state"], told["connections"], told["sandbox"]) == ("idle", 2, "s")


def test_the_default_kernelspec_is_one_of_them() -> None:
    found = translate.kernelspecs()
    assert found["kernelspecs"][found["default"]]["spec"]["language"] == "python"
    with pytest.raises(InvalidSpec):
        translate.kernelspec("fortran")
