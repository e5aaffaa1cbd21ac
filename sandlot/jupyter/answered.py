"""Answers to questions, as the contents of Jupyter's replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandlot.contracts.contexts import PYTHON, Completions, ContextFacts, Inspection, Judgement

from .message import VERSION

Content = dict[str, Any]
_HELP = (("Python", "https://docs.python.org/3/"), ("IPython", "https://ipython.readthedocs.io/"))
_LANGUAGES: Mapping[str, Mapping[str, Any]] = {
    PYTHON: {
        "mimetype": "text/x-python",
        "file_extension": ".py",
        "pygments_lexer": "python3",
        "codemirror_mode": {"name": "python", "version": 3},
        "nbconvert_exporter": "python",
    },
    "bash": {
        "mimetype": "text/x-sh",
        "file_extension": ".sh",
        "pygments_lexer": "bash",
        "codemirror_mode": "shell",
        "nbconvert_exporter": "script",
    },
}
_IPYTHON = {"pygments_lexer": "ipython3", "codemirror_mode": {"name": "ipython", "version": 3}}
_UNKNOWN = {"mimetype": "text/plain", "file_extension": ".txt", "nbconvert_exporter": "script"}


def kernel_info_reply(facts: ContextFacts, version: str) -> Content:
    """What the kernel is; *version* is that of its implementation."""
    shell = f", {facts.shell} {facts.shell_version}".rstrip() if facts.shell else ""
    return {
        "status": "ok",
        "protocol_version": VERSION,
        "implementation": "sandlot",
        "implementation_version": version,
        "language_info": language_info(facts),
        "banner": f"{facts.language} {facts.version}{shell}, in a sandbox of sandlot {version}",
        "help_links": [{"text": text, "url": url} for text, url in _HELP if facts.language == PYTHON],
        "debugger": False,
        "supported_features": [],
    }


def language_info(facts: ContextFacts) -> Content:
    """What editors want to know of the language."""
    known = {**_LANGUAGES.get(facts.language, _UNKNOWN)}
    if "magics" in facts.features and facts.language == PYTHON:
        known |= _IPYTHON
    return {"name": facts.language, "version": facts.version, **known}


def complete_reply(found: Completions) -> Content:
    """What could come; the types of the matches are told as IPython's kernel tells them."""
    metadata = dict(found.metadata)
    types = metadata.pop("types", None)
    if isinstance(types, list):
        metadata["_jupyter_types_experimental"] = types
    return {
        "status": "ok",
        "matches": list(found.matches),
        "cursor_start": found.start,
        "cursor_end": found.end,
        "metadata": metadata,
    }


def inspect_reply(found: Inspection) -> Content:
    """What is known of a name."""
    return {
        "status": "ok",
        "found": found.found,
        "data": dict(found.data),
        "metadata": dict(found.metadata),
    }


def is_complete_reply(judgement: Judgement) -> Content:
    """Whether code can run."""
    return {"status": judgement.status.value, "indent": judgement.indent}
