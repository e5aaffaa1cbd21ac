"""What is asked of kernels over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sandlot import __version__
from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.server import answers
from sandlot.server.access import caller_of, service_of
from sandlot.server.reading import json_body
from sandlot.wire import json_object

from . import translate
from .kernels import Held, Kernels

_PLACE = "/api/kernels/"


async def version(_request: Request) -> Response:
    """GET /api."""
    return answers.json({"version": __version__, "gateway_version": __version__})


async def kernelspecs(_request: Request) -> Response:
    """GET /api/kernelspecs."""
    return answers.json(translate.kernelspecs())


async def kernelspec(request: Request) -> Response:
    """GET /api/kernelspecs/{name}."""
    try:
        return answers.json(translate.kernelspec(request.path_params["name"]))
    except InvalidSpec as error:
        raise NotFound(error.message) from None


class Endpoints:
    """The routes of kernels."""

    def __init__(self, kernels: Kernels) -> None:
        """Over *kernels*."""
        self._kernels = kernels

    async def listed(self, request: Request) -> Response:
        """GET /api/kernels."""
        rows = [translate.row_to_json(each.row) for each in self._kernels.all(caller_of(request).owner)]
        return Response(json_object.render(rows), media_type="application/json")

    async def create(self, request: Request) -> Response:
        """POST /api/kernels."""
        is_empty = request.headers.get("content-length", "0") == "0"
        wanted = translate.wanted_from({} if is_empty else await json_body(request))
        making = self._kernels.make(caller_of(request).owner, service_of(request), wanted)
        return _told(await answers.unless_gone(request, making), 201)

    async def status(self, request: Request) -> Response:
        """GET /api/kernels/{id}."""
        return _told(self._found(request))

    async def delete(self, request: Request) -> Response:
        """DELETE /api/kernels/{id}."""
        await self._kernels.end(self._found(request))
        return answers.nothing()

    async def interrupt(self, request: Request) -> Response:
        """POST /api/kernels/{id}/interrupt; a body is passed over."""
        await self._found(request).kernel.interrupt()
        return answers.nothing()

    async def restart(self, request: Request) -> Response:
        """POST /api/kernels/{id}/restart; a body is passed over."""
        held = self._found(request)
        await held.kernel.restart()
        return _told(held)

    def _found(self, request: Request) -> Held:
        return self._kernels.find(caller_of(request).owner, request.path_params["id"])


def _told(held: Held, status: int = 200) -> Response:
    return answers.json(translate.row_to_json(held.row), status, {"location": _PLACE + held.id})
