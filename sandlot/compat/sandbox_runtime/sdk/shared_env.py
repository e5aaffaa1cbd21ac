"""SharedEnvSandbox: a session of a Sandbox Runtime service, by the methods of the original's SDK."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any, Dict, List, Mapping, Optional, Union, cast

from .errors import SandboxError
from .exchange import NO_SERVER, Exchange, Way
from .requests import Asked, asking, meant, upload
from .servers import ServerSelector, discovery_of

__all__ = ["DEFAULT_SESSION_SIZE", "SandboxError", "SharedEnvSandbox"]

DEFAULT_SESSION_SIZE = "50M"
_MOST_IN_MEMORY = 1 << 20
_log = logging.getLogger("sandlot.compat.sandbox_runtime")


class SharedEnvSandbox:
    """The session *session_id* of one of the servers; the service makes it with the first call.

    Servers are given as `servers=["http://host:port"]`, by itself or in *server_selector_params*. All calls
    of a session go to the same one as long as it is healthy, whichever process makes them; its health is
    asked for again after `check_interval` seconds (60). `key` is sent to the servers as a bearer token,
    in clear text only to loopback addresses unless `allow_plain`.

    Raises ValueError without a session id. Every method raises SandboxError, and nothing else.
    """

    def __init__(
        self,
        session_id: str,
        server_selector_type: str = "static",
        server_selector_params: Optional[Mapping[str, Any]] = None,
        *,
        server_selector: Optional[ServerSelector] = None,
        key: Optional[str] = None,
        allow_plain: bool = False,
        **kwargs: Any,
    ) -> None:
        if not session_id:
            raise ValueError("session_id is required")
        self.session_id = session_id
        self._exchange = Exchange(Way(key, allow_plain))
        self.server_selector = server_selector or ServerSelector(
            session_id,
            discovery_of(server_selector_type, {**(server_selector_params or {}), **kwargs}, self._exchange),
            server_selector_type,
        )
        self._current_server: Optional[str] = None

    @property
    def current_server(self) -> Optional[str]:
        """The server of the last call."""
        return self._current_server

    async def create_session(self, size: str = DEFAULT_SESSION_SIZE) -> Any:
        """Create the session, with room for *size* of files: `{"session_id": ...}`; an error if it exists."""
        return await self._call(asking("POST", "session", self.session_id, json={"size": size}))

    async def delete_session(self) -> bool:
        """End the session and its files; True also for one that does not exist."""
        await self._call(asking("DELETE", "session", self.session_id))
        return True

    async def upload_file(
        self, file_path: Union[str, Path], target_filename: Optional[str] = None
    ) -> Dict[str, Any]:
        """Send a file, by its base name unless another is given: `{"filename": ..., "size": ...}`.

        It is read as it is sent, so its size costs no memory.
        """
        path = Path(file_path)
        target = target_filename or path.name
        context = {"file_path": str(path), "target_filename": target, "session_id": self.session_id}
        try:
            with path.open("rb") as file:  # noqa: ASYNC230 - of this machine, read piece by piece
                return cast("Dict[str, Any]", await self._call(upload(self.session_id, target, file)))
        except FileNotFoundError as error:
            raise SandboxError(f"File not found: {path}", error, context) from error
        except OSError as error:
            raise SandboxError(f"Failed to upload file: {error}", error, context) from error

    async def download_file(self, filename: str, target_path: Union[str, Path]) -> bool:
        """Fetch a file into *target_path*, whose directories are made; it is touched when all has come."""
        target = Path(target_path)
        context = {"filename": filename, "target_path": str(target), "session_id": self.session_id}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as kept:
                asked = asking("GET", "download", self.session_id, filename)
                await self._exchange.fetch(await self._server(context), asked, cast("IO[bytes]", kept))
                kept.seek(0)
                with target.open("wb") as file:  # noqa: ASYNC230 - of this machine
                    shutil.copyfileobj(kept, file)
        except OSError as error:
            raise SandboxError(f"Failed to download file: {error}", error, context) from error
        except SandboxError as error:
            if error.message == NO_SERVER:
                raise
            told = {**error.context, **context}
            raise SandboxError(f"Failed to download file: {error.message}", error, told) from error
        return True

    async def create_file(self, content: str, filename: str, mode: int = 0o644) -> Dict[str, Any]:
        """Write text into a file: `{"filename": ..., "size": ...}`."""
        body = {"content": content, "filename": filename, "mode": mode}
        return await self._object(asking("POST", "create", self.session_id, json=body))

    async def execute(self, command: str, *args: str) -> Dict[str, Any]:
        """Run a command: `{"stdout": ..., "stderr": ..., "returncode": ...}`."""
        body = {"command": command, "args": list(args)}
        return await self._object(asking("POST", "execute", self.session_id, json=body))

    async def execute_code(
        self,
        code: str,
        filename: Optional[str] = None,
        args: Optional[List[str]] = None,
        script_type: str = "python",
        output_params: Optional[List[str]] = None,
    ) -> Dict[str, Any]:
        """Run code, as execute does; with *output_params* also `output_variables`, by name.

        Python on one line whose newlines were written as a backslash and an n is read as it was meant.
        """
        body = {
            "code": meant(code) if script_type == "python" else code,
            "filename": filename,
            "args": args or [],
            "script_type": script_type,
            "output_params": output_params or [],
        }
        return await self._object(asking("POST", "execute_code", self.session_id, json=body))

    async def list_files(self, directory: str = "", recursive: bool = False) -> List[Dict[str, Any]]:
        """The files of a directory: `[{"filename": ..., "size": ..., "type": ...}]`."""
        query = {"recursive": "true"} if recursive else {}
        asked = asking("GET", "files", self.session_id, directory, query=query)
        answer = await self._object(asked)
        if "files" not in answer:
            raise SandboxError("Failed to list files: 'files'", None, {"session_id": self.session_id})
        return cast("List[Dict[str, Any]]", answer["files"])

    async def read_file(self, filename: str, offset: int = 0, buffer_size: int = 4096) -> Dict[str, Any]:
        """A part of a file: `{"content": ..., "offset": ..., "size": ..., "is_binary": ..., "is_eof": ...}`.

        Binary content is in base64; `offset` is where the next part begins.
        """
        query = {"offset": str(offset), "buffer_size": str(buffer_size)}
        return await self._object(asking("GET", "readfile", self.session_id, filename, query=query))

    async def download_from_efast(
        self,
        file_params: List[Dict[str, Any]],
        save_path: Optional[str] = "",
        efast_url: Optional[str] = "",
        token: Optional[str] = "",
        timeout: Optional[int] = 300,
    ) -> Any:
        """Let the service fetch documents into the session: how many came, and what became of each."""
        body = {
            "file_params": file_params,
            "save_path": save_path,
            "efast_url": efast_url,
            "token": token,
            "timeout": timeout,
        }
        return await self._call(asking("POST", "download_from_efast", self.session_id, json=body))

    async def get_status(self) -> Dict[str, Any]:
        """What there is of the session; for one that does not exist, `exists` is false."""
        return cast("Dict[str, Any]", await self._call(asking("GET", "status", self.session_id)))

    async def close(self) -> None:
        """Delete the session; what goes wrong is only logged."""
        try:
            await self.delete_session()
        except SandboxError as error:
            _log.error("the session %r was not deleted: %s", self.session_id, error.message)

    async def _server(self, context: Mapping[str, Any]) -> str:
        server = await self.server_selector.select_server()
        if server is None:
            causes = self.server_selector.causes
            raise SandboxError(NO_SERVER, context={**context, **({"causes": causes} if causes else {})})
        self._current_server = server
        return server

    async def _call(self, asked: Asked) -> Any:
        """The service's answer, without the wrapping that some versions of it have."""
        context = {"method": asked.method, "path": asked.path}
        answer = await self._exchange.answer(await self._server(context), asked)
        return answer["result"] if isinstance(answer, dict) and "result" in answer else answer

    async def _object(self, asked: Asked) -> Dict[str, Any]:
        answer = await self._call(asked)
        if not isinstance(answer, dict):
            message = (
                f"Request failed: {asked.method} {asked.path} - the answer is no object: {answer!r:.100}"
            )
            raise SandboxError(message, None, {"method": asked.method, "session_id": self.session_id})
        return answer
