"""The twins have the same methods with the same parameters, and the clients are Services."""

from __future__ import annotations

import inspect
from typing import Any, Dict, Set

import pytest

from sandlot.client import AsyncClient, Client
from sandlot.client.async_context import AsyncRemoteContext
from sandlot.client.async_remote import AsyncRemoteBox
from sandlot.client.async_terminal import AsyncRemoteTerminal
from sandlot.client.context import RemoteContext
from sandlot.client.remote import RemoteBox
from sandlot.client.terminal import RemoteTerminal
from sandlot.contracts import contexts
from sandlot.contracts.contexts import Contexts
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminal, Terminals
from sandlot.contracts.service import Service
from sandlot.sdk import AsyncContext, AsyncSandbox, Context, Sandbox
from sandlot.sdk.lent import LentBox, LentService, LentTerminal
from sandlot.sdk.lent_context import LentContext
from sandlot.sdk.powers import PowerfulBox

# What differs by nature between threads and tasks; the names on the right are those of the ordinary twin.
_SPELLINGS = (
    ("AsyncIterable", "Iterable"),
    ("AsyncIterator", "Iterator"),
    ("AsyncGenerator", "Iterator"),
    ("Generator", "Iterator"),
    ("AsyncTransport", "SyncTransport"),
    ("AsyncSandbox", "Sandbox"),
    ("AsyncOnInput", "OnInput"),
    ("AsyncDriver", "Driver"),
)


def methods(kind: Any) -> Dict[str, Any]:
    names = [name for name in dir(kind) if not name.startswith("_")]
    return {name: getattr(kind, name) for name in names if callable(getattr(kind, name))}


def parameters(method: Any) -> Dict[str, str]:
    signature = inspect.signature(method)
    told = {
        name: f"{each.kind.name} {each.annotation} {each.default!r}"
        for name, each in signature.parameters.items()
    }
    for asynchronous, ordinary in _SPELLINGS:
        told = {name: text.replace(asynchronous, ordinary) for name, text in told.items()}
    return told


def assert_twins(one: Any, other: Any, without: Set[str] = frozenset()) -> None:  # type: ignore[assignment]
    found, wanted = methods(one), methods(other)
    assert set(found) - without == set(wanted) - without
    for name in set(found) - without:
        assert parameters(found[name]) == parameters(wanted[name]), name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Sandbox, AsyncSandbox),
        (Client, AsyncClient),
        (RemoteBox, AsyncRemoteBox),
        (RemoteTerminal, AsyncRemoteTerminal),
        (RemoteContext, AsyncRemoteContext),
        (Context, AsyncContext),
    ],
)
def test_twins_do_the_same(one: Any, other: Any) -> None:
    assert_twins(one, other, without={"start"} if one is RemoteTerminal else set())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_a_service(kind: Any) -> None:
    for name, wanted in methods(Service).items():
        assert parameters(methods(kind)[name]) == parameters(wanted), name


@pytest.mark.parametrize("protocol", [Box, Files, FileWatch, Processes, Terminals, Contexts])
@pytest.mark.parametrize("kind", [RemoteBox, AsyncRemoteBox])
def test_a_remote_box_has_every_power(kind: Any, protocol: Any) -> None:
    for name, wanted in methods(protocol).items():
        assert parameters(methods(kind)[name]) == parameters(wanted), name


@pytest.mark.parametrize("kind", [RemoteTerminal, AsyncRemoteTerminal, LentTerminal])
def test_a_terminal_is_a_terminal(kind: Any) -> None:
    for name, wanted in methods(Terminal).items():
        assert parameters(methods(kind)[name]) == parameters(wanted), name


@pytest.mark.parametrize("kind", [RemoteContext, AsyncRemoteContext, LentContext])
def test_a_context_is_a_context(kind: Any) -> None:
    for name, wanted in methods(contexts.Context).items():
        assert parameters(methods(kind)[name]) == parameters(wanted), name


def test_boxes_here_and_on_a_server_are_used_alike() -> None:
    assert set(methods(LentBox)) <= set(methods(PowerfulBox))
    assert set(methods(LentService)) <= set(methods(Service))
    for name, lent in methods(LentBox).items():
        wanted = parameters(methods(RemoteBox)[name])
        found = parameters(lent)
        assert found == {key: wanted[key] for key in found}, name


@pytest.mark.parametrize("kind", [Sandbox, Context])
def test_every_public_method_says_what_it_does(kind: Any) -> None:
    assert not [name for name, method in methods(kind).items() if not method.__doc__]


def test_a_sandboxs_methods_are_awaited_in_one_twin_only() -> None:
    streams = {"events", "watch"}
    for name, method in methods(AsyncSandbox).items():
        is_async = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        assert is_async == (name not in {"local", "connect"}), name
        assert inspect.isasyncgenfunction(method) == (name in streams), name
        assert not inspect.iscoroutinefunction(methods(Sandbox)[name]), name


def test_a_contexts_methods_are_awaited_in_one_twin_only() -> None:
    for name, method in methods(AsyncContext).items():
        is_async = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        assert is_async, name
        assert inspect.isasyncgenfunction(method) == (name == "stream"), name
        assert not inspect.iscoroutinefunction(methods(Context)[name]), name
