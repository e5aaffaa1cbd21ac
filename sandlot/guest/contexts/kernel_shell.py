"""A shell that is a Jupyter kernel of the environment: a child of this process, behind the same walls.

It is spoken to by the environment's own jupyter_client, over sockets in a folder that only this user reads
(ipc), so it needs no network; where the walls allow no named sockets there is none. `Kernel` starts it and
carries messages, `KernelShell` makes cells and questions of them. One that dies takes its context along.
"""

from __future__ import annotations

import os
import sys

from . import kernel_messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    from .outlet import Outlet

_LOOK = 50  # milliseconds between two looks at the kernel, where it cannot be waited for
_START = 50.0
_ANSWER = 15.0
_FAREWELL = 0.3
_MOST_KEPT = 1000
_SHELL, _IOPUB, _STDIN = "shell_channel", "iopub_channel", "stdin_channel"


class Kernel:
    """A kernel that runs."""

    def __init__(self, spec: Dict[str, Any]) -> None:
        """Start it and wait until it answers. Raises whatever jupyter_client and pyzmq raise."""
        import tempfile

        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import KernelManager

        wanted = ("argv", "display_name", "language", "env", "interrupt_mode", "metadata")
        told = {name: spec[name] for name in wanted if name in spec}
        kernel_spec = KernelSpec(resource_dir=spec.get("folder", ""), **told)
        specs = type("Specs", (KernelSpecManager,), {"get_kernel_spec": lambda _self, _name: kernel_spec})
        folder = tempfile.mkdtemp(prefix="kernel-")
        self._manager: Any = KernelManager(
            kernel_name=str(spec["language"]),
            kernel_spec_manager=specs(),
            transport="ipc",
            ip=os.path.join(folder, "ipc"),
            connection_file=os.path.join(folder, "kernel.json"),
        )
        self._manager.start_kernel()
        provisioner: Any = self._manager.provisioner
        self._process = provisioner.process
        own = getattr(os, "pidfd_open", None)  # since Python 3.9
        self._endings: Tuple[int, ...] = () if own is None else (own(self._process.pid),)
        self.client: Any = self._manager.blocking_client()
        self.client.start_channels(hb=False)
        self.client.wait_for_ready(timeout=_START)
        self.facts: Dict[str, Any] = self.client.kernel_info(reply=True, timeout=_START)["content"]

    def interrupt(self) -> None:
        """As its specification says: SIGINT to its group, or a message."""
        self._manager.interrupt_kernel()

    def end(self) -> None:
        """Let it end by itself, for a moment; what is left of it the supervisor ends."""
        self.client.shutdown()
        try:
            self._process.wait(_FAREWELL)
        except Exception:  # noqa: BLE001 - subprocess.TimeoutExpired, which the guest does not import
            self._process.kill()

    def waiting(self) -> List[Tuple[str, Dict[str, Any]]]:
        """The messages that are there, with their channels; waits for one."""
        sockets = {getattr(self.client, name).socket: name for name in (_SHELL, _IOPUB, _STDIN)}
        names = [sockets[ready] for ready in self.ready(*sockets)]
        return [(name, getattr(self.client, name).get_msg(timeout=0)) for name in names]

    def ready(self, *waited: Any) -> List[Any]:
        """Which of *waited*, sockets or descriptors, can be read, once one can; ends with the kernel."""
        import zmq

        poller = zmq.Poller()
        for each in (*waited, *self._endings):
            poller.register(each, zmq.POLLIN)
        while True:
            found = [each for each, _ in poller.poll(None if self._endings else _LOOK)]
            status = self._process.poll()
            if status is not None:
                os._exit(status if status >= 0 else 128 - status)
            if found:
                return found


