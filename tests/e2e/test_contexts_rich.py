"""What the environment `default` shows: pictures that look right, charts and tables as data, displays."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import sandlot
from sandlot.contracts.cell_result import CHART
from sandlot.contracts.errors import SandlotError
from sandlot.environments import registry as environments
from sandlot.sdk.context import Context

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def box() -> Iterator[sandlot.Sandbox]:
    try:
        environments.get("default")
        with sandlot.Sandbox.local(environment="default") as box:
            yield box
    except SandlotError as error:
        pytest.skip(f"{error}; `make run` builds it")


@pytest.fixture(scope="module")
def context(box: sandlot.Sandbox) -> Iterator[Context]:
    with box.context() as context:
        if context.facts.shell != "ipython":
            pytest.skip("the environment default has no IPython")
        told(context, "import math, numpy, pandas, datetime, matplotlib.pyplot as plt")
        yield context


def told(context: Context, code: str) -> Any:
    found = context.run(code, timeout=45)
    assert found.ok, found
    return found


def pixels(png: bytes) -> tuple[int, int, set[bytes]]:
    """Width, height and the colours of an 8-bit RGBA picture (https://www.w3.org/TR/png-3/)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6)
    data, at = b"", 8
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        at += size + 12
    raw, stride = zlib.decompress(data), width * 4
    before, colours = bytearray(stride), set()
    for row in range(height):
        start = row * (stride + 1)
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before)
        colours |= {bytes(before[at : at + 4]) for at in range(0, stride, 4)}
    return width, height, colours


