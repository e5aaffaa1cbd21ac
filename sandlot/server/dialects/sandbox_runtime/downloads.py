"""Documents of the document service, fetched into a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.errors import OutputTooLarge, SandlotError, TimedOut
from sandlot.contracts.paths import WORKSPACE
from sandlot.server import answers
from sandlot.server.access import context_of

from . import asked
from .asked import Document, Download
from .documents import Documents, HttpDocuments, service_of
from .files import written
from .reading import Session, body_of, session_of
from .replies import superset
from .workspace import file_inside, inside, shown

_AT_ONCE = 3


async def download(request: Request) -> Response:
    """POST download_from_efast. A document that cannot be had is told in `results`, and is no error."""
    wanted = await body_of(request, asked.download_from)
    _refuse_incomplete(wanted)
    settings = context_of(request).settings
    service = service_of(wanted.service, settings.document_services)
    token = wanted.token or settings.document_token or ""
    documents = HttpDocuments(service, settings.document_services, token)
    fetching = _Fetching(documents, await session_of(request), wanted, int(settings.most_upload))
    results = await answers.unless_gone(request, fetching.results())
    good = sum(result["success"] for result in results)
    return superset(
        {
            "message": f"{good} of {len(results)} documents were fetched",
            "success_count": good,
            "failed_count": len(results) - good,
            "total_count": len(results),
            "results": results,
            "save_path": wanted.directory,
        }
    )


class _Fetching:
    """The documents of one request, some at once."""

    def __init__(self, documents: Documents, session: Session, wanted: Download, most: int) -> None:
        self._documents, self._session, self._wanted, self._most = documents, session, wanted, most
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def results(self) -> list[dict[str, Any]]:
        """What is told of each, in their order."""
        wanted = enumerate(self._wanted.documents)
        return list(await asyncio.gather(*(self._result(number, each) for number, each in wanted)))

    async def _result(self, number: int, document: Document) -> dict[str, Any]:
        about = {"index": number, "docid": document.docid, "savename": document.savename}
        try:
            async with self._turns, asyncio.timeout(self._wanted.timeout):
                return {"success": True, **await self._fetched(document), **about}
        except TimeoutError:
            why: SandlotError = TimedOut(f"it took longer than {self._wanted.timeout:g} s")
        except SandlotError as error:
            why = error
        failed = {"success": False, "error": why.message, "code": why.code, "rev": document.revision}
        return {**failed, **about, "save_path": self._wanted.directory}

    async def _fetched(self, document: Document) -> dict[str, Any]:
        path = _directory(self._wanted) / document.savename
        async with self._documents.fetch(document) as content:
            size = await written(self._session.files, path, self._bounded(content.pieces))
            told = {"name": document.savename, "size": content.size, "rev": content.revision}
        return {
            "file_path": shown(path),
            "file_info": told,
            "downloaded_size": size,
            "total_size": content.size or size,
        }

    async def _bounded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self._most
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise OutputTooLarge(
                    f"the document is larger than the {self._most} bytes that may be uploaded"
                )
            yield piece


def _refuse_incomplete(wanted: Download) -> None:
    """Raise HTTPException (400) as the original does."""
    if not wanted.documents:
        raise HTTPException(400, "No file parameters provided")
    for number, document in enumerate(wanted.documents):
        if not document.docid:
            raise HTTPException(400, f"Missing docid in file_params[{number}]")
        if ".." in document.savename:
            raise HTTPException(400, f"Invalid filename: {document.savename[:80]!r} (cannot contain '..')")
        file_inside(str(_directory(wanted) / document.savename))


def _directory(wanted: Download) -> Any:
    return inside(wanted.directory) if wanted.directory else WORKSPACE
