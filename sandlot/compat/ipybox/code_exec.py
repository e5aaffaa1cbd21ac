"""CodeExecutor of ipybox 0.7 and later: code in a sandbox of its own, or in a kernel gateway's kernel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sandlot.contracts.errors import Unsupported

from . import errors
from .container import ExecutionContainer, is_walled
from .errors import ExecutionError
from .kernel import Gateway, Kernel
from .messages import Text
from .pictures import kept
from .running import Running
from .threads import arun

_HEARTBEAT: Final = 10.0
_RETRIES, _RETRY_INTERVAL = 10, 1.0
_FIRST: Final = """import os, sys
os.environ.update({env!r})
if "/app" not in sys.path:
    sys.path.append("/app")
if "get_ipython" in globals():
    get_ipython().run_line_magic("colors", "nocolor")
del os, sys
"""
_PLAIN: Final = {"TERM": "dumb", "NO_COLOR": "1"}


class CodeExecutionError(Exception):
    """Code failed. The message is `NAME: VALUE` and the traceback."""


@dataclass
class CodeExecutionChunk:
    """A chunk of output, as it came."""

    text: str


@dataclass
class CodeExecutionResult:
    """What code that succeeded brought forth: `text` is None for nothing, `images` are files."""

    text: str | None
    images: list[Path]


@dataclass(frozen=True)
class ApprovalRequest:
    """Code wants to call a tool. None is ever asked for, for no tool can be called yet."""

    server_name: str
    tool_name: str
    tool_args: Mapping[str, Any] = field(default_factory=dict)


class CodeExecutor:
    """A kernel, from `start` to `stop`; code waits for the code before it."""

    def __init__(
        self,
        tool_server_host: str = "localhost",
        tool_server_port: int | None = None,
        kernel_gateway_host: str = "localhost",
        kernel_gateway_port: int | None = None,
        kernel_env: Mapping[str, str] | None = None,
        working_dir: Path | None = None,
        images_dir: Path | None = None,
        approval_timeout: float | None = None,
        connect_timeout: float = 30,
        kernel_init_timeout: float = 10,
        sandbox: bool = False,
        sandbox_config: Path | None = None,
        log_level: str = "WARNING",
        approve_tool_calls: bool = True,
        approve_shell_cmds: bool = False,
        require_shell_escape: bool = False,
    ) -> None:
        """Nothing is started yet.

        Without *kernel_gateway_port* it is a sandbox of its own, and *working_dir* is shown in it as a
        directory of that name below /app; with one the kernel is made at *kernel_gateway_host*, and
        *working_dir* is a path there. In between the kernel is always brought back to it. *kernel_env* are
        variables of the kernel, *images_dir* is where pictures are kept (`images`), *kernel_init_timeout* the
        seconds a kernel may take to get ready. The rest is about tools and changes nothing.

        Raises ValueError as the original, and Unsupported for what is not built: the tool server, approval
        of shell commands, the *sandbox_config* of srt, and *sandbox* at a gateway, which may be none.
        """
        if require_shell_escape and not approve_shell_cmds:
            raise ValueError("require_shell_escape=True requires approve_shell_cmds=True")
        _refuse("tool_server_host", tool_server_host != "localhost", "no tool can be called yet")
        _refuse("tool_server_port", tool_server_port is not None, "no tool can be called yet")
        _refuse("approve_shell_cmds", approve_shell_cmds, "the sandbox is what keeps commands in")
        _refuse("sandbox_config", sandbox_config is not None, "limits come from sandlot config")
        has_gateway = kernel_gateway_port is not None
        _refuse("sandbox", sandbox and has_gateway, "leave kernel_gateway_port out for a sandbox of its own")
        self.kernel_gateway_host, self.kernel_gateway_port = kernel_gateway_host, kernel_gateway_port
        self.kernel_env, self.sandbox = dict(kernel_env or {}), sandbox
        self.working_dir = working_dir
        if working_dir is not None and not has_gateway:
            self.working_dir = working_dir.resolve()
        self.images_dir = images_dir or Path("images")
        self.kernel_init_timeout = kernel_init_timeout
        self.approval_timeout, self.connect_timeout = approval_timeout, connect_timeout
        self.approve_tool_calls, self.log_level = approve_tool_calls, log_level
        self._stack = AsyncExitStack()
        self._gateway: Gateway | None = None
        self._kernel: Kernel | None = None
        self._running: Running | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the sandbox, where it is one of its own, and a kernel.

        Raises SandlotError, RuntimeError when no gateway answers, TimeoutError.
        """
        if self._gateway is not None:
            raise RuntimeError("the executor is started: stop it before it is started again")
        try:
            self._gateway = await self._reached()
            await self.reset()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the kernel, and the sandbox that is its own; idempotent."""
        kernel, self._kernel, self._gateway = self._kernel, None, None
        try:
            if kernel is not None:
                await kernel.close()
        finally:
            await self._stack.aclose()

    async def reset(self) -> None:
        """Another kernel in place of this one; files stay. Raises as `start`."""
        if self._gateway is None:
            raise RuntimeError("Not connected to kernel")
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            await kernel.close()
        kernel = Kernel(self._gateway, _FIRST.format(env={**_PLAIN, **self.kernel_env}))
        try:
            await kernel.open(_RETRIES, _RETRY_INTERVAL, self.kernel_init_timeout)
        except errors.ConnectionError as error:
            raise RuntimeError(str(error)) from error
        self._kernel = kernel

    def cancel(self) -> None:
        """Interrupt the code that runs: its `stream` ends without a result. Without any nothing happens."""
        if self._running is not None:
            self._running.cancel()

    async def execute(self, code: str, timeout: float | None = None) -> CodeExecutionResult:
        """What *code* brings forth; no text and no images when it was cancelled. Raises as `stream`."""
        async with aclosing(self.stream(code, timeout)) as items:
            async for item in items:
                if isinstance(item, CodeExecutionResult):
                    return item
        return CodeExecutionResult(None, [])

    async def stream(
        self, code: str, timeout: float | None = None, chunks: bool = False
    ) -> AsyncGenerator[ApprovalRequest | CodeExecutionChunk | CodeExecutionResult, None]:
        """What *code* brings forth, with *chunks* as it comes, and its result last.

        Raises CodeExecutionError when it fails, TimeoutError when it was interrupted after *timeout* seconds,
        RuntimeError when there is no kernel any more. Leaving early interrupts it.
        """
        running = await self._asked(code)
        texts: list[str] = []
        images: list[Path] = []
        self._running = running
        try:
            async for output in running.outputs(timeout):
                if isinstance(output, Text):
                    texts.append(output.text)
                    if chunks:
                        yield CodeExecutionChunk(output.text)
                else:
                    images.append(await arun(kept, self.images_dir, output))
            if not running.was_cancelled:
                yield CodeExecutionResult("".join(texts).strip() if texts else None, images)
        except ExecutionError as error:
            raise _failed(error) from None
        except TimeoutError:
            told = f"Code execution exceeded timeout of {timeout:.2f}s (approval wait excluded)."
            raise TimeoutError(told) from None
        except errors.ConnectionError as error:
            raise RuntimeError(str(error)) from error
        finally:
            await running.stop()

    async def _reached(self) -> Gateway:
        if self.kernel_gateway_port is not None:
            return Gateway(self.kernel_gateway_host, self.kernel_gateway_port, _HEARTBEAT)
        if self.sandbox and not is_walled():
            raise Unsupported(
                "sandbox=True, and the settings choose `process`, which is none: see sandlot config"
            )
        binds = {} if self.working_dir is None else {str(self.working_dir): self.working_dir.name}
        container = ExecutionContainer(binds=binds, env=self.kernel_env)
        await self._stack.enter_async_context(container)
        return Gateway("127.0.0.1", container.executor_port, _HEARTBEAT)

    @property
    def _place(self) -> str:
        """Where in the kernel's file system the working directory is."""
        if self.working_dir is None:
            return ""
        return f"/app/{self.working_dir.name}" if self.kernel_gateway_port is None else str(self.working_dir)

    async def _asked(self, code: str) -> Running:
        if self._kernel is None:
            raise RuntimeError("Not connected to kernel")
        try:
            if self.working_dir is not None:
                await self._kernel.run(f"__import__('os').chdir({self._place!r})", self.kernel_init_timeout)
            return await self._kernel.ask(code, self.kernel_init_timeout)
        except ExecutionError as error:
            raise _failed(error) from None
        except errors.ConnectionError as error:
            raise RuntimeError(str(error)) from error


def _failed(error: ExecutionError) -> CodeExecutionError:
    return CodeExecutionError(f"{error}\n{error.trace or ''}")


def _refuse(name: str, is_asked: bool, instead: str) -> None:
    """Raise Unsupported for the parameter *name* when it *is_asked*."""
    if is_asked:
        raise Unsupported(f"CodeExecutor's {name} is not built yet: leave it out; {instead}")
