"""LambdaContext: what a handler that takes a context may read in it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Mapping, Optional


def _identifier() -> str:
    return str(uuid.uuid4())


@dataclass
class LambdaContext:
    """What is told of a call. In the sandbox the time that remains is the true one, whatever is said here."""

    function_name: str = "unknown-function"
    function_version: str = "$LATEST"
    request_id: str = field(default_factory=_identifier)
    log_group_name: str = "/lambda-sandbox/logs"
    log_stream_name: str = field(default_factory=_identifier)
    remaining_time_in_millis: int = 3000
    memory_limit_in_mb: int = 256
    invoked_function_arn: Optional[str] = None

    def get_remaining_time_in_millis(self) -> int:
        """The milliseconds that were said to remain."""
        return self.remaining_time_in_millis

    def to_dict(self) -> Dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LambdaContext:
        """The context that *data* tells; names that it does not have are left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


def create_context(**kwargs: Any) -> LambdaContext:
    """A context with *kwargs* over the defaults; raises TypeError for a name that it does not have."""
    return LambdaContext(**kwargs)