def _unfiltered(kind: int, line: bytearray, above: bytearray) -> bytearray:
    for at, byte in enumerate(line if kind else b""):
        left, up, corner = (line[at - 4], above[at], above[at - 4]) if at >= 4 else (0, above[at], 0)
        near = {abs(up - corner): left, abs(left - corner): up, abs(left + up - 2 * corner): corner}
        paeth = next(each for each in (left, up, corner) if each == near[min(near)]) if kind == 4 else 0
        line[at] = (byte + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
    return line


def test_a_plot_looks_right_and_says_what_it_shows(context: Context) -> None:
    found = told(
        context,
        "%config InlineBackend.figure_formats = ['png', 'svg']\n"
        "plt.rcParams['svg.fonttype'] = 'none'\n"
        "plt.figure(figsize=(4, 3), facecolor='white')\n"
        "plt.plot([1, 2, 3], [2, 4.5, math.nan], color='#ff0000', linewidth=4, label='uphill')\n"
        "plt.title('hills'); plt.xlabel('way'); plt.ylabel('height'); plt.legend()\n"
        "plt.show()\n"
        "%config InlineBackend.figure_formats = ['png']",
    )
    (picture,), (drawing,), (chart,) = (
        found.representations("image/png"),
        found.representations("image/svg+xml"),
        found.charts,
    )
    width, height, colours = pixels(base64.b64decode(picture))
    assert 250 < width < 800
    assert 180 < height < 600
    assert {b"\xff\xff\xff\xff", b"\xff\x00\x00\xff"} <= colours  # the paper and the line
    assert all(f">{word}</text>" in drawing for word in ("hills", "way", "height", "uphill"))
    assert chart["axes"] == [
        {
            "title": "hills",
            "x": {"label": "way", "scale": "linear"},
            "y": {"label": "height", "scale": "linear"},
            "legend": ["uphill"],
            "series": [
                {
                    "type": "line",
                    "label": "uphill",
                    "points": 3,
                    "truncated": False,
                    "x": [1.0, 2.0, 3.0],
                    "y": [2.0, 4.5, None],
                }
            ],
        }
    ]


SERIES: list[tuple[str, dict[str, Any]]] = [
    ("a.plot([datetime.date(2024, 1, 1)], [5])", {"type": "line", "x": ["2024-01-01T00:00:00"], "y": [5.0]}),
    ("a.plot([1, 2], [3, 4], 'o')", {"type": "scatter", "x": [1.0, 2.0], "y": [3.0, 4.0]}),
    ("a.scatter([1, 2], [3, math.inf], label='s')", {"type": "scatter", "label": "s", "y": [3.0, None]}),
    ("a.bar(['p', 'q'], [1, 2])", {"type": "bar", "x": ["p", "q"], "y": [1.0, 2.0]}),
    ("a.barh(['p', 'q'], [1, 2])", {"orientation": "horizontal", "x": [1.0, 2.0], "y": ["p", "q"]}),
    ("a.bar([0, 1], [1, 2], bottom=[3, 4])", {"y": [1.0, 2.0], "base": [3.0, 4.0]}),
    ("a.pie([1, 3], labels=['p', 'q'])", {"type": "pie", "x": ["p", "q"], "y": [0.25, 0.75]}),
    (
        "a.boxplot([[1, 2, 3, 9]], tick_labels=['p'])",
        {
            "type": "box",
            "boxes": [
                {
                    "place": "p",
                    "low": 1.0,
                    "q1": 1.75,
                    "median": 2.5,
                    "q3": 4.5,
                    "high": 4.5,
                    "outliers": [9.0],
                }
            ],
        },
    ),
    ("a.boxplot([[1, 2]], orientation='horizontal', patch_artist=True)", {"orientation": "horizontal"}),
    ("a.hist([0, 1, 1, 2], bins=2)", {"type": "histogram", "y": [1.0, 3.0], "edges": [0.0, 1.0, 2.0]}),
    ("a.stairs([1, 3], [0, 1, 2])", {"type": "histogram", "y": [1.0, 3.0], "edges": [0.0, 1.0, 2.0]}),
    ("a.fill_between([0, 1], [2, 2])", {"type": "fill", "points": 7}),
    ("a.imshow(numpy.zeros((2, 3)))", {"type": "image", "shape": [2, 3], "extent": [-0.5, 2.5, 1.5, -0.5]}),
    ("a.errorbar([1], [2], yerr=0.5)", {"type": "errorbar", "yError": {"low": [1.5], "high": [2.5]}}),
    ("a.stem([5, 6])", {"type": "stem", "y": [5.0, 6.0]}),
    ("a.axhline(3)", {"type": "hline", "x": [], "y": [3.0]}),
    ("pandas.Series([1, 2], index=['p', 'q']).plot.bar(ax=a)", {"type": "bar", "x": ["p", "q"]}),
    (
        "pandas.Series([1], index=pandas.period_range('2024', periods=1, freq='D')).plot(ax=a)",
        {"x": ["2024-01-01"]},
    ),
    ("a.contour(numpy.eye(3))", {"type": "unknown", "artist": "QuadContourSet", "count": 1}),
    ("a.plot(range(2500))", {"points": 2500, "truncated": True, "x": [float(n) for n in range(0, 2500, 3)]}),
]


def test_charts_are_told_as_what_was_plotted(context: Context) -> None:
    draw = "".join(f"a = plt.figure().add_subplot()\n{code}\n" for code, _ in SERIES)
    draw = f"plt.rcParams['figure.max_open_warning'] = 0\n{draw}"
    # Twenty pictures would take seconds.
    show = "for n in plt.get_fignums(): display(plt.figure(n), include=['none'])\nplt.close('all')"
    charts = told(context, draw + show).charts
    assert len(charts) == len(SERIES)
    for (code, wanted), chart in zip(SERIES, charts, strict=True):
        (axes,) = chart["axes"]
        series = axes["series"][0]
        assert {name: series.get(name) for name in wanted} == wanted, code


def test_no_figure_fails_its_cell_or_costs_much(context: Context) -> None:
    odd = """
import time
f = plt.figure()
f.suptitle('above')
polar = f.add_subplot(2, 2, 1, projection='polar'); polar.plot([0, 1], [1, 2])
space = f.add_subplot(2, 2, 2, projection='3d'); space.plot([0], [1], [2])
many = f.add_subplot(2, 2, 3); many.plot(numpy.random.rand(300, 200))
class Odd(matplotlib.lines.Line2D):
    def get_xdata(self, orig=True): raise RuntimeError('no')
broken = plt.figure()
broken.add_subplot().add_line(Odd([1], [2])).__class__ = matplotlib.lines.Line2D
broken.gca().get_title = lambda: 1 / 0
"""
    told(context, f"import matplotlib, matplotlib.lines\n{odd}plt.close('all')")
    first = told(context, "f").charts[0]
    assert first["title"] == "above"
    polar, space, many = first["axes"]
    assert (polar["projection"], polar["series"][0]["x"]) == ("polar", [0.0, 1.0])
    assert space["series"] == [{"type": "unknown", "artist": "Line3D", "count": 1}]
    assert many["omitted"] > 0
    found = told(context, "display(broken, exclude=['image/png'])")
    assert found.charts == ({"version": 1, "error": "ZeroDivisionError: division by zero"},)
    assert not found.stderr


def test_a_figure_is_drawn_in_the_forms_it_is_asked_for(context: Context) -> None:
    told(context, "g = plt.figure(); g.add_subplot().plot([1, 2]); plt.close(g)")
    (shown,) = told(context, "display(g, include=['image/svg+xml', 'image/jpeg', 'application/pdf'])").bundles
    assert set(shown) == {"image/svg+xml", "image/jpeg", "application/pdf", CHART}
    assert shown["image/svg+xml"].startswith("<?xml")
    assert base64.b64decode(shown["image/jpeg"]).startswith(b"\xff\xd8")
    assert base64.b64decode(shown["application/pdf"]).startswith(b"%PDF")


def test_tables_are_told_as_schema_first_rows_and_size(context: Context) -> None:
    frame = """
moment = datetime.datetime(2024, 1, 2)
columns = {'n': [1, 2], 'f': [1.5, math.nan], 't': ['x' * 300, None], 'b': [True, False]}
columns.update(d=[moment, None], o=[[1], 1j])
pandas.DataFrame(columns, index=pandas.Index(['p', 'q'], name='key'))"""
    found = told(context, frame)
    (table,) = found.tables
    assert [(each["name"], each["type"]) for each in table["schema"]["fields"]] == [
        ("n", "integer"), ("f", "number"), ("t", "string"), ("b", "boolean"), ("d", "datetime"), ("o", "any"),
    ]  # fmt: skip
    assert table["schema"]["index"][0]["name"] == "key"
    assert table["index"] == ["p", "q"]
    cut = "x" * 199 + "\N{HORIZONTAL ELLIPSIS}"
    assert table["rows"] == [
        [1, 1.5, cut, True, "2024-01-02T00:00:00", "[1]"],
        [2, None, None, False, None, "1j"],
    ]
    assert (table["shape"], table["truncated"]) == ([2, 6], False)
    assert table["memoryBytes"] > 50
    assert "<table" in found.bundles[0]["text/html"]
    (large,) = told(context, "pandas.DataFrame(numpy.zeros((1000, 30)))").tables
    assert (large["shape"], large["truncated"]) == ([1000, 30], True)
    assert (len(large["rows"]), len(large["rows"][0])) == (20, 20)
    (series,) = told(context, "pandas.Series([3], name='s')").tables
    assert (series["schema"]["fields"][0]["name"], series["rows"]) == ("s", [[3]])
    (unnamed,) = told(context, "pandas.Series([1j])").tables
    assert unnamed["schema"]["fields"] == [{"name": None, "type": "any", "dtype": "complex128"}]


def test_displays_are_updated_and_cleared(context: Context) -> None:
    code = (
        "from IPython.display import HTML, clear_output, display, update_display\n"
        "print('before'); one = display('a', display_id=True); display('b', display_id='two')\n"
        "one.update(HTML('<i>c</i>')); update_display('d', display_id='two')"
    )
    found = told(context, code)
    assert [each.data["text/plain"] for each in found.displays][1:] == ["'d'"]
    assert found.displays[0].data["text/html"] == "<i>c</i>"
    assert told(context, "print(1); clear_output(wait=True); print(2)").stdout == "2\n"
    assert not told(context, "display(1)\nclear_output()").displays
