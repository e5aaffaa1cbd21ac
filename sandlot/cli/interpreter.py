"""The interpreter that `sandlot repl` works with: of a server or of this process, ours or one that stays."""

from __future__ import annotations

import argparse
import secrets
from contextlib import contextmanager, suppress
from typing import Iterator, Optional, Union

from sandlot.client.context import RemoteContext
from sandlot.client.service import Client
from sandlot.contracts.capability import Feature, require
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import NotFound
from sandlot.contracts.paths import sandbox_path
from sandlot.contracts.spec import SandboxSpec
from sandlot.sdk.lent import LentService
from sandlot.sdk.lent_context import LentContext
from sandlot.sdk.programs import AnyBox

from . import parsing, service

AnyContext = Union[RemoteContext, LentContext]


@contextmanager
def opened(options: argparse.Namespace, asked: service.Asked) -> Iterator[AnyContext]:
    """The context that *options* ask for, for the length of a block; what was made for it ends then."""
    with _box(options.sandbox, asked) as box:
        require(Feature.CONTEXTS, box.features, engine=box.engine)
        if options.context is not None:
            yield _found(box, options.context)
            return
        env = parsing.variables(options.env)
        context = box.open_context(ContextSpec(options.language, sandbox_path(options.workdir), env))
        try:
            yield context
        finally:
            with suppress(NotFound):
                context.close()


@contextmanager
def _box(name: Optional[str], asked: service.Asked) -> Iterator[AnyBox]:
    """The box of the sandbox called *name*, or of one that ends with the block."""
    there = _local(name, asked) if asked.local else _remote(asked)
    try:
        if name is not None:
            yield there.reach(name)
            return
        name = f"repl-{secrets.token_hex(8)}"
        there.ensure(name, _spec(asked))
        try:
            yield there.reach(name)
        finally:
            with suppress(NotFound):
                there.delete(name)
    finally:
        there.close()


def _spec(asked: service.Asked) -> SandboxSpec:
    """What a sandbox of its own is asked to be."""
    if not asked.local:
        return SandboxSpec(environment=asked.settings.environment)
    from sandlot.local.asked import spec_of

    return spec_of(asked.settings)


def _remote(asked: service.Asked) -> Client:
    from sandlot.client.address import chosen_server

    server = chosen_server(asked.settings)
    return Client(server.url, key=server.key)


def _local(name: Optional[str], asked: service.Asked) -> LentService:
    """Sandboxes of this process: those of the data directory where one of them is asked for by *name*."""
    if name is None:
        return LentService()
    return LentService(service.lasting(asked.settings))


def _found(box: AnyBox, name: str) -> AnyContext:
    if name == "default":
        return box.default_context()
    for context in box.contexts():
        if context.id == name:
            return context
    raise NotFound(f"there is no context {name!r} in this sandbox: leave --context out for a new one")
