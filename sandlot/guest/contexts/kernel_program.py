"""The program of a context of another language than Python: the same loop, before a Jupyter kernel."""

from __future__ import annotations

import os

from . import kernel_shell, kernels
from .program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, NoReturn

    from .kernel_shell import KernelShell

_REFUSED = 3


class KernelProgram(Program):
    """One context in its process; its cells run in a child."""

    _kernel: KernelShell

    def __init__(self, namespace: Dict[str, Any], language: str) -> None:
        """Take the process over and start the kernel for *language*; where there is none, say why and end."""
        self._language = language
        super().__init__(namespace)

    def serve(self) -> None:
        super().serve()
        self._kernel.end()

    def _made_shell(self, _namespace: Dict[str, Any]) -> KernelShell:
        spec = kernels.found(self._language)
        if spec is None:
            self._refuse(kernels.refusal(self._language))
        try:
            self._kernel = kernel_shell.started(spec, self._outlet)
        except OSError as error:
            self._refuse(str(error))
        return self._kernel

    def _rest(self) -> None:
        if not self._channel.has_request:
            self._kernel.rest(self._channel.requests)

    def _puts_off(self) -> bool:
        """An interrupt is the kernel's, and of this process only while it waits for a line of the client."""
        self._kernel.interrupt()
        return not self._kernel.is_asking or self._channel.puts_off()

    def _refuse(self, why: str) -> NoReturn:
        self._channel.tell({"event": "refused", "message": why.encode("ascii", "replace").decode()[:2000]})
        os._exit(_REFUSED)
