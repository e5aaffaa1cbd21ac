"""Contexts in the environment `default`: IPython's shell, its magics and displays, plots and tables."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from sandlot.contracts.cell_result import CellResult, fold
from sandlot.contracts.cells import Cell, CellStatus, Suggested
from sandlot.contracts.command import Command
from sandlot.contracts.contexts import Context, Contexts, ContextSpec
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.engines import registry
from sandlot.environments import registry as environments
from sandlot.testing.suite import collect

pytestmark = pytest.mark.engine
ENVIRONMENT = "default"
LONG = Seconds(45)


@asynccontextmanager
async def lent(name: str) -> AsyncIterator[Box]:
    try:
        environments.get(ENVIRONMENT)
    except SandlotError as error:
        pytest.skip(f"{error}; `make run` builds it")
    engine = registry.make(name)
    try:
        viability = await engine.probe()
        if not viability.works:
            pytest.skip(f"engine {name}: {viability.cause}")
        yield await engine.create(SandboxSpec(environment=ENVIRONMENT))
    finally:
        await engine.close()


@pytest.fixture(params=["zygote", "bubblewrap"])
def drive(request: pytest.FixtureRequest) -> Callable[[Callable[[Context], Awaitable[None]]], None]:
    async def work(story: Callable[[Context], Awaitable[None]]) -> None:
        async with lent(request.param) as box:
            context = await cast("Contexts", cast("Any", box)).open_context(ContextSpec())
            if context.facts.shell != "ipython":
                pytest.skip(f"the environment {ENVIRONMENT} has no IPython")
            await story(context)

    return lambda story: asyncio.run(asyncio.wait_for(work(story), 55))


async def told(context: Context, code: str) -> CellResult:
    return fold([event async for event in context.run(Cell(code, timeout=LONG))])


def test_magics_and_shell_lines_work(drive: Any) -> None:
    async def story(context: Context) -> None:
        assert {"magics", "shell", "matplotlib"} <= set(context.facts.features)
        assert (await told(context, "!echo hi")).stdout == "hi\n"
        assert (await told(context, "words = !echo a b\nprint(words[0])")).stdout == "a b\n"
        assert (await told(context, "%%bash\necho in bash")).stdout == "in bash\n"
        assert "CPU times" in (await told(context, "%time sum(range(9))")).stdout
        assert (await told(context, "In[1], _oh.keys() and Out")).ok
        (page,) = (await told(context, "len?")).displays
        assert "number of items" in page.data["text/plain"]
        assert page.paged
        load = Cell("open('a.py', 'w').write('x = 1')\n%load a.py")
        (loaded,) = [each async for each in context.run(load) if isinstance(each, Suggested)]
        assert loaded == Suggested("# %load a.py\nx = 1", replace=True)
        assert (await told(context, "get_ipython().__class__.__name__")).text == "'Shell'"

    drive(story)


# Every text of up to three of these is transformed as IPython transforms it.
_ALIKE = r"""
import itertools
from IPython.core.inputtransformer2 import TransformerManager
ours, theirs = get_ipython().input_transformer_manager, TransformerManager()
pieces = ("", "a = 1", "f(1)", "\n", " ", "    b", "\r\n", "\f", "%", "%%x", "!ls", "x?", "a=%t", "a=!t")
pieces += (">>> a", "... b", "In [1]: a", "   ...: b", "'", '\"\"\"', ",f a", ";f a", "/f a", "(", "\\\n")
texts = {"".join(each) for count in (1, 2, 3) for each in itertools.product(pieces, repeat=count)}
odd = [text for text in sorted(texts) if ours.transform_cell(text) != theirs.transform_cell(text)]
print(len(texts) > 10_000, odd[:3])
"""
_ADDED = """
get_ipython().input_transformers_post.append(lambda lines: [line.replace("cheese", "1") for line in lines])
"""


def test_cells_are_transformed_as_ipython_does(drive: Any) -> None:
    async def story(context: Context) -> None:
        assert (await told(context, _ALIKE)).stdout == "True []\n"
        assert (await told(context, _ADDED)).ok
        assert (await told(context, "cheese + 1")).text == "2"
        assert (await told(context, "import asyncio\nawait asyncio.sleep(0, 5)")).text == "5"
        assert (await told(context, "[each async for each in asyncio.sleep]")).error is not None
        assert (await told(context, "print('await', 'async')")).stdout == "await async\n"

    drive(story)


def test_what_cells_write_is_kept_by_the_client_only(drive: Any) -> None:
    async def story(context: Context) -> None:
        assert (await told(context, "print('x' * 9)")).ok
        kept = await told(context, "'xxxxxxxxx' in repr(dict(get_ipython().history_manager.outputs))")
        assert kept.text == "False"

    drive(story)


def test_a_context_shows_nothing_of_the_cells_that_its_shell_was_rehearsed_with(drive: Any) -> None:
    fresh = (
        "import linecache, sys\n"
        "print(len(In), Out, repr(_), repr(__), get_ipython().execution_count, '_1' in globals(), _i == '')\n"
        "print(len([name for name in linecache.cache if name.startswith('<ipython')]))\n"
        "print(get_ipython().last_execution_result, sys.displayhook.__class__.__name__)"
    )

    async def story(context: Context) -> None:
        found = await told(context, fresh)
        assert found.stdout == "2 {} '' '' 2 False True\n1\nNone ResultHook\n", found
        assert (await told(context, "6 * 7")).text == "42"
        assert (await told(context, "_, Out, _2")).text == "(42, {2: 42}, 42)"

    drive(story)


def test_displays_are_those_of_ipython(drive: Any) -> None:
    async def story(context: Context) -> None:
        shown = await told(
            context,
            "from IPython.display import HTML, JSON, clear_output, display\n"
            "handle = display(HTML('<i>1</i>'), display_id=True)\n"
            "handle.update(HTML('<i>2</i>'))\nJSON({'a': 1})",
        )
        assert [each.get("text/html") for each in shown.bundles] == ["<i>2</i>", None]
        assert shown.representations("application/json") == ({"a": 1},)
        assert (await told(context, "print('gone')\nclear_output()\nprint('here')")).stdout == "here\n"
        table = await told(context, "import pandas\npandas.DataFrame({'x': [1, 2]})")
        assert "<table" in table.bundles[0]["text/html"]

    drive(story)


def test_plots_come_as_pictures_without_a_display_and_are_closed(drive: Any) -> None:
    async def story(context: Context) -> None:
        plot = await told(
            context, "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.title('hills');"
        )
        (picture,) = plot.representations("image/png")
        data = base64.b64decode(picture)
        assert data.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", data[16:24])
        assert width > 300 < height + 100
        assert len(data) > 5000  # a blank one of that size has a tenth
        shown = await told(context, "plt.bar([1, 2], [3, 4])\nplt.show()\nprint(len(plt.get_fignums()))")
        assert (len(shown.representations("image/png")), shown.stdout) == (1, "0\n")
        await told(context, "%config InlineBackend.figure_formats = ['svg']")
        drawn = await told(
            context, "plt.rcParams['svg.fonttype'] = 'none'\nplt.plot([1, 2], label='uphill')\nplt.legend();"
        )
        (drawing,) = drawn.representations("image/svg+xml")
        assert "uphill" in drawing

    drive(story)


def test_errors_show_the_code_of_the_user_only(drive: Any) -> None:
    async def story(context: Context) -> None:
        for code in (
            "def f():\n    return 1 / 0\nf()",
            "input()",
            "raise ExceptionGroup('g', [ValueError('a')])",
        ):
            found = await told(context, code)
            assert found.status is CellStatus.ERROR
            assert found.error is not None
            shown = "\n".join(found.error.traceback)
            assert "guest/contexts" not in shown
            assert "interactiveshell" not in shown
            assert not found.stdout

    drive(story)


NOTICE = """
import builtins, sys
print([name for name in ('__IPYTHON__', 'display', 'get_ipython') if hasattr(builtins, name)])
print(hasattr(sys, 'ps1'), sys.displayhook is sys.__displayhook__, sys.excepthook is sys.__excepthook__)
print('' in sys.path, sys.modules['__main__'].__dict__ is globals())
import IPython; print(IPython.get_ipython())
"""


def test_a_plain_program_of_a_zygote_that_made_a_shell_ahead_notices_nothing() -> None:
    async def work() -> None:
        async with lent("zygote") as box:
            found = await collect(box, Command(code=NOTICE, timeout=LONG))
            assert found.text == "[]\nFalse True True\nFalse True\nNone\n", found.errors

    asyncio.run(asyncio.wait_for(work(), 55))
