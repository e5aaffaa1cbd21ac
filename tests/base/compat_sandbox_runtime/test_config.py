from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from sandlot.compat.sandbox_runtime import ExitCode, LambdaContext, SandboxConfig
from sandlot.compat.sandbox_runtime.sandbox.core import errors
from sandlot.compat.sandbox_runtime.sandbox.core.context import create_context
from sandlot.compat.sandbox_runtime.sandbox.sandbox.config import ignored, limits_of
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.spec import Limits


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        ({}, Limits()),
        ({"memory_limit": 131_072}, Limits(memory=Bytes(128 * 2**20))),
        ({"cpu_quota": 0.5}, Limits(cpu=Cores(0.5))),
        ({"cpu_quota": os.cpu_count()}, Limits()),
        ({"cpu_quota": 1_000_000}, Limits()),
        ({"max_user_progress": 10}, Limits(pids=10)),
        ({"tmpfs_size": "50M"}, Limits(disk=Bytes(50 * 2**20))),
        ({"tmpfs_size": "4096"}, Limits(disk=Bytes(4096))),
        ({"tmpfs_size": "2k"}, Limits(disk=Bytes(2048))),
    ],
)
def test_a_configuration_is_true_to_its_names(fields: Dict[str, Any], limits: Limits) -> None:
    assert limits_of(SandboxConfig(**fields)) == limits


@pytest.mark.parametrize(
    "fields",
    [
        {"memory_limit": 0},
        {"cpu_quota": -1},
        {"max_user_progress": 0},
        {"tmpfs_size": "50%"},
        {"tmpfs_size": ""},
    ],
)
def test_a_limit_that_cannot_be_is_refused(fields: Dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        limits_of(SandboxConfig(**fields))


def test_what_is_ignored_is_named() -> None:
    assert ignored(SandboxConfig(memory_limit=1, allow_network=True)) == ()
    config = SandboxConfig(max_task_count=3, writable_paths=["/tmp"], working_dir="/x")
    assert (config.max_task_count, config.working_dir, config.max_idle_time) == (3, "/x", 60)
    assert ignored(config) == ("max_task_count", "working_dir", "writable_paths")


def test_a_configuration_shows_itself() -> None:
    told = SandboxConfig().to_dict()
    assert told["readonly_paths"] == told["writable_paths"] == []
    assert str(SandboxConfig()) == f"SandboxConfig({told})"
    assert len(told) == 11


def test_a_context_has_its_defaults_and_no_other_names() -> None:
    context = LambdaContext()
    told = context.to_dict()
    assert told["function_name"] == "unknown-function"
    assert (context.memory_limit_in_mb, context.get_remaining_time_in_millis()) == (256, 3000)
    assert (context.function_version, context.log_group_name) == ("$LATEST", "/lambda-sandbox/logs")
    assert context.invoked_function_arn is None
    assert len(context.request_id) == len(context.log_stream_name) == 36
    assert context.request_id != LambdaContext().request_id
    assert LambdaContext.from_dict({**told, "unknown": 1}) == context
    assert create_context(function_name="f").function_name == "f"
    with pytest.raises(TypeError, match="unknown"):
        create_context(unknown=1)


def test_exit_codes_have_words_and_exceptions() -> None:
    assert [int(code) for code in ExitCode] == list(range(8))
    assert len({ExitCode.get_description(code) for code in ExitCode}) == 8
    assert ExitCode.get_description(99) == "an unknown exit code"
    raised = [
        errors.SandboxException("m"),
        errors.CodeLoadError("m"),
        errors.HandlerExecutionError("m"),
        errors.TimeoutError("m"),
        errors.NoAvailableSandboxError(),
    ]
    assert [each.exit_code for each in raised] == [6, 1, 2, 5, 4]
    assert "in use" in raised[-1].message
