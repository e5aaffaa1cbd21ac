"""The page of the API: its document as HTML made here, with no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .5rem; border: 1px solid #8886; border-radius: 4px; }
summary { cursor: pointer; padding: .3rem 0; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def page(document: Mapping[str, Any]) -> Response:
    """An OpenAPI document as a page for people; everything that stands in it is escaped."""
    return HTMLResponse("".join(_page(document)), headers=_HEADERS)


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    about = document["info"]
    title = f"{_text(about['title'])} {_text(about['version'])}"
    yield f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>"
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1><p>{_text(about.get('summary', ''))}</p>"
    yield "<p>As a document for programs: <a href=/openapi.json>/openapi.json</a></p><h2>Operations</h2>"
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                shared = item.get("parameters", ())
                yield from _operation(method, path, item[method], shared)
    yield "<h2>Schemas</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f"<details><summary><code>{_text(name)}</code></summary>{_json(schema)}</details>"
    yield "</body></html>"


def _operation(method: str, path: str, operation: Mapping[str, Any], shared: Any) -> Iterator[str]:
    yield f"<details><summary><code><span class=method>{_text(method.upper())}</span> {_text(path)}</code> "
    yield f"{_text(operation.get('summary', ''))}</summary>"
    if "description" in operation:
        yield f"<p>{_text(operation['description'])}</p>"
    parameters = [*shared, *operation.get("parameters", ())]
    if parameters:
        yield "<h3>Parameters</h3><table>"
        for each in parameters:
            cells = (each.get("name", ""), each.get("in", ""), each.get("description", ""))
            yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        yield "</table>"
    if "requestBody" in operation:
        yield f"<h3>Body</h3>{_json(operation['requestBody'])}"
    yield "<h3>Answers</h3><table>"
    for status, response in operation.get("responses", {}).items():
        kinds = ", ".join(response.get("content", {}))
        cells = (status, kinds, response.get("description", ""))
        yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table></details>"


def _json(value: Any) -> str:
    return f"<pre>{_text(json.dumps(value, indent=2))}</pre>"


def _text(value: Any) -> str:
    return escape(str(value))
