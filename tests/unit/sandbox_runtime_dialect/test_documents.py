"""Documents of the document service: fetched from where the operator said, and from nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandlot.contracts.errors import Forbidden, Unsupported
from sandlot.server.dialects.sandbox_runtime.documents import is_configured, service_of
from sandlot.testing.servers import RunningServer
from tests.unit.sandbox_runtime_dialect.service import ASK, CONTENT, DocumentService
from tests.unit.sandbox_runtime_dialect.wire import Runtime, error


def fetch(runtime: Runtime, session: str, *docids: str, **more: Any) -> dict[str, Any]:
    asked = {"file_params": [{"docid": docid} for docid in docids], **more}
    return runtime.good("POST", f"/download_from_efast/{session}", asked)


def test_documents_become_files(runtime: Runtime, session: str, documents: DocumentService) -> None:
    documents.asked.clear()
    asked = {
        "file_params": [
            {"docid": "gns://one", "rev": "7", "savename": "in/one.txt"},
            {"docid": "gns://two", "savename": None},
        ],
        "save_path": "docs",
        "token": "their-own",
    }
    told = runtime.good("POST", f"/download_from_efast/{session}", asked)
    assert (told["success_count"], told["failed_count"], told["total_count"]) == (2, 0, 2)
    assert told["save_path"] == "docs"
    first, second = told["results"]
    assert (first["index"], first["docid"], first["savename"]) == (0, "gns://one", "in/one.txt")
    assert (first["file_path"], second["file_path"]) == ("docs/in/one.txt", "docs/downloaded_file_1")
    assert second["downloaded_size"] == second["total_size"] == 10_000
    assert runtime("GET", f"/download/{session}/docs/in/one.txt").body == CONTENT["gns://one"]
    assert runtime("GET", f"/download/{session}/docs/downloaded_file_1").body == CONTENT["gns://two"]
    asks = [(headers, json.loads(body)) for path, headers, body in documents.asked if path == ASK]
    assert all(headers["Authorization"] == "Bearer their-own" for headers, _ in asks)
    assert {"docid": "gns://one", "savename": "in/one.txt", "rev": "7"} in [body for _, body in asks]
    gifts = [headers for path, headers, _ in documents.asked if path.startswith("/store")]
    assert [headers["Authorization"] for headers in gifts] == ["AWS test:sig"] * 2


def test_the_operators_token_is_shown_where_none_came_and_never_told(
    runtime: Runtime, session: str, documents: DocumentService, server: RunningServer
) -> None:
    documents.asked.clear()
    fetch(runtime, session, "gns://one", efast_url=documents.url + "/")
    assert documents.asked[0][1]["Authorization"] == f"Bearer {documents.token}"
    fetch(runtime, session, "gns://none", token="canary-of-theirs")
    said = "\n".join(server.said)
    assert documents.token not in said
    assert "canary-of-theirs" not in said


@pytest.mark.parametrize(
    ("docid", "code"),
    [
        ("gns://none", "not_found"),
        ("gns://odd", "invalid_spec"),
        ("gns://elsewhere", "forbidden"),
        ("gns://moved", "invalid_spec"),
        ("gns://large", "output_too_large"),
    ],
)
def test_what_cannot_be_had_is_told_and_keeps_nothing_else_back(
    runtime: Runtime, session: str, docid: str, code: str
) -> None:
    told = fetch(runtime, session, docid, "gns://one")
    assert (told["success_count"], told["failed_count"]) == (1, 1)
    failed = told["results"][0]
    assert (failed["success"], failed["code"], failed["docid"]) == (False, code, docid)
    assert failed["error"]


def test_a_service_nobody_configured_is_refused(runtime: Runtime, session: str) -> None:
    asked = {"file_params": [{"docid": "gns://one"}], "efast_url": "http://169.254.169.254"}
    error(runtime("POST", f"/download_from_efast/{session}", asked), 403)
    asked = {"file_params": [{"docid": "gns://one"}], "token": "a\r\nX: b"}
    error(runtime("POST", f"/download_from_efast/{session}", asked), 400)


KNOWN = ("http://docs:9123", "https://store/bucket")


@pytest.mark.parametrize(
    ("url", "is_known"),
    [
        ("http://docs:9123", True),
        ("http://docs:9123/api?x=1", True),
        ("https://STORE/bucket/a?sig=%2e", True),
        ("https://store/bucket", True),
        ("https://store/bucket2", False),
        ("https://store/bucket/../admin", False),
        ("https://store/", False),
        ("http://store/bucket", False),
        ("http://docs", False),
        ("http://docs:9123@evil", False),
        ("http://evil#http://docs:9123", False),
        ("http://docs:9123\\@evil", False),
        ("http://docs:x", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_what_lies_below_a_configured_address_is_asked(url: str, is_known: bool) -> None:
    assert is_configured(url, KNOWN) is is_known


def test_without_configuration_there_are_no_documents() -> None:
    with pytest.raises(Unsupported, match="SANDLOT_DOCUMENT_SERVICES"):
        service_of("", ())
    with pytest.raises(Forbidden):
        service_of("http://other", KNOWN)
    assert service_of("", KNOWN) == KNOWN[0]
    assert service_of("https://store/bucket/", KNOWN) == KNOWN[1]
