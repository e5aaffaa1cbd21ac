"""The verbs of the command line: each takes the parsed arguments and returns the exit code."""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from sandlot.wire.archive_rules import ArchiveError, shown

from .client import NoxRunnerClient
from .exceptions import NoxRunnerError
from .fileops.unpacking import unpack
from .terminal import failure, information, passed_on, success, warning

_GZIP_MAGIC = b"\x1f\x8b"


def client_for(arguments: argparse.Namespace) -> NoxRunnerClient:
    """The client the global options ask for; raises ValueError without a base URL."""
    return NoxRunnerClient(
        base_url=arguments.base_url, timeout=arguments.timeout, local_test=arguments.local_test
    )


def health(arguments: argparse.Namespace) -> int:
    """Tell whether the service is up."""
    if client_for(arguments).health_check():
        success("Manager is healthy")
        return 0
    failure("Manager is not healthy")
    return 1


def create(arguments: argparse.Namespace) -> int:
    """Create a sandbox and perhaps wait for it; one that is not ready in time is no failure."""
    client = client_for(arguments)
    try:
        made = client.create_sandbox(
            arguments.session_id,
            ttl_seconds=arguments.ttl,
            image=arguments.image,
            cpu_limit=arguments.cpu,
            memory_limit=arguments.mem,
            ephemeral_storage_limit=arguments.storage,
        )
    except NoxRunnerError as error:
        failure(f"Failed to create noxrunner: {error}")
        return 1
    success(f"Sandbox created: {made.get('podName')}")
    if arguments.wait:
        information("Waiting for pod to be ready...")
        if client.wait_for_pod_ready(arguments.session_id, timeout=arguments.wait_timeout):
            success("Pod is ready")
        else:
            warning("Pod did not become ready within timeout")
    return 0


def execute(arguments: argparse.Namespace) -> int:
    """Run a command; its exit code is the answer's."""
    command: List[str] = arguments.cmd
    if command[:1] == ["--"]:
        command = command[1:]
    client = client_for(arguments)
    try:
        answer = client.exec(
            arguments.session_id,
            command,
            workdir=arguments.workdir,
            env=_variables(arguments.env),
            timeout_seconds=arguments.timeout_seconds,
        )
    except NoxRunnerError as error:
        failure(f"Execution failed: {error}")
        return 1
    exit_code = told(answer)
    return 0 if arguments.ignore_exit_code else exit_code


def told(answer: Dict[str, Any]) -> int:
    """Pass a command's output on; its exit code, 0 when the service named none."""
    passed_on(answer.get("stdout") or "", answer.get("stderr") or "")
    return answer.get("exitCode") or 0


def _variables(given: Optional[List[str]]) -> Dict[str, str]:
    found = {}
    for variable in given or []:
        name, equals, value = variable.partition("=")
        if equals:
            found[name] = value
        else:
            warning(f"--env {variable} has no '=' and is left out")
    return found


def upload(arguments: argparse.Namespace) -> int:
    """Send files by their base names, or a directory's by their relative ones."""
    directory = arguments.dir and Path(arguments.dir)
    objection = _objection(directory, arguments.files)
    if objection:
        failure(objection)
        return 1
    files = _files_beneath(directory) if directory else [Path(name) for name in arguments.files]
    contents: Dict[str, Union[str, bytes]] = {
        str(path.relative_to(directory)) if directory else path.name: path.read_bytes() for path in files
    }
    if not contents:
        failure("No files to upload")
        return 1
    client = client_for(arguments)
    information(f"Uploading {len(contents)} file(s)...")
    try:
        done = client.upload_files(arguments.session_id, contents, dest=arguments.dest)
    except NoxRunnerError as error:
        failure(f"Upload failed: {error}")
        return 1
    return _outcome(done, f"Uploaded {len(contents)} file(s) to {arguments.dest}", "Upload failed")


def _objection(directory: Optional[Path], names: List[str]) -> Optional[str]:
    if directory:
        return None if directory.is_dir() else f"Not a directory: {directory}"
    for name in names:
        if not Path(name).exists():
            return f"File not found: {name}"
        if Path(name).is_dir():
            return f"Is a directory (use --dir): {name}"
    return None


def _files_beneath(directory: Path) -> List[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def download(arguments: argparse.Namespace) -> int:
    """Fetch an archive, to a file as it is or unpacked beneath a directory."""
    client = client_for(arguments)
    information("Downloading files...")
    try:
        archive = client.download_files(arguments.session_id, src=arguments.src)
    except NoxRunnerError as error:
        failure(f"Download failed: {error}")
        return 1
    if arguments.output:
        Path(arguments.output).write_bytes(archive)
        success(f"Downloaded to {arguments.output}")
        return 0
    target = arguments.extract or "."
    _extract(archive, Path(target))
    success(f"Extracted to {target}")
    return 0


def _extract(archive: bytes, target: Path) -> None:
    if not archive.startswith(_GZIP_MAGIC):
        raise tarfile.ReadError("not a gzip file" if archive else "empty file")
    try:
        unpacked = unpack(archive, target, wanted=lambda _name: True, directories=True)
    except ArchiveError as error:
        raise tarfile.ReadError(str(error)) from error
    if unpacked.skipped:
        count, first = len(unpacked.skipped), shown(unpacked.skipped[0])
        warning(f"{count} member(s) left out because they lead outside or are special, first {first}")


def touch(arguments: argparse.Namespace) -> int:
    """Extend the sandbox's time to live."""
    client = client_for(arguments)
    try:
        done = client.touch(arguments.session_id)
    except NoxRunnerError as error:
        failure(f"Touch failed: {error}")
        return 1
    return _outcome(done, "TTL extended", "Failed to extend TTL")


def delete(arguments: argparse.Namespace) -> int:
    """Remove the sandbox."""
    client = client_for(arguments)
    try:
        done = client.delete_sandbox(arguments.session_id)
    except NoxRunnerError as error:
        failure(f"Delete failed: {error}")
        return 1
    return _outcome(done, "Sandbox deleted", "Failed to delete sandbox")


def _outcome(done: bool, yes: str, no: str) -> int:
    if done:
        success(yes)
        return 0
    failure(no)
    return 1
