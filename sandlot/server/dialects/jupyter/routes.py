"""The API as a table: one row for each verb of each path, and the WebSocket."""

from __future__ import annotations

from functools import partial

from starlette.routing import WebSocketRoute

from sandlot.server.dialect import Context, Dialect

from . import endpoints, errors, schemas
from .channels import Channels
from .endpoints import Endpoints
from .kernels import Kernels
from .operation import Operation, paths, served

PREFIX = "/api/"
_KERNELS = "/api/kernels"
_KERNEL = _KERNELS + "/{id}"
_SPECS = "/api/kernelspecs"
_MAKING = (400, 404, 408, 409, 413, 415, 422, 504, 507)
_USING = (404, 409)


def operations(asked: Endpoints) -> tuple[Operation, ...]:
    """Every verb of every path."""
    return (
        Operation("GET", "/api", "read", endpoints.version, "What speaks here", answer=schemas.VERSION),
        Operation("GET", _SPECS, "read", endpoints.kernelspecs, "All kinds", answer=schemas.KERNELSPECS),
        Operation(
            "GET",
            _SPECS + "/{name}",
            "read",
            endpoints.kernelspec,
            "One kind of kernel",
            answer=schemas.KERNELSPEC,
            errors=(404,),
        ),
        Operation("GET", _KERNELS, "read", asked.listed, "The caller's kernels", answer=schemas.KERNELS),
        Operation(
            "POST",
            _KERNELS,
            "write",
            asked.create,
            "Start a kernel; answers when it can run cells",
            201,
            schemas.KERNEL,
            _MAKING,
            schemas.ASKED_KERNEL,
        ),
        Operation("GET", _KERNEL, "read", asked.status, "One kernel", 200, schemas.KERNEL, (404,)),
        Operation("DELETE", _KERNEL, "write", asked.delete, "End a kernel", 204, errors=_USING),
        Operation(
            "POST",
            _KERNEL + "/interrupt",
            "write",
            asked.interrupt,
            "Interrupt the cell that runs; state stays",
            204,
            errors=_USING,
        ),
        Operation(
            "POST",
            _KERNEL + "/restart",
            "write",
            asked.restart,
            "Another interpreter in its place, without its state",
            answer=schemas.KERNEL,
            errors=_USING,
        ),
    )


def routes(context: Context) -> Dialect:
    """The dialect that notebook servers and ipybox's client speak."""
    return _dialect(Kernels(context))


def routes_within(context: Context, sandbox: str) -> Dialect:
    """The same for kernels that all live in *sandbox*."""
    return _dialect(Kernels(context, sandbox))


def _dialect(kernels: Kernels) -> Dialect:
    table = operations(Endpoints(kernels))
    channels = WebSocketRoute(_KERNEL + "/channels", Channels(kernels).serve)
    told = partial(paths, table), lambda: schemas.SHARED
    return Dialect("jupyter", [*served(table), channels], *told, PREFIX, errors.answer)
