"""The API of ipybox 0.6, and CodeExecutor of its newest line: change the root of the imports.

`SPEC.md` beside this file lists what is the same, what is better, what is different and what is missing.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - who asks in vain should read why
    raise ImportError("sandlot.compat.ipybox needs Python 3.11 or later, as ipybox does")

from .code_exec import (
    ApprovalRequest,
    CodeExecutionChunk,
    CodeExecutionError,
    CodeExecutionResult,
    CodeExecutor,
)
from .container import DEFAULT_TAG, ExecutionContainer
from .errors import ExecutionError
from .executor import Execution, ExecutionClient
from .threads import arun
from .unbuilt import ResourceClient, generate_mcp_sources

__all__ = [  # noqa: RUF022 - as the repository sorts them, capitals or not
    "ApprovalRequest",
    "CodeExecutionChunk",
    "CodeExecutionError",
    "CodeExecutionResult",
    "CodeExecutor",
    "DEFAULT_TAG",
    "Execution",
    "ExecutionClient",
    "ExecutionContainer",
    "ExecutionError",
    "ResourceClient",
    "arun",
    "generate_mcp_sources",
]
