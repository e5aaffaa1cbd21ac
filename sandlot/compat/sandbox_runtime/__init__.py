"""The API of the package `sandbox_runtime` 0.1.1: change the root of the imports and programs go on working.

`SPEC.md` beside this file lists what is the same, what is safer, what is ignored and what is different.
"""

from __future__ import annotations

from .sandbox.core.context import LambdaContext
from .sandbox.core.errors import ExitCode
from .sandbox.core.executor import LambdaSandboxExecutor
from .sandbox.core.result import ExecutionMetrics, StandardExecutionResult
from .sandbox.sandbox.async_instance import AsyncSandboxInstance
from .sandbox.sandbox.async_pool import AsyncSandboxPool
from .sandbox.sandbox.config import SandboxConfig
from .sdk.shared_env import SandboxError, SharedEnvSandbox

__all__ = [
    "AsyncSandboxInstance",
    "AsyncSandboxPool",
    "ExecutionMetrics",
    "ExitCode",
    "LambdaContext",
    "LambdaSandboxExecutor",
    "SandboxConfig",
    "SandboxError",
    "SharedEnvSandbox",
    "StandardExecutionResult",
]

__version__ = "0.1.1"  # of the API that is spoken here, not of sandlot
