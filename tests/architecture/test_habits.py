"""Habits that cost others dearly: catching everything, patching our own code, starting processes anywhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import ROOT, Module, modules

BROAD = {"Exception", "BaseException"}
# Imports are import-linter's work; these starts hide in modules everybody may import.
STARTS = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "startfile"}
STARTS |= {"create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"}
STARTERS = {"keeper", "engines", "guest", "environments", "testing", "bench"}

of_modules = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)


def _broad(module: Module) -> Iterator[ast.ExceptHandler]:
    """Handlers that catch everything and let nothing on; cleaning up and raising again is no catching."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            caught = (
                {"BaseException"} if node.type is None else set(re.findall(r"\w+", ast.unparse(node.type)))
            )
            if caught & BROAD:
                yield node


@of_modules
def test_catching_everything_has_a_reason(module: Module) -> None:
    lines = module.text.splitlines()
    handlers = [lines[node.lineno - 1] for node in _broad(module)]
    assert not [line.strip() for line in handlers if not re.search(r"#.*(BLE001|E722)[\s:,.-]+\w+", line)]


def test_catching_everything_is_rare() -> None:
    thousands = sum(module.lines for module in modules()) / 1000
    broad = [f"{module.name}:{node.lineno}" for module in modules() for node in _broad(module)]
    assert len(broad) <= max(1, thousands), broad


@of_modules
def test_processes_start_only_where_they_may(module: Module) -> None:
    if module.room in STARTERS:
        return
    called = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    attributes = [func for func in called if isinstance(func, ast.Attribute) and func.attr in STARTS]
    # A context has a method of that name, which asks for a fork in its box.
    assert not [
        text
        for text in map(ast.unparse, attributes)
        if not text.endswith(("context.fork", "_held.fork", "interpreter.fork", "checkpoints.fork"))
    ]


@pytest.mark.parametrize("module", modules(ROOT / "tests"), ids=lambda module: module.name)
def test_tests_do_not_patch_our_code(module: Module) -> None:
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not imported & {"mock", "MagicMock", "AsyncMock", "patch"}
    patched = [
        ast.unparse(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr"
    ]
    assert not [call for call in patched if "sandlot" in call]
