"""Names say what a thing is; the public face is small and sorted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import Module, modules

# Rooms that would hold whatever has no home: a function lives with the noun it serves.
NAMELESS = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers", "base_classes"}
MOST_EXPORTS = 25

of_modules = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)


def _exports(module: Module) -> Iterator[list[str]]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            yield ast.literal_eval(node.value)


@of_modules
def test_no_room_without_a_noun(module: Module) -> None:
    assert not NAMELESS & {part.removesuffix(".py") for part in module.path.parts}


@of_modules
def test_no_version_in_a_name(module: Module) -> None:
    names = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    names += [node.name for node in module.functions()]
    assert not [name for name in names if re.search(r"_?[vV]\d$", name)]


@of_modules
def test_a_module_says_what_it_is(module: Module) -> None:
    assert ast.get_docstring(module.tree), "the first line of a module is its one sentence"


@of_modules
def test_exports_are_sorted_and_few(module: Module) -> None:
    for exports in _exports(module):
        assert exports == sorted(exports)
        assert len(exports) <= MOST_EXPORTS
