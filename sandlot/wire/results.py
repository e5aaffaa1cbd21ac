"""Result as JSON: the answer of `POST /v1/run` and of a command run whole."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Isolation

from .fields import Fields, text_or_base64

_OUTPUTS = (("stdout", "stdoutBase64"), ("stderr", "stderrBase64"))


def result_to_json(result: Result) -> Dict[str, Any]:
    """*result* as its reader gets it: bytes that are not UTF-8 come as base64 besides the text."""
    told = result.to_json()
    told["durationMs"] = round(result.duration * 1000)  # NoxRunner's readers expect a whole number
    for name, encoded in _OUTPUTS:
        is_text, text = text_or_base64(getattr(result, name))
        if not is_text:
            told[encoded] = text
    return told


def result_from(value: object) -> Result:
    """The Result that *value* tells; fields it does not know are passed over. Raises InvalidSpec."""
    fields = Fields(value)
    truncated = fields.inner("truncated")
    return Result(
        exit_code=fields.count("exitCode", least=-255, most=255),
        reason=reason_of(fields),
        stdout=_output(fields, "stdout"),
        stderr=_output(fields, "stderr"),
        engine=fields.text("engine"),
        isolation=isolation_of(fields),
        enforced=names_of(fields, "enforced"),
        signal=fields.count("signal", most=255) if fields.has("signal") else None,
        stdout_truncated=truncated.flag("stdout", default=False),
        stderr_truncated=truncated.flag("stderr", default=False),
        duration=fields.number("durationMs", 0.0) / 1000,
        cpu_seconds=fields.number("cpuMs", 0.0) / 1000,
        memory_peak=fields.count("memoryPeakBytes", 0),
        who=fields.text("who") if fields.has("who") else None,
        failover=names_of(fields, "failover"),
        result=fields.raw("result"),
        has_result=fields.has("result") or fields.is_null("result"),
    )


def reason_of(fields: Fields) -> Reason:
    """Why a command ended. Raises InvalidSpec."""
    text = fields.text("reason")
    try:
        return Reason(text)
    except ValueError:
        raise fields.wrong("reason", "is unknown") from None


def isolation_of(fields: Fields) -> Isolation:
    """The level told by the field `isolation`. Raises InvalidSpec."""
    return fields.read("isolation", lambda: Isolation.parse(fields.text("isolation")))


def names_of(fields: Fields, name: str) -> Tuple[str, ...]:
    """A list of texts; empty when it is not given. Raises InvalidSpec."""
    return fields.texts(name) if fields.has(name) else ()


def _output(fields: Fields, name: str) -> bytes:
    encoded = f"{name}Base64"
    return fields.base64(encoded) if fields.has(encoded) else fields.text(name, "").encode()
