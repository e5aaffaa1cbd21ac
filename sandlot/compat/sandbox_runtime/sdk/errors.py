"""What the SDK's calls raise."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional


class SandboxError(Exception):
    """A call failed. `message` says how, `context` with what, `original_error` is what was caught.

    `context["status"]` and `context["err_msg"]` are the service's, where it answered with an error.
    """

    def __init__(
        self,
        message: str,
        original_error: Optional[Exception] = None,
        context: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.original_error = original_error
        self.context = dict(context or {})

    def to_dict(self) -> Dict[str, Any]:
        """message, original_error (as text, "None" without one), context."""
        return {"message": self.message, "original_error": str(self.original_error), "context": self.context}

    def __str__(self) -> str:
        return json.dumps(self.to_dict(), indent=2, default=str)
