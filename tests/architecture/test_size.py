"""A module fits in a sitting and a function on a screen."""

from __future__ import annotations

import statistics

import pytest

from tests.architecture.tree import PACKAGE, ROOT, Function, Module, modules

LONGEST_MODULE = 300
LONGEST_FUNCTION = 60
FUNCTION_P95 = 35
DEEPEST_FOLDER = 3
DEEP_BY_DECREE = "compat/sandbox_runtime/sandbox/"
"""Where a predecessor's programs look for its modules is not ours to choose."""

everything = (*modules(), *modules(ROOT / "tests"), *modules(ROOT / "examples"))
of_modules = pytest.mark.parametrize("module", everything, ids=lambda module: module.name)


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@of_modules
def test_a_module_is_short(module: Module) -> None:
    assert module.lines <= LONGEST_MODULE, f"{module.lines} lines: split it by its nouns"


@of_modules
def test_a_function_fits_on_a_screen(module: Module) -> None:
    long = [
        f"{node.name}: {_length(node)}" for node in module.functions() if _length(node) > LONGEST_FUNCTION
    ]
    assert not long


def test_most_functions_are_far_shorter() -> None:
    lengths = [_length(node) for module in modules() for node in module.functions()]
    assert statistics.quantiles(lengths, n=20)[-1] <= FUNCTION_P95


def test_folders_are_shallow() -> None:
    folders = {str(module.path.relative_to(PACKAGE).parent) for module in modules()}
    ours = [folder for folder in folders if not folder.startswith(DEEP_BY_DECREE)]
    assert not [folder for folder in ours if folder.count("/") >= DEEPEST_FOLDER]
