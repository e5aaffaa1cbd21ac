"""Every form a value can be shown in, and what is updated and cleared: with IPython and without."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, cast

import pytest

import sandlot
from sandlot.contracts.cell_result import CHART
from sandlot.contracts.contexts import Contexts, ContextSpec
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.spec import Mount, SandboxSpec
from sandlot.engines import registry
from sandlot.environments import registry as environments
from sandlot.local.iteration import Background
from sandlot.sdk.context import Context
from sandlot.sdk.lent_context import LentContext

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    try:
        with sandlot.Sandbox.local(environment="default") as box, box.context() as context:
            if context.facts.shell != "ipython":
                pytest.skip("the environment default has no IPython")
            yield context
    except SandlotError as error:
        pytest.skip(f"{error}; `make run` builds it")


@pytest.fixture(scope="module")
def plain() -> Iterator[Context]:
    """A context without IPython, which finds the other packages of `default` in /packages."""
    background, engine = Background(), registry.make("bubblewrap")
    try:
        tree = environments.get("default").binds[0].host
        packages = next(tree.glob("lib/python3.*/site-packages"))
        spec = SandboxSpec(environment="system", mounts=(Mount(str(packages), PurePosixPath("/packages")),))
        box = background.wait(engine.create(spec))
        held = background.wait(cast("Contexts", cast("Any", box)).open_context(ContextSpec()))
        assert held.facts.shell == "plain"
        context = Context(LentContext(background, held), None)
        told(context, "import sys; sys.path.append('/packages')")
        yield context
    except SandlotError as error:
        pytest.skip(str(error))
    finally:
        background.wait(engine.close())
        background.close()


def told(context: Context, code: str) -> Any:
    found = context.run(code, timeout=45)
    assert found.ok, found
    return found


FORMS = """
class Whole:
    def _repr_html_(self): return '<b/>'
    def _repr_markdown_(self): return '*m*'
    def _repr_svg_(self): return '<svg/>'
    def _repr_png_(self): return b'\\x89'
    def _repr_jpeg_(self): return b'\\xff', {'width': 3}
    def _repr_pdf_(self): return b'%'
    def _repr_latex_(self): return '$l$'
    def _repr_json_(self): return {'j': [1, None]}
    def _repr_javascript_(self): return 'js'
    def _repr_mimebundle_(self, include, exclude): return {'application/x-own': 'o'}, {}
    def __repr__(self): return 'plain'
Whole()
"""
WHOLE = {
    "text/plain": "plain",
    "text/html": "<b/>",
    "text/markdown": "*m*",
    "image/svg+xml": "<svg/>",
    "image/png": "iQ==",
    "image/jpeg": "/w==",
    "application/pdf": "JQ==",
    "text/latex": "$l$",
    "application/json": {"j": [1, None]},
    "application/javascript": "js",
    "application/x-own": "o",
}
BROKEN = """
class Broken:
    def _repr_html_(self): return 1 / 0
    def _repr_png_(self): return b'x'
    def _repr_svg_(self): raise NotImplementedError
    def __repr__(self): raise ValueError('no text')
Broken()
"""


def test_every_form_is_told_in_both_shells(context: Context, plain: Context) -> None:
    for each in (context, plain):
        found = told(each, FORMS)
        assert found.bundles == (WHOLE,)
        assert found.result.metadata == {"image/jpeg": {"width": 3}}
        broken = told(each, BROKEN)
        assert broken.bundles == ({"image/png": "eA==", "text/plain": "<Broken: its __repr__ failed>"},)
        assert "ZeroDivisionError: division by zero" in broken.stderr
        assert "ValueError: no text" in broken.stderr
        assert "NotImplemented" not in broken.stderr
        assert broken.error is None


def test_the_plain_shell_shows_figures_tables_and_updates(plain: Context) -> None:
    figure = "from matplotlib.figure import Figure\nf = Figure()\nf.add_subplot().plot([1, 2])\nf"
    found = told(plain, figure)
    assert found.charts[0]["axes"][0]["series"][0]["y"] == [1.0, 2.0]
    assert base64.b64decode(found.result.data["image/png"]).startswith(b"\x89PNG")
    assert set(told(plain, "display(f, include=['image/svg+xml'])").bundles[0]) == {"image/svg+xml", CHART}
    assert told(plain, "import pandas\npandas.Series([4])").tables[0]["rows"] == [[4]]
    code = "one = display(1, display_id=True); display(2, display_id='b')\none.update(3)\n"
    shown = told(plain, f"{code}update_display(4, display_id='b')").displays
    assert [each.data["text/plain"] for each in shown] == ["3", "4"]
    assert told(plain, "print(1); clear_output(wait=True); print(2)").stdout == "2\n"
    assert not told(plain, "display(1)\nclear_output()").displays
