"""NoxRunnerClient: one backend, chosen at construction, behind the calls programs use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from .backend.base import SandboxBackend
from .backend.http import HTTPSandboxBackend
from .backend.local import LocalBackend
from .fileops.tar_handler import TarHandler

_NO_URL = "base_url is required unless local_test=True. Give the address of the service, http://host:port."


class NoxRunnerClient:
    """Sandboxes of the service at `base_url`, or with `local_test` in directories of this machine.

    `timeout` is in seconds and for one request; a command may take longer, as long as it was given. Raises
    ValueError without a base URL. Local mode isolates nothing.
    """

    def __init__(self, base_url: Optional[str] = None, timeout: int = 30, local_test: bool = False) -> None:
        self._backend: SandboxBackend
        if local_test:
            self._backend = LocalBackend()
        elif not base_url or not base_url.strip():
            raise ValueError(_NO_URL)
        else:
            self._backend = HTTPSandboxBackend(base_url, timeout)
        self._tar_handler = TarHandler()

    def health_check(self) -> bool:
        """Whether the backend can be used; never raises."""
        return self._backend.health_check()

    def create_sandbox(
        self,
        session_id: str,
        ttl_seconds: int = 900,
        image: Optional[str] = None,
        cpu_limit: Optional[str] = None,
        memory_limit: Optional[str] = None,
        ephemeral_storage_limit: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Create the sandbox or make sure it exists: `{"podName": ..., "expiresAt": ...}`."""
        return self._backend.create_sandbox(
            session_id, ttl_seconds, image, cpu_limit, memory_limit, ephemeral_storage_limit
        )

    def touch(self, session_id: str) -> bool:
        """Start the sandbox's time to live again."""
        return self._backend.touch(session_id)

    def exec(
        self,
        session_id: str,
        cmd: List[str],
        workdir: str = "/workspace",
        env: Optional[Dict[str, str]] = None,
        timeout_seconds: int = 30,
    ) -> Dict[str, Any]:
        """Run a command: `{"exitCode": ..., "stdout": ..., "stderr": ..., "durationMs": ...}`."""
        return self._backend.exec(session_id, cmd, workdir, env, timeout_seconds)

    def exec_shell(
        self,
        session_id: str,
        command: str,
        workdir: str = "/workspace",
        env: Optional[Dict[str, str]] = None,
        timeout_seconds: int = 30,
        shell: str = "sh",
    ) -> Dict[str, Any]:
        """Run a line in a shell of the sandbox; raises ValueError for shells other than sh and bash."""
        if shell not in ("sh", "bash"):
            raise ValueError(f"shell must be 'sh' or 'bash', got: {shell}")
        return self.exec(session_id, [shell, "-c", command], workdir, env, timeout_seconds)

    def upload_files(
        self, session_id: str, files: Dict[str, Union[str, bytes]], dest: str = "/workspace"
    ) -> bool:
        """Write files, given by relative name, beneath `dest`."""
        return self._backend.upload_files(session_id, files, dest)

    def download_files(self, session_id: str, src: str = "/workspace") -> bytes:
        """A gzipped tar archive of the files beneath `src`."""
        return self._backend.download_files(session_id, src)

    def download_workspace(
        self, session_id: str, local_dir: Union[str, Path], src: str = "/workspace"
    ) -> bool:
        """Whether at least one file beneath `src` was written to `local_dir`; never raises."""
        try:
            archive = self.download_files(session_id, src)
            return self._tar_handler.extract_tar(archive, Path(local_dir)) > 0
        except Exception:  # noqa: BLE001 - the contract: whatever goes wrong is told as False
            return False

    def delete_sandbox(self, session_id: str) -> bool:
        """Remove the sandbox and its files."""
        return self._backend.delete_sandbox(session_id)

    def wait_for_pod_ready(self, session_id: str, timeout: int = 30, interval: int = 2) -> bool:
        """Whether commands run within `timeout` seconds, tried every `interval` seconds; never raises."""
        return self._backend.wait_for_pod_ready(session_id, timeout, interval)
