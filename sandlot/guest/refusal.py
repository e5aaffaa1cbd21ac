"""What the agent answers when it does not do what it was asked."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Type

_CODES = {
    errno.ENOENT: "not_found",
    errno.EEXIST: "already_exists",
    errno.EISDIR: "is_directory",
    errno.ENOTDIR: "not_directory",
    errno.ENOTEMPTY: "not_empty",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "permission_denied",
    errno.ELOOP: "path_escape",
    errno.EXDEV: "path_escape",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "too_large",
    errno.ENAMETOOLONG: "invalid",
    errno.EINVAL: "invalid",
    errno.ENXIO: "invalid",
}


class Refusal(Exception):
    """A request that ends with an error: `code` is one of the agent link's, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and what happened, with the value and the next step."""
        super().__init__(message)
        self.code = code

    def to_json(self) -> Dict[str, Any]:
        """The payload of the DONE frame."""
        return {"error": {"code": self.code, "message": str(self)}}


def from_os(error: OSError, subject: str) -> Refusal:
    """The refusal that an error of the kernel amounts to."""
    code = _CODES.get(error.errno or 0, "failed")
    return Refusal(code, f"{subject}: {os.strerror(error.errno or 0)}")


def field(request: Dict[str, Any], name: str, kind: Type[Any], default: Any = ...) -> Any:
    """One field of a request, of the type wanted; with a default it may be missing or null.

    Raises Refusal (invalid). A bool is no int here, and an int will do where a float is wanted.
    """
    value = request.get(name)
    if value is None and default is not ...:
        return default
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise Refusal("invalid", f"field {name!r} is {value!r}; it must be of type {kind.__name__}")
    return value