class KernelShell:
    """Implements program.Shell by a Kernel."""

    def __init__(self, kernel: Kernel, outlet: Outlet) -> None:
        """Run cells in *kernel*."""
        self._kernel, self._outlet = kernel, outlet
        about, facts = kernel.facts.get("language_info", {}), kernel.facts
        self.language = str(about.get("name", "")), str(about.get("version", ""))
        self.name, self.version = (
            str(facts.get("implementation", "")),
            str(facts.get("implementation_version", "")),
        )
        self.features: Tuple[str, ...] = ("complete", "display", "history", "input", "inspect", "is_complete")
        self.count = 1
        self.is_leaving = False
        self.is_asking = False
        self._is_interrupted = False
        self._inputs: List[Tuple[int, str]] = []

    def end(self) -> None:
        """Let go of the kernel."""
        self._kernel.end()

    def rest(self, descriptor: int) -> None:
        """Until *descriptor* can be read; ends with the kernel."""
        self._kernel.ready(descriptor)

    def interrupt(self) -> None:
        """Interrupt the cell that runs."""
        self._is_interrupted = True
        self._kernel.interrupt()

    def run(self, code: str, *, store: bool, silent: bool) -> str:
        """Run a cell: ok, error or interrupted."""
        self._is_interrupted = False
        if store and code.strip():
            self._inputs = [*self._inputs[1 - _MOST_KEPT :], (self.count, code)]
        number = self._kernel.client.execute(
            code,
            silent=silent,
            store_history=store,
            allow_stdin=self._outlet.takes_input,
            stop_on_error=False,
        )
        content = self._settled(number)
        self.count = int(content.get("execution_count") or 0) + 1 if not silent else self.count
        self.is_leaving = any(
            isinstance(each, dict) and each.get("source") == "ask_exit"
            for each in content.get("payload") or ()
        )
        if content.get("status") == "ok":
            return "ok"
        if not self._outlet.has_raised:
            interrupted = {"ename": "KeyboardInterrupt"}
            kernel_messages.tell_error(self._outlet, interrupted if self._is_interrupted else content)
        return "interrupted" if self._is_interrupted else "error"

    def evaluate(self, expressions: Dict[str, str]) -> None:
        if expressions:
            asked = {"store_history": False, "silent": True, "user_expressions": expressions}
            content = self._settled(self._kernel.client.execute("", **asked))
            kernel_messages.tell_values(self._outlet, content.get("user_expressions") or {})

    def complete(self, code: str, cursor: int) -> Dict[str, Any]:
        told = self._asked("complete", code, cursor)
        matches = [str(each) for each in told.get("matches") or ()][:500]
        start = min(max(int(told.get("cursor_start", cursor)), 0), len(code))
        end = min(max(int(told.get("cursor_end", cursor)), start), len(code))
        return {"matches": matches, "start": start, "end": end, "metadata": told.get("metadata") or {}}

    def inspect(self, code: str, cursor: int, detail: int) -> Dict[str, Any]:
        told = self._asked("inspect", code, cursor, detail)
        return {
            "found": bool(told.get("found")),
            "data": told.get("data") or {},
            "metadata": told.get("metadata") or {},
        }

    def is_complete(self, code: str) -> Tuple[str, str]:
        told = self._asked("is_complete", code)
        return str(told.get("status", "unknown")), str(told.get("indent") or "")

    def history(self, most: int) -> List[Tuple[int, str]]:
        return self._inputs[-most:] if most else []

    def _asked(self, question: str, *about: Any) -> Dict[str, Any]:
        number = getattr(self._kernel.client, question)(*about)
        while True:
            content: Dict[str, Any] = self._kernel.client.get_shell_msg(timeout=_ANSWER)
            if content["parent_header"].get("msg_id") == number:
                return dict(content["content"])

    def _settled(self, number: str) -> Dict[str, Any]:
        """The reply to request *number*, once all that belongs to it was told."""
        reply: Dict[str, Any] = {}
        is_idle = False
        while not (is_idle and reply):
            for channel, message in self._kernel.waiting():
                kind, content = message["header"]["msg_type"], message["content"]
                is_of_it = message["parent_header"].get("msg_id") == number
                if channel == _STDIN:
                    self._ask(content)
                elif channel == _SHELL and is_of_it:
                    reply = content
                elif channel == _IOPUB:
                    kernel_messages.tell(self._outlet, kind, content)
                    is_idle = is_idle or (
                        is_of_it and kind == "status" and content.get("execution_state") == "idle"
                    )
        return reply

    def _ask(self, content: Dict[str, Any]) -> None:
        """Let the client answer; an interrupt meanwhile is the kernel's, which asks no more."""
        try:
            self.is_asking = True
            line = self._outlet.ask(str(content.get("prompt", "")), password=bool(content.get("password")))
        except (KeyboardInterrupt, self._outlet.refused):
            return
        finally:
            self.is_asking = False
        self._kernel.client.input(line)


def started(spec: Dict[str, Any], outlet: Outlet) -> KernelShell:
    """A kernel that runs cells. Raises OSError, with what to do, where it cannot be started."""
    try:
        return KernelShell(Kernel(spec), outlet)
    except ImportError as error:
        raise OSError(f"the environment lacks what speaks to kernels: {error}; add jupyter_client") from None
    except Exception as error:  # noqa: BLE001 - whatever libraries of the environment raise
        sys.stderr.write(f"sandlot: {type(error).__name__}: {error}\n")
        raise OSError(
            f"the kernel for {spec['language']} does not start here ({type(error).__name__}: {error}); "
            "it needs named sockets, which the engines zygote and bubblewrap allow"
        ) from None
