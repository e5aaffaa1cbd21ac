"""The verbs every NoxRunner backend has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Optional, Union


class SandboxBackend(ABC):
    """Sandboxes by session id. Programs may subclass this to bring a backend of their own."""

    @abstractmethod
    def health_check(self) -> bool:
        """Whether the backend can be used; never raises."""

    @abstractmethod
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

    @abstractmethod
    def touch(self, session_id: str) -> bool:
        """Start the sandbox's time to live again."""

    @abstractmethod
    def exec(
        self,
        session_id: str,
        cmd: List[str],
        workdir: str = "/workspace",
        env: Optional[Dict[str, str]] = None,
        timeout_seconds: int = 30,
    ) -> Dict[str, Any]:
        """Run a command: `{"exitCode": ..., "stdout": ..., "stderr": ..., "durationMs": ...}`."""

    @abstractmethod
    def upload_files(
        self, session_id: str, files: Dict[str, Union[str, bytes]], dest: str = "/workspace"
    ) -> bool:
        """Write files, given by relative name, beneath `dest`."""

    @abstractmethod
    def download_files(self, session_id: str, src: str = "/workspace") -> bytes:
        """A gzipped tar archive of the files beneath `src`."""

    @abstractmethod
    def delete_sandbox(self, session_id: str) -> bool:
        """Remove the sandbox and its files."""

    @abstractmethod
    def wait_for_pod_ready(self, session_id: str, timeout: int = 30, interval: int = 2) -> bool:
        """Whether commands run within `timeout` seconds, tried every `interval` seconds; never raises."""
