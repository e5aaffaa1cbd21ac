"""Much output of one cell: half a million lines, paged through; a full disk; what is told at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sandlot
from sandlot.contracts.errors import NotFound, SandlotError

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def box() -> Iterator[sandlot.Sandbox]:
    try:
        with sandlot.Sandbox.local(environment="system") as box:
            yield box
    except SandlotError as error:
        pytest.skip(str(error))


def test_half_a_million_lines_are_read_page_by_page(box: sandlot.Sandbox) -> None:
    code = "for n in range(0, 500_000, 100): print('\\n'.join(f'é {m}' for m in range(n, n + 100)))"
    result = box.run_code(code, timeout=30)
    assert result.ok, result
    assert len(result.stdout.encode()) < 2**20 + 200
    pages = [box.output_page(result, 0, 1_000_003)]
    while pages[-1].following is not None:
        pages.append(box.output_page(result, pages[-1].following, 1_000_003))
    assert "".join(page.text for page in pages) == "".join(f"é {number}\n" for number in range(500_000))
    assert result.spilled is not None
    assert box.run_code(f"open({str(result.spilled.path)!r}).readline()").text == "'é 0\\n'"


def test_a_full_disk_costs_the_file_and_no_cell(box: sandlot.Sandbox) -> None:
    fill = """
import os, tempfile
place = os.path.join(tempfile.gettempdir(), 'filled')
with open(place, 'wb', buffering=0) as file:
    try:
        while True: file.write(bytes(2**20))
    except OSError as error:
        print(error.errno)
"""
    assert box.run_code(fill).stdout == "28\n"
    result = box.run_code("for n in range(30): print('x' * 100_000)")
    assert (result.ok, result.spilled) == (True, None)
    assert result.dropped > 1_000_000
    with pytest.raises(NotFound, match="no place"):
        box.output_page(result)
    box.run_code("os.unlink(place)")
    short = box.run_code("print(1)")
    with pytest.raises(NotFound, match="stdout"):
        box.output_page(short)
