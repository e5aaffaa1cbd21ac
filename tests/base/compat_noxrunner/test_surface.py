"""Names, places, signatures and defaults that programs rely on."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from sandlot.compat import noxrunner

PLACES = [
    ("", "NoxRunnerClient"),
    ("", "NoxRunnerError"),
    ("", "NoxRunnerHTTPError"),
    (".client", "NoxRunnerClient"),
    (".exceptions", "NoxRunnerError"),
    (".exceptions", "NoxRunnerHTTPError"),
    (".backend", "SandboxBackend"),
    (".backend", "LocalBackend"),
    (".backend", "LocalSandboxBackend"),
    (".backend", "HTTPSandboxBackend"),
    (".backend", "RemoteSandboxBackend"),
    (".backend.base", "SandboxBackend"),
    (".backend.http", "HTTPSandboxBackend"),
    (".backend.local", "LocalBackend"),
    (".fileops", "TarHandler"),
    (".fileops.tar_handler", "TarHandler"),
    (".security", "CommandValidator"),
    (".security", "PathSanitizer"),
    (".security.command_validator", "CommandValidator"),
    (".security.path_sanitizer", "PathSanitizer"),
    (".cli", "main"),
]
_CALLS = {
    "health_check": "",
    "create_sandbox": "session_id, ttl_seconds=900, image=None, cpu_limit=None, memory_limit=None,"
    " ephemeral_storage_limit=None",
    "touch": "session_id",
    "exec": "session_id, cmd, workdir='/workspace', env=None, timeout_seconds=30",
    "upload_files": "session_id, files, dest='/workspace'",
    "download_files": "session_id, src='/workspace'",
    "delete_sandbox": "session_id",
    "wait_for_pod_ready": "session_id, timeout=30, interval=2",
}
SIGNATURES = [
    ("client", "NoxRunnerClient", "__init__", "base_url=None, timeout=30, local_test=False"),
    (
        "client",
        "NoxRunnerClient",
        "exec_shell",
        "session_id, command, workdir='/workspace', env=None, timeout_seconds=30, shell='sh'",
    ),
    ("client", "NoxRunnerClient", "download_workspace", "session_id, local_dir, src='/workspace'"),
    ("exceptions", "NoxRunnerHTTPError", "__init__", "status_code, message, response_body=''"),
    ("backend.http", "HTTPSandboxBackend", "__init__", "base_url, timeout=30"),
    ("backend.local", "LocalBackend", "__init__", "base_dir='/tmp'"),
    ("fileops.tar_handler", "TarHandler", "create_tar", "files"),
    ("fileops.tar_handler", "TarHandler", "create_tar_from_directory", "directory, src"),
    (
        "fileops.tar_handler",
        "TarHandler",
        "extract_tar",
        "tar_data, dest, sandbox_path=None, allow_absolute=False",
    ),
    ("security.command_validator", "CommandValidator", "validate", "cmd"),
    ("security.command_validator", "CommandValidator", "is_allowed", "command"),
    ("security.command_validator", "CommandValidator", "is_blocked", "command"),
    (
        "security.path_sanitizer",
        "PathSanitizer",
        "sanitize",
        "path, sandbox_path, workspace_name='workspace'",
    ),
    ("security.path_sanitizer", "PathSanitizer", "ensure_within_sandbox", "path, sandbox_path"),
    ("security.path_sanitizer", "PathSanitizer", "sanitize_filename", "filename"),
]
SIGNATURES += [
    (module, name, method, parameters)
    for module, name in [
        ("client", "NoxRunnerClient"),
        ("backend.base", "SandboxBackend"),
        ("backend.http", "HTTPSandboxBackend"),
        ("backend.local", "LocalBackend"),
    ]
    for method, parameters in _CALLS.items()
]


def _parameters(function: Any) -> str:
    _, *parameters = inspect.signature(function).parameters.values()
    return ", ".join(
        part.name if part.default is part.empty else f"{part.name}={part.default!r}" for part in parameters
    )


def test_the_version_of_the_api() -> None:
    assert noxrunner.__version__ == "2.0.0"
    assert sorted(noxrunner.__all__) == ["NoxRunnerClient", "NoxRunnerError", "NoxRunnerHTTPError"]


@pytest.mark.parametrize(("module", "name"), PLACES)
def test_names_are_where_programs_import_them(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(f"sandlot.compat.noxrunner{module}"), name)


@pytest.mark.parametrize(("module", "name", "method", "parameters"), SIGNATURES)
def test_parameters_keep_name_order_and_default(module: str, name: str, method: str, parameters: str) -> None:
    place = importlib.import_module(f"sandlot.compat.noxrunner.{module}")
    assert _parameters(getattr(getattr(place, name), method)) == parameters


def test_the_backend_is_abstract_and_has_aliases() -> None:
    from sandlot.compat.noxrunner import backend

    assert backend.SandboxBackend.__abstractmethods__ == frozenset(_CALLS)
    assert backend.RemoteSandboxBackend is backend.HTTPSandboxBackend
    assert backend.LocalSandboxBackend is backend.LocalBackend
    assert issubclass(backend.HTTPSandboxBackend, backend.SandboxBackend)
    assert issubclass(backend.LocalBackend, backend.SandboxBackend)
