"""What a type checker must know about the public face; checked by mypy, never run."""

from __future__ import annotations

from typing import assert_type

import sandlot


def a_run_gives_a_result() -> None:
    result = sandlot.run("print(1)", timeout=1)
    assert_type(result, sandlot.Result)
    assert_type(result.isolation, sandlot.Isolation)
    assert_type(result.isolation >= sandlot.Isolation.NAMESPACE, bool)


def a_sandbox_is_a_context() -> None:
    with sandlot.Sandbox.local() as box:
        assert_type(box, sandlot.Sandbox)
        assert_type(box.run("print(1)"), sandlot.Result)


def the_version_is_text() -> None:
    assert_type(sandlot.__version__, str)
