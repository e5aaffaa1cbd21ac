"""Front: one interpreter served to Jupyter's clients over ZeroMQ, from its start to its end.

Messages are signed and read by jupyter_client's Session; what is not signed with the connection's key, or is
no message, is dropped and logged. Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from functools import partial
from typing import Any, Final

from jupyter_client.session import Session

from sandlot.contracts.contexts import Context, ContextEnd, ContextEnding
from sandlot.contracts.errors import InvalidSpec, SandlotError
from sandlot.contracts.quantity import Seconds
from sandlot.jupyter.kernel import Kernel, KernelEnd
from sandlot.jupyter.message import Maker, Message, message_from

from .sockets import Sockets

_log = logging.getLogger(__name__)
_REQUESTS: Final = ("shell", "control", "stdin")
_SUBSCRIBED: Final = b"\x01"
_LONGEST_TOPIC: Final = 256


class Front:
    """A context, and the sockets it is reached by, which others open and close; on their loop, once."""

    def __init__(self, context: Context, sockets: Sockets, timeout: Seconds | None = None) -> None:
        """Nothing is read before `serve`. *timeout* bounds every cell."""
        self._context, self._sockets = context, sockets
        self.connection = connection = sockets.connection
        self._session = Session(
            key=connection.key,
            signature_scheme=connection.scheme,
            session=uuid.uuid4().hex,
            username="sandlot",
        )
        self._maker = Maker(lambda: uuid.uuid4().hex, time.time, session=self._session.session)
        self._kernel = Kernel(context, self._maker, self._publish, timeout=timeout)

    async def serve(self) -> KernelEnd:
        """Serve until the kernel ends: because a client asked for that, or with its interpreter.

        The context is closed then.
        """
        end = KernelEnd(ending=ContextEnding(ContextEnd.BOX_DIED, "the service cannot be asked any more"))
        try:
            end = await self._served()
        except* SandlotError as errors:
            _log.warning("a kernel is lost: %s", errors.exceptions[0])
        finally:
            await self.kill()
        return end

    async def _served(self) -> KernelEnd:
        async with asyncio.TaskGroup() as group:
            heard = (*map(self._take, _REQUESTS), self._beat(), self._greet())
            loops = [group.create_task(each) for each in heard]
            try:
                return await self._kernel.serve()
            finally:
                for each in loops:
                    each.cancel()

    async def interrupt(self) -> None:
        """Interrupt the cell that runs, as Ctrl-C does."""
        await self._kernel.interrupt()

    async def kill(self) -> None:
        """End the interpreter; `serve` returns by that."""
        try:
            await self._context.close()
        except SandlotError as error:  # it, or its sandbox, has gone already
            _log.debug("the context of a kernel could not be closed: %s", error)

    async def _take(self, channel: str) -> None:
        while True:
            frames = await self._sockets.receive(channel)
            try:
                identities, message = _read(self._session, channel, frames)
                await self._kernel.take(message, partial(self._reply, identities))
            except InvalidSpec as error:
                _log.warning("a message on %s was dropped: %s", channel, error)

    async def _beat(self) -> None:
        """Send back what comes on the heartbeat, for as long as this loop turns."""
        while True:
            await self._sockets.send("hb", await self._sockets.receive("hb"))

    async def _greet(self) -> None:
        """Welcome who subscribes to iopub, who knows by that that nothing is missed from now on (JEP 65)."""
        while True:
            for said in await self._sockets.receive("iopub"):
                if said.startswith(_SUBSCRIBED) and len(said) <= _LONGEST_TOPIC:
                    topic = said[1:]
                    content = {"subscription": topic.decode("utf-8", "replace")}
                    await self._send([topic], self._maker.message("iopub", "iopub_welcome", content))

    async def _publish(self, message: Message) -> None:
        await self._send([message.kind.encode()], message)

    async def _reply(self, identities: list[bytes], message: Message) -> None:
        await self._send(identities, message)

    async def _send(self, identities: list[bytes], message: Message) -> None:
        parts: dict[str, Any] = {
            "header": dict(message.header),
            "parent_header": dict(message.parent_header),
            "metadata": dict(message.metadata),
            "content": dict(message.content),
        }
        await self._sockets.send(
            message.channel, [*self._session.serialize(parts, identities), *message.buffers]
        )


def _read(session: Session, channel: str, frames: list[bytes]) -> tuple[list[bytes], Message]:
    """Who sent *frames*, and the message they are. Raises InvalidSpec for what is none or is not signed."""
    try:
        identities, rest = session.feed_identities(frames)
        parts = session.deserialize(rest)
        # With dates as they were written: the header goes back with every answer.
        headers = {"header": session.unpack(rest[1]), "parent_header": session.unpack(rest[2])}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InvalidSpec(f"{type(error).__name__}: {error}"[:300]) from error
    buffers = tuple(bytes(each) for each in parts["buffers"])
    return identities, message_from(channel, {**parts, **headers}, buffers)
