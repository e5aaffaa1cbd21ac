"""ExecutionClient of ipybox 0.6: code runs in a kernel of a container, or of any kernel gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from . import errors
from .errors import ExecutionError
from .kernel import Gateway, Kernel
from .messages import Text
from .pictures import image_of
from .running import Running
from .threads import arun

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ConnectionError", "Execution", "ExecutionClient", "ExecutionError", "ExecutionResult"]

ConnectionError = errors.ConnectionError  # noqa: A001 - the name that the original's programs catch
_TIMEOUT: Final = 120.0
_FIRST: Final = """import sys
if "/app" not in sys.path:
    sys.path.append("/app")
"""


@dataclass
class ExecutionResult:
    """What code that succeeded brought forth: `text` is None when it wrote nothing."""

    text: str | None
    images: list[Image]


class Execution:
    """Code that was submitted. It is read once, by `stream` or `result`."""

    def __init__(self, client: ExecutionClient, running: Running) -> None:
        """Read *running*, which *client* has submitted."""
        self.client, self.req_id = client, running.request_id
        self._running = running
        self._chunks: list[str] = []
        self._images: list[Image] = []
        self._is_read = False

    async def result(self, timeout: float = _TIMEOUT) -> ExecutionResult:
        """Everything, once the code has run. Raises as `stream`."""
        async for _ in self.stream(timeout):
            pass
        text = "".join(self._chunks).strip() if self._chunks else None
        return ExecutionResult(text, self._images)

    async def stream(self, timeout: float = _TIMEOUT) -> AsyncIterator[str]:
        """Chunks of text as the code writes them; pictures are in `result` only. Nothing when it was read.

        Raises ExecutionError when the code fails, ConnectionError when the kernel is lost, and TimeoutError
        when it runs for more than *timeout* seconds: it is interrupted then, and the kernel keeps its state.
        """
        if self._is_read:
            return
        try:
            async for output in self._running.outputs(timeout):
                if isinstance(output, Text):
                    self._chunks.append(output.text)
                    yield output.text
                else:
                    self._images.append(await arun(image_of, output))
        finally:
            self._is_read = True


class ExecutionClient:
    """A kernel of its own at *host* and *port*, from `connect` to `disconnect`, which keeps its state.

    *heartbeat_interval* are the seconds between pings to it.
    """

    def __init__(self, port: int, host: str = "localhost", heartbeat_interval: float = 10) -> None:
        """Nothing is connected yet."""
        self.port, self.host = port, host
        self._gateway = Gateway(host, port, heartbeat_interval)
        self._kernel: Kernel | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    @property
    def kernel_id(self) -> str:
        """The kernel's id. Raises ValueError when there is none."""
        if self._kernel is None or self._kernel.id is None:
            raise ValueError("Not connected to kernel")
        return self._kernel.id

    @property
    def base_http_url(self) -> str:
        """Where kernels are made."""
        return f"{self._gateway.url}/api/kernels"

    @property
    def kernel_http_url(self) -> str:
        """Where the kernel is. Raises ValueError when there is none."""
        return f"{self.base_http_url}/{self.kernel_id}"

    @property
    def kernel_ws_url(self) -> str:
        """Where its messages go. Raises ValueError when there is none."""
        return f"{self.kernel_http_url.replace('http:', 'ws:', 1)}/channels"

    async def connect(self, retries: int = 10, retry_interval: float = 1.0) -> None:
        """Start a kernel and connect to it; one that it had before is ended.

        Raises ConnectionError after *retries* tries, *retry_interval* seconds apart.
        """
        await self.disconnect()
        kernel = Kernel(self._gateway, _FIRST)
        await kernel.open(retries, retry_interval, _TIMEOUT)
        self._kernel = kernel

    async def disconnect(self) -> None:
        """End the kernel; idempotent."""
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            await kernel.close()

    async def execute(self, code: str, timeout: float = _TIMEOUT) -> ExecutionResult:
        """What *code* brings forth. Raises as `submit` and Execution.stream."""
        execution = await self.submit(code)
        return await execution.result(timeout)

    async def submit(self, code: str) -> Execution:
        """Ask for *code* to be run, after what was asked before. Raises ConnectionError."""
        if self._kernel is None:
            raise ConnectionError("Not connected to kernel")
        return Execution(self, await self._kernel.ask(code, _TIMEOUT))
