"""What contexts tell in bulk, in answer to questions, and in bad faith."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, cast

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.cells import Cell, CellStatus, Spilled, Streamed
from sandlot.contracts.contexts import Completeness, ContextEnd, ContextSpec
from sandlot.contracts.engine import Files
from sandlot.contracts.errors import SandlotError, Unsupported
from sandlot.contracts.quantity import Bytes
from sandlot.testing.suite import collect, shell, stop

from .contexts import LONG, ContextTests, opened, told, until

UNLIMITED = Bytes(2**30)
_WRITE_TO_EVENTS = """
import os
for name in os.listdir('/proc/self/fd'):
    try:
        if int(name) > 63 and os.readlink('/proc/self/fd/' + name).startswith('pipe:'):
            os.write(int(name), {!r})
    except OSError:
        pass
"""


class ContextOutputTests(ContextTests):
    """Much output, odd output, and the questions of an editor."""

    async def test_many_lines_come_complete_and_in_order(self) -> None:
        async with self.context() as context:
            found = await told(context, "for n in range(100_000): print(n)", output_limit=UNLIMITED)
            assert found.stdout == "".join(f"{number}\n" for number in range(100_000))

    async def test_one_long_line_comes_complete(self) -> None:
        async with self.context() as context:
            found = await told(context, "print('é' * 500_000)", output_limit=UNLIMITED)
            assert found.stdout == "é" * 500_000 + "\n"

    async def test_beyond_its_limit_output_keeps_both_ends(self) -> None:
        async with self.context() as context:
            found = await told(context, "for n in range(30_000): print(n)", output_limit=Bytes(1000))
        assert found.status is CellStatus.OK
        assert found.stdout.startswith("0\n1\n2\n")
        assert found.stdout.endswith("29998\n29999\n")
        assert "left out" in found.stdout
        assert found.dropped > 100_000
        assert len(found.stdout) < 1100

    async def test_all_of_it_is_kept_in_the_box(self) -> None:
        async with self.context() as context:
            found = await told(context, "for n in range(30_000): print(n)", output_limit=Bytes(1000))
            whole = "".join(f"{number}\n" for number in range(30_000)).encode()
            spilled = found.spilled
            assert spilled == Spilled(spilled.path if spilled else PurePosixPath(), len(whole))
            assert str(spilled.path) in found.stdout
            files = cast("Files", cast("Any", await self.bench.shared_box()))
            assert b"".join([data async for data in files.read(spilled.path)]) == whole
            page = [data async for data in files.read(spilled.path, 100_000, 50)]
            assert b"".join(page) == whole[100_000:100_050]

    async def test_what_is_planted_in_its_place_costs_the_file_only(self) -> None:
        plant = """
import os, tempfile
place = os.path.join(tempfile.gettempdir(), '.sandlot-output')
if os.path.lexists(place): os.rename(place, place + '-before')
os.symlink(os.getcwd(), place)
before = sorted(os.listdir())
"""
        async with self.context() as context:
            assert (await told(context, plant)).ok
            found = await told(context, "print('x' * 5000)", output_limit=Bytes(1000))
            after = await told(context, "print(sorted(os.listdir()) == before); os.unlink(place)")
        assert (found.status, found.spilled) == (CellStatus.OK, None)
        assert found.dropped == 4001
        assert after.stdout == "True\n"

    async def test_a_huge_display_is_left_out_and_the_rest_shown(self) -> None:
        code = "display({'text/html': 'x' * 20_000_000, 'text/plain': 'small'}, raw=True)"
        async with self.context() as context:
            (shown,) = (await told(context, code)).displays
        assert "text/html" not in shown.data
        assert shown.data["text/plain"].startswith("small")

    async def test_text_that_is_no_unicode_is_shown_as_escapes(self) -> None:
        code = r"""
import sys
print('\ud800')
sys.stdout.buffer.write(b'\xff\n')
display({'text/plain': '\udc80', 'text/\x01': 'x', 5: 6}, raw=True)
"""
        async with self.context() as context:
            found = await told(context, code)
            assert found.stdout == "\\ud800\n\\xff\n"
            assert found.ok, found
            found = await told(context, r"""import os; _ = os.system(r"printf '\377\n'")""")
            assert found.stdout == "\\xff\n"
            assert (await told(context, "print('lives')")).stdout == "lives\n"

    async def test_a_fork_of_the_interpreter_has_no_say_in_it(self) -> None:
        code = "import os\nif os.fork() == 0:\n    print('child')\nelse:\n    os.wait(); print('parent')"
        async with self.context() as context:
            assert sorted((await told(context, code)).stdout.split()) == ["child", "parent"]
            assert (await told(context, "print('one')")).stdout == "one\n"

    @pytest.mark.parametrize(
        "line",
        [b"no json\n", b'{"event": "done", "id": 99, "status": "ok", "count": 1}\n', b'{"event": 5}\n'],
        ids=["text", "end", "unknown"],
    )
    async def test_a_hostile_line_costs_the_context_its_life_alone(self, line: bytes) -> None:
        async with self.context() as context:
            found = await told(context, _WRITE_TO_EVENTS.format(line))
            assert found.status is CellStatus.DIED
            assert (await context.ended()).end is ContextEnd.BROKEN
            box = await self.bench.shared_box()
            assert (await collect(box, shell("echo lives"))).stdout == b"lives\n"

    async def test_who_stops_reading_interrupts_the_cell(self) -> None:
        async with self.context() as context:
            await told(context, "kept = 8")
            events = context.run(Cell("while True: print('x' * 1000)", timeout=LONG))
            await until(events, Streamed)
            await stop(cast("Any", events))
            assert (await told(context, "print(kept)")).stdout == "8\n"

    async def test_questions_about_code_are_answered(self) -> None:
        async with self.context() as context:
            await told(context, "import math\nlongish = 1", store_history=True)
            found = await context.complete("longi", 5)
            assert ("longish" in found.matches, found.start, found.end) == (True, 0, 5)
            known = await context.inspect("math.floor", 7)
            assert known.found
            assert "floor" in known.data["text/plain"]
            assert not (await context.inspect("nothing_of_that_name", 3)).found
            assert (await context.is_complete("1 + 1")).status is Completeness.COMPLETE
            assert (await context.is_complete("for i in x:")).indent == "    "
            assert (await context.is_complete("for i in")).status is Completeness.INVALID
            assert [each.code for each in await context.history()] == ["import math\nlongish = 1"]

    async def test_what_cannot_be_opened_is_refused(self) -> None:
        if not self.offers(Feature.CONTEXTS):
            pytest.skip(f"engine {self.engine_name} has no contexts: their refusal is tested")
        box = await self.bench.shared_box()
        with pytest.raises(Unsupported):
            await opened(box, ContextSpec(language="cobol"))
        with pytest.raises(SandlotError):
            await opened(box, ContextSpec(workdir=PurePosixPath("/no/such/place")))

    async def test_its_variables_and_directory_are_as_asked(self) -> None:
        if not self.offers(Feature.CONTEXTS):
            pytest.skip(f"engine {self.engine_name} has no contexts: their refusal is tested")
        box = await self.bench.shared_box()
        await collect(box, shell("mkdir -p below"))
        spec = ContextSpec(workdir=PurePosixPath("/workspace/below"), env={"WORD": "é"})
        context = await opened(box, spec)
        found = await told(context, "import os; print(os.path.basename(os.getcwd()), os.environ['WORD'])")
        assert found.stdout == "below é\n"
        await context.close()
