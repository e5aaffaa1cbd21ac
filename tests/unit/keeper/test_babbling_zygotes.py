from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from sandlot.contracts.errors import NotFound, SandlotError, StartFailed
from sandlot.keeper.client import Keeper
from tests.unit.keeper import nests
from tests.unit.keeper.witness import family, groups_of

pytestmark = [pytest.mark.linux, pytest.mark.faults, pytest.mark.timeout(60)]

_NEVER_READY = {
    "no JSON": "say(b'garbage'); sleep()",
    "no text": "say(bytes(range(256))); sleep()",
    "an array": "say(b'[]'); sleep()",
    "a name twice": """say(b'{"ready": 1, "ready": 2}'); sleep()""",
    "a deep packet": "say(b'[' * 60000); sleep()",
    "a huge packet": "say(b'{\"ready\": \"' + b'x' * 100000 + b'\"}'); sleep()",
    "a huge number": "say(b'{\"park\": ' + b'9' * 5000 + b'}'); sleep()",
    "failed": "say({'failed': 'no such module: ' + 'x' * 9000}); sleep()",
    "the end": "sys.exit(0)",
    "a closed socket, and on": "keeper.close(); sleep()",
    "silence": "sleep()",
    "a life of a second": "time.sleep(1.2); os._exit(3)",
}


@pytest.mark.parametrize("said", _NEVER_READY)
def test_a_zygote_that_does_not_get_ready_is_an_error_and_gone(run_directory: Path, said: str) -> None:
    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            order = nests.fake(keeper.powers, _NEVER_READY[said], loading=2.5)
            async with asyncio.timeout(15):
                with pytest.raises(StartFailed):
                    await keeper.raise_zygote(order)
            await _nothing_left(keeper)

    asyncio.run(scenario())


_ANSWERS = {
    "another number": "say({'park': 999})",
    "text": "say({'park': 'one'})",
    "a truth": "say({'park': True})",
    "nothing": "say({'park': None})",
    "a list": "say({'park': [[1]]})",
    "garbage": "say(b'{')",
    "no descriptor": "say({'park': number})",
    "a pipe": "say({'park': number}, os.pipe()[0])",
    "a file": "say({'park': number}, os.open('/usr', os.O_RDONLY))",
    "a directory of a process": "say({'park': number}, os.open('/proc/self', os.O_RDONLY))",
    "two processes": "handle = os.pidfd_open(os.getpid()); say({'park': number}, handle, handle)",
    "sixteen descriptors": "say({'park': number}, *[os.open('/usr', os.O_RDONLY) for _ in range(16)])",
    "a hundred descriptors": "say({'park': number}, *[os.dup(1) for _ in range(100)])",
    "the channel itself": "say({'park': number}, *descriptors[:1])",
    "itself, silent": "say({'park': number}, os.pidfd_open(os.getpid()))",
    "the warden, silent": "say({'park': number}, os.pidfd_open(1))",
    "itself, with nonsense": (
        "say({'park': number}, os.pidfd_open(os.getpid())); os.write(descriptors[3], b'?' * 60)"
    ),
    "a failure that is no text": "say({'park': number, 'failed': {'a': [1]}})",
    "its end": "sys.exit(1)",
    "silence": "sleep()",
    "ready again and again": "ready(); ready(); sleep()",
}


@pytest.mark.parametrize("said", _ANSWERS)
def test_a_wrong_answer_fails_its_box_and_harms_nobody_else(run_directory: Path, said: str) -> None:
    program = f"ready()\nwhile True:\n    number, descriptors = asked()\n    {_ANSWERS[said]}\n"

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            honest = await nests.park(keeper, await keeper.raise_zygote(nests.order(keeper.powers)))
            zygote = await keeper.raise_zygote(nests.fake(keeper.powers, program, making=1.0))
            async with asyncio.timeout(20):
                with pytest.raises((StartFailed, NotFound)):
                    await nests.park(keeper, zygote)
            assert not honest.exit.done()
            await honest.kill()

    asyncio.run(scenario())


def test_a_babbler_does_not_keep_the_keeper_from_others(run_directory: Path) -> None:
    program = "ready()\nwhile True: say({'ready': 'again'})"

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            await keeper.raise_zygote(nests.fake(keeper.powers, program))
            zygote = await keeper.raise_zygote(nests.order(keeper.powers))
            async with asyncio.timeout(10):
                for _ in range(3):
                    await (await nests.park(keeper, zygote)).kill()

    asyncio.run(scenario())


def test_a_zygote_that_dies_while_it_makes_a_box_loses_it_not(run_directory: Path) -> None:
    """E02: the next zygote makes it. The first is told by a file that only one of them finds missing."""
    program = """
import struct
ready()
number, descriptors = asked()
if os.getpid() <= 20001:
    os._exit(9)
say({'park': number}, os.pidfd_open(os.getpid()))
os.write(descriptors[3], b'+')
sleep()
"""

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.fake(keeper.powers, program))
            began = time.monotonic()
            async with asyncio.timeout(10):
                box = await nests.park(keeper, zygote)
            assert time.monotonic() - began < 2
            await box.kill()

    asyncio.run(scenario())


def test_a_box_that_no_zygote_survives_is_given_up(run_directory: Path) -> None:
    program = "ready(); asked(); os._exit(9)"

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.fake(keeper.powers, program))
            async with asyncio.timeout(10):
                with pytest.raises(SandlotError):
                    await nests.park(keeper, zygote)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "deed", ["say(b'nonsense')", "sleep()", "say({'failed': 'no'})", "keeper.close(); sleep()"]
)
def test_a_zygote_that_fails_later_is_replaced_and_the_boxes_it_made_live_on(
    run_directory: Path, deed: str
) -> None:
    program = f"""
def stand(number, descriptors):
    pid = os.fork()
    if pid == 0:
        keeper.close()
        sleep()
    say({{'park': number}}, os.pidfd_open(pid))
    os.write(descriptors[3], b'+')
    for descriptor in descriptors:
        os.close(descriptor)
ready()
stand(*asked())
number, descriptors = asked()
if os.getpid() <= 20001:
    {deed}
    sleep()
stand(number, descriptors)
sleep()
"""

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.fake(keeper.powers, program, making=1.0))
            first = await nests.park(keeper, zygote)
            async with asyncio.timeout(10):
                second = await nests.park(keeper, zygote)
                third = await nests.park(keeper, zygote)
            assert not first.exit.done()
            for box in (first, second, third):
                await box.kill()

    asyncio.run(scenario())


def test_a_warden_that_does_not_replace_its_zygote_is_ended(run_directory: Path) -> None:
    program = "ready(); asked(); sleep()"

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.fake(keeper.powers, program, loading=1.0, making=1.0))
            os.kill(family(keeper.stub_pid)[2], 19)
            async with asyncio.timeout(10):
                with pytest.raises((StartFailed, NotFound)):
                    await nests.park(keeper, zygote)
            await _nothing_left(keeper)

    asyncio.run(scenario())


async def _nothing_left(keeper: Keeper) -> None:
    """The warden is gone, and with it everything in there."""
    deadline = time.monotonic() + 2
    while len(family(keeper.stub_pid)) > 2:
        assert time.monotonic() < deadline, family(keeper.stub_pid)
        await asyncio.sleep(0.01)
    assert groups_of(keeper.stub_pid) == []
    assert os.getpid() not in family(keeper.stub_pid)
