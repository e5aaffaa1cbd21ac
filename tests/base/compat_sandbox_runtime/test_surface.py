"""Names, places, signatures and defaults that programs rely on, and what an old Python is told."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any, Callable, List, Tuple

import pytest

from sandlot.compat import sandbox_runtime
from sandlot.compat.sandbox_runtime import (
    AsyncSandboxInstance,
    AsyncSandboxPool,
    LambdaContext,
    LambdaSandboxExecutor,
    SandboxConfig,
    SharedEnvSandbox,
)
from sandlot.contracts.errors import Unsupported

PLACES = [
    ("sdk.shared_env", "SharedEnvSandbox"),
    ("sdk.shared_env", "SandboxError"),
    ("sandbox.core.executor", "LambdaSandboxExecutor"),
    ("sandbox.core.executor", "invoke"),
    ("sandbox.core.result", "StandardExecutionResult"),
    ("sandbox.core.result", "ExecutionMetrics"),
    ("sandbox.core.errors", "ExitCode"),
    ("sandbox.core.errors", "NoAvailableSandboxError"),
    ("sandbox.core.context", "LambdaContext"),
    ("sandbox.core.context", "create_context"),
    ("sandbox.sandbox.async_pool", "AsyncSandboxPool"),
    ("sandbox.sandbox.async_instance", "AsyncSandboxInstance"),
    ("sandbox.sandbox.config", "SandboxConfig"),
    ("cli.main", "main"),
]
_CONFIG = (
    "cpu_quota=None, memory_limit=None, allow_network=False, max_task_count=10, max_user_progress=1000,"
    " timeout_seconds=300, working_dir=None, readonly_paths=None, writable_paths=None, tmpfs_size='100M',"
    " max_idle_time=60"
)
_CONTEXT = (
    "function_name='unknown-function', function_version='$LATEST', request_id=<factory>,"
    " log_group_name='/lambda-sandbox/logs', log_stream_name=<factory>, remaining_time_in_millis=3000,"
    " memory_limit_in_mb=256, invoked_function_arn=None"
)
SIGNATURES: List[Tuple[Callable[..., Any], str]] = [
    (SharedEnvSandbox.create_session, "size='50M'"),
    (SharedEnvSandbox.delete_session, ""),
    (SharedEnvSandbox.upload_file, "file_path, target_filename=None"),
    (SharedEnvSandbox.download_file, "filename, target_path"),
    (SharedEnvSandbox.create_file, "content, filename, mode=420"),
    (SharedEnvSandbox.execute, "command, *args"),
    (
        SharedEnvSandbox.execute_code,
        "code, filename=None, args=None, script_type='python', output_params=None",
    ),
    (SharedEnvSandbox.list_files, "directory='', recursive=False"),
    (SharedEnvSandbox.read_file, "filename, offset=0, buffer_size=4096"),
    (
        SharedEnvSandbox.download_from_efast,
        "file_params, save_path='', efast_url='', token='', timeout=300",
    ),
    (SharedEnvSandbox.get_status, ""),
    (SharedEnvSandbox.close, ""),
    (LambdaSandboxExecutor.__init__, "pool=None"),
    (LambdaSandboxExecutor.invoke, "handler_code, event, context_kwargs=None"),
    (LambdaSandboxExecutor.shutdown, ""),
    (AsyncSandboxPool.__init__, "pool_size=5, config=None"),
    (AsyncSandboxPool.acquire, "timeout=10.0"),
    (AsyncSandboxPool.release, "sandbox"),
    (AsyncSandboxInstance.execute, "task_data"),
    (SandboxConfig.__init__, _CONFIG),
    (LambdaContext.__init__, _CONTEXT),
]


@pytest.mark.parametrize(("place", "name"), PLACES)
def test_a_name_is_where_it_was(place: str, name: str) -> None:
    module = importlib.import_module(f"sandlot.compat.sandbox_runtime.{place}")
    assert callable(getattr(module, name))


@pytest.mark.parametrize(("function", "wanted"), SIGNATURES)
def test_a_signature_is_what_it_was(function: Callable[..., Any], wanted: str) -> None:
    found = inspect.signature(function)
    shown = [
        str(part.replace(annotation=part.empty)) for name, part in found.parameters.items() if name != "self"
    ]
    assert ", ".join(shown) == wanted


def test_all_is_there() -> None:
    assert all(hasattr(sandbox_runtime, name) for name in sandbox_runtime.__all__)


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="sandboxes of this machine work from Python 3.11 on")
@pytest.mark.parametrize("kind", ["AsyncSandboxPool", "LambdaSandboxExecutor"])
def test_an_old_python_is_told_what_it_needs(kind: str) -> None:
    with pytest.raises(Unsupported, match=r"need Python 3\.11 or later, this is 3"):
        getattr(sandbox_runtime, kind)()
