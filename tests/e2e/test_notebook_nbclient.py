"""Real notebooks, executed by nbclient as anybody does, in sandboxes."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from traitlets.config import Config

from sandlot.compat.jupyter.household import Household
from tests.e2e import notebooks

pytestmark = pytest.mark.engine

V4: Any = nbformat.v4
REPORT = """
import pandas as pd
import matplotlib.pyplot as plt
table = pd.DataFrame({"day": [1, 2, 3], "sold": [4, 8, 6]})
table
"""
CHART = """
plt.plot(table.day, table.sold)
plt.title("sold")
plt.show()
print("drawn")
"""


@pytest.fixture(scope="module", autouse=True)
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with notebooks.installed(tmp_path_factory.mktemp("jupyter"), environment=notebooks.ENVIRONMENT):
        household = Household.join()  # so that not every notebook starts a service
        yield
        asyncio.run(household.leave())


def executed(*cells: Any, **options: Any) -> Any:
    """A notebook of *cells* once it was run."""
    told = [V4.new_code_cell(each) if isinstance(each, str) else each for each in cells]
    notebook = V4.new_notebook(cells=told)
    NotebookClient(notebook, kernel_name="sandlot", **{"timeout": 20, **options}).execute()
    nbformat.validate(notebook)
    return notebook


def test_report_with_a_table_and_a_chart() -> None:
    notebook = executed(V4.new_markdown_cell("# Sales"), REPORT, CHART, "table.sold.sum()")
    _, table, chart, total = notebook.cells
    assert [cell.execution_count for cell in (table, chart, total)] == [1, 2, 3]
    assert "<table" in table.outputs[0].data["text/html"]
    picture, text = chart.outputs
    png = base64.b64decode(picture.data["image/png"])
    assert png.startswith(b"\x89PNG")
    assert all(side > 200 for side in struct.unpack(">II", png[16:24]))
    assert text.text == "drawn\n"
    assert total.outputs[0].data["text/plain"] in ("18", "np.int64(18)")
    assert notebook.metadata.language_info["name"] == "python"


def test_errors_stop_a_notebook_unless_they_are_allowed() -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed("1 / 0", "print('not reached')")
    notebook = executed("1 / 0", "print('reached')", allow_errors=True)
    assert [cell.outputs[0].output_type for cell in notebook.cells] == ["error", "stream"]


def test_input_is_refused_where_nobody_is_there_to_answer() -> None:
    cell = executed(
        "try:\n    input('name? ')\nexcept Exception as error:\n    print(type(error).__name__)"
    ).cells[0]
    assert cell.outputs[0].text == "StdinNotImplementedError\n"


def test_displays_are_updated_and_cleared() -> None:
    cell = executed(
        "from IPython.display import clear_output, display\n"
        "print('gone')\nclear_output()\n"
        "shown = display('before', display_id=True)\nshown.update('after')"
    ).cells[0]
    assert [output.data["text/plain"] for output in cell.outputs] == ["'after'"]


def test_cell_that_takes_too_long_is_interrupted() -> None:
    with pytest.raises(CellTimeoutError):
        executed("while True: pass", timeout=1)


def test_kernel_that_died_is_restarted_by_its_manager_with_its_files() -> None:
    async def story() -> None:
        config = Config({"KernelRestarter": {"time_to_dead": 0.1}})
        manager = AsyncIOLoopKernelManager(kernel_name="sandlot", config=config)
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=20)
            client.execute("open('kept.txt', 'w').close(); import os; os.kill(os.getpid(), 9)")
            began = asyncio.Event()
            manager.add_restart_callback(began.set)
            async with asyncio.timeout(20):
                await began.wait()
                while not await manager.is_alive():  # noqa: ASYNC110 - the manager tells no end of a restart
                    await asyncio.sleep(0.05)
            await client.wait_for_ready(timeout=20)
            code = "import os; assert os.listdir() == ['kept.txt']"
            reply = await client.execute_interactive(code, allow_stdin=False, timeout=20)
            assert reply["content"]["status"] == "ok"
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    asyncio.run(story())
