"""A result as people or programs read it (pure)."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, Optional

from ..sandbox.core.errors import ExitCode
from ..sandbox.core.result import StandardExecutionResult
from . import yaml

_RULE = "-" * 40


def as_json(result: StandardExecutionResult, timestamp: Optional[str] = None) -> str:
    """One JSON document; with the time when one is given."""
    return json.dumps(_document(result, timestamp), indent=2, ensure_ascii=False)


def as_yaml(result: StandardExecutionResult, timestamp: Optional[str] = None) -> str:
    """The same as YAML."""
    return yaml.rendered(_document(result, timestamp)).rstrip("\n")


def as_text(result: StandardExecutionResult, *, shows_metrics: bool, timestamp: Optional[str] = None) -> str:
    """The same in sections: how it went, what was written, what came back."""
    return "\n".join(_sections(result, shows_metrics=shows_metrics, timestamp=timestamp))


def _document(result: StandardExecutionResult, timestamp: Optional[str]) -> Dict[str, Any]:
    return {**result.to_dict(), **({"timestamp": timestamp} if timestamp else {})}


def _sections(
    result: StandardExecutionResult, *, shows_metrics: bool, timestamp: Optional[str]
) -> Iterator[str]:
    yield _verdict(result)
    yield ""
    for name, text in (("STDOUT", result.stdout), ("STDERR", result.stderr)):
        if text:
            yield from _section(name, text.rstrip() or "(blank)")
    yield from _section("RESULT", _shown(result.result))
    if shows_metrics:
        yield from _section("METRICS", _metrics(result))
    if timestamp:
        yield from _section("DETAILS", f"Timestamp: {timestamp}\nReason: {result.reason or 'not run'}")


def _verdict(result: StandardExecutionResult) -> str:
    if result.is_success():
        return "✅ Execution succeeded"
    what = ExitCode.get_description(result.exit_code) if result.exit_code in list(ExitCode) else ""
    return f"❌ Execution failed (exit code: {int(result.exit_code)})" + (f": {what}" if what else "")


def _section(name: str, text: str) -> Iterator[str]:
    yield from (f"{name}:", _RULE, text, "")


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return str(value)


def _metrics(result: StandardExecutionResult) -> str:
    used = result.metrics
    return "\n".join(
        (
            f"Duration:    {used.duration_ms:.2f} ms",
            f"CPU time:    {used.cpu_time_ms:.2f} ms",
            f"Memory peak: {used.memory_peak_mb:.2f} MB",
        )
    )
