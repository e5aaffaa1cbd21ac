"""Importing costs nothing, does nothing, and never goes in a circle (the arrows are import-linter's)."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys

import grimp
import pytest

from tests.architecture.tree import ROOT, Module, modules

_LOADED = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import sandlot
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_no_import_cycles() -> None:
    graph = grimp.build_graph("sandlot", exclude_type_checking_imports=True, cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(needs).prepare()


def test_import_loads_only_the_standard_library_and_no_room() -> None:
    command = [sys.executable, "-I", "-S", "-c", _LOADED, str(ROOT)]
    loaded = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    foreign = [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names]
    assert foreign == ["sandlot", "sandlot._version"]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_nothing_happens_on_import(module: Module) -> None:
    calls = [
        node for node in module.tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    assert not [ast.unparse(call) for call in calls]
