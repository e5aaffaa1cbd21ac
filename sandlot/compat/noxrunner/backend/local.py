"""Local mode: commands run as the caller, in a directory per session of this machine. It isolates nothing."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from ..fileops.placing import components, opened
from ..fileops.tar_handler import TarHandler
from ..security.command_validator import CommandValidator
from ..security.path_sanitizer import PathSanitizer
from .base import SandboxBackend
from .process_tree import kill_tree

_RED, _BOLD, _PLAIN = "\033[91m", "\033[1m", "\033[0m"
_DANGER = "Nothing holds it in: SEVERE DATA LOSS and theft of data are possible"
_DEFAULT_TTL = 900


class LocalBackend(SandboxBackend):
    """Sandboxes as directories `noxrunner_sandbox_<id>` beneath `base_dir`, for tests without a service.

    Sandboxes are known to the object that made them. Times to live are noted and not enforced.
    """

    def __init__(self, base_dir: str = "/tmp") -> None:  # noqa: S108 - the default is the contract's
        self.base_dir = Path(base_dir)
        self._sandboxes: Dict[str, Dict[str, Any]] = {}
        self.validator = CommandValidator()
        self.sanitizer = PathSanitizer()
        self.tar_handler = TarHandler()
        self._print_warning("local mode runs commands on this machine, as you", _DANGER)

    def _print_warning(self, message: str, critical: Optional[str] = None) -> None:
        head = "CRITICAL WARNING" if critical else "WARNING"
        lines = [f"{_RED}{_BOLD}{head}{_PLAIN}{_RED}: {message}{_PLAIN}"]
        if critical:
            lines.append(f"{_RED}{_BOLD}{critical}{_PLAIN}")
        sys.stderr.write("\n" + "\n".join(lines) + "\n\n")
        sys.stderr.flush()

    def _get_sandbox_path(self, session_id: str) -> Path:
        safe = "".join(character for character in session_id if character.isalnum() or character in "-_")
        return self.base_dir / f"noxrunner_sandbox_{safe or 'default'}"

    def _ensure_sandbox(self, session_id: str) -> Path:
        path = self._get_sandbox_path(session_id)
        for directory in (path, path / "workspace"):
            directory.mkdir(parents=True, exist_ok=True)
            _check_own(directory)
        if session_id not in self._sandboxes:
            self._note(session_id, path, _DEFAULT_TTL)
        return path

    def _note(self, session_id: str, path: Path, ttl_seconds: int) -> datetime:
        now = datetime.now(timezone.utc)
        expires = now + timedelta(seconds=ttl_seconds)
        self._sandboxes[session_id] = {
            "path": path,
            "created_at": now,
            "expires_at": expires,
            "ttl_seconds": ttl_seconds,
        }
        return expires

    def health_check(self) -> bool:
        """True: there is nothing that could be down."""
        return True

    def create_sandbox(
        self,
        session_id: str,
        ttl_seconds: int = _DEFAULT_TTL,
        image: Optional[str] = None,
        cpu_limit: Optional[str] = None,
        memory_limit: Optional[str] = None,
        ephemeral_storage_limit: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Make the directory; image and limits are accepted and mean nothing in local mode."""
        del image, cpu_limit, memory_limit, ephemeral_storage_limit
        expires = self._note(session_id, self._ensure_sandbox(session_id), ttl_seconds)
        # Offset and Z: malformed, and what every program that reads local mode's times has to expect.
        return {"podName": f"local-{session_id}", "expiresAt": f"{expires.isoformat()}Z"}

    def touch(self, session_id: str) -> bool:
        """True; an unknown sandbox is made."""
        self._ensure_sandbox(session_id)
        sandbox = self._sandboxes[session_id]
        sandbox["expires_at"] = datetime.now(timezone.utc) + timedelta(seconds=sandbox["ttl_seconds"])
        return True

    def exec(
        self,
        session_id: str,
        cmd: List[str],
        workdir: str = "/workspace",
        env: Optional[Dict[str, str]] = None,
        timeout_seconds: int = 30,
    ) -> Dict[str, Any]:
        """Run the command with the caller's environment and `env`.

        Exit code 124 after a timeout, with everything the command started killed; 127 for a command that
        does not exist, 1 for one that is blocked or cannot be started or printed what is not text.
        """
        self._print_warning(f"running on this machine: {' '.join(cmd)}", _DANGER)
        sandbox = self._ensure_sandbox(session_id)
        if not self.validator.validate(cmd):
            return _failure(1, f"Command not allowed: {cmd[0] if cmd else 'empty'}", 0)
        directory = self.sanitizer.sanitize(workdir, sandbox)
        directory.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        try:
            done = _run(cmd, directory, {**os.environ, **(env or {})}, timeout_seconds)
        except subprocess.TimeoutExpired:
            return _failure(124, f"Command timed out after {timeout_seconds} seconds", _elapsed(start))
        except FileNotFoundError:
            return _failure(127, f"Command not found: {cmd[0]}", _elapsed(start))
        except (OSError, ValueError, TypeError) as error:
            return _failure(1, f"Execution error: {error}", _elapsed(start))
        return {
            "exitCode": done.returncode,
            "stdout": done.stdout,
            "stderr": done.stderr,
            "durationMs": _elapsed(start),
        }

    def upload_files(
        self, session_id: str, files: Dict[str, Union[str, bytes]], dest: str = "/workspace"
    ) -> bool:
        """Write the files beneath `dest`, through no symbolic link; raises OSError."""
        directory = self.sanitizer.sanitize(dest, self._ensure_sandbox(session_id))
        with opened(directory) as place:
            for name, content in files.items():
                data = content.encode("utf-8") if isinstance(content, str) else content
                place.write(self._local_name(name), [memoryview(data).tobytes()])
        return True

    def _local_name(self, name: str) -> str:
        inner = name.lstrip("/")
        parts = components(self.sanitizer.sanitize_filename(inner) if ".." in inner else inner)
        if not parts or parts == [".."]:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return "/".join(parts)

    def download_files(self, session_id: str, src: str = "/workspace") -> bytes:
        """A gzipped tar archive; raises ValueError for an unknown sandbox and a missing `src`."""
        if session_id not in self._sandboxes:
            raise ValueError(f"Sandbox {session_id} does not exist")
        source = self.sanitizer.sanitize(src, self._ensure_sandbox(session_id))
        if not source.exists():
            raise ValueError(f"{src} does not exist in the sandbox {session_id}")
        return self.tar_handler.create_tar_from_directory(source, source)

    def delete_sandbox(self, session_id: str) -> bool:
        """Remove the directory; False for a sandbox this object does not know."""
        if self._sandboxes.pop(session_id, None) is None:
            return False
        path = self._get_sandbox_path(session_id)
        if path.exists():
            shutil.rmtree(path)
        return True

    def wait_for_pod_ready(self, session_id: str, timeout: int = 30, interval: int = 2) -> bool:
        """True at once; an unknown sandbox is made."""
        del timeout, interval
        self._ensure_sandbox(session_id)
        return True


def _check_own(directory: Path) -> None:
    """Raise PermissionError unless it is a real directory of ours: base directories are often everybody's."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        message = "not a directory of yours, so somebody else may be behind it: remove it"
        raise PermissionError(errno.EPERM, message, str(directory))


def _run(
    cmd: List[str], directory: Path, env: Dict[str, str], timeout: Optional[float]
) -> subprocess.CompletedProcess[str]:
    # A session of its own can be found and killed whole; standard input stays the caller's.
    process = subprocess.Popen(
        cmd,
        cwd=str(directory),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            kill_tree(process.pid)
            raise
    return subprocess.CompletedProcess(cmd, process.returncode, stdout, stderr)


def _failure(exit_code: int, message: str, duration: int) -> Dict[str, Any]:
    return {"exitCode": exit_code, "stdout": "", "stderr": message, "durationMs": duration}


def _elapsed(start: float) -> int:
    return int((time.monotonic() - start) * 1000)
