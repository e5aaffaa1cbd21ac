"""A census of Python's standard library: how its packages are written, as a table and a chart.

Reads the source of every package under a folder (the first argument, else `stdlib` beside this, else the
library of the interpreter that runs this), parses it, and writes `out/stdlib_census.png`, `.svg` and `.csv`.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("Agg")  # a chart for a file: the box has no screen
from matplotlib import pyplot as plt

NOT_THE_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"}
SHOWN = 20
BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def main(arguments: list[str]) -> int:
    source = Path(arguments[0]) if arguments else given_or_own()
    say(f"reading {source}")
    files = pd.DataFrame(census(source))
    if files.empty:
        say(f"no Python source under {source}: name a folder that holds some")
        return 1
    packages = by_package(files)
    print(table(packages, files))
    for path in draw(packages, Path("out")):
        say(f"wrote {path}")
    return 0


def given_or_own() -> Path:
    given = Path("stdlib")
    return given if given.is_dir() else Path(sysconfig.get_path("stdlib"))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def census(source: Path) -> Iterator[dict[str, object]]:
    """One row per readable source file below *source*; what does not parse is told and left out."""
    found = (path.relative_to(source) for path in source.rglob("*.py") if path.is_file())
    paths = sorted(path for path in found if not NOT_THE_LIBRARY & set(path.parts))
    for number, path in enumerate(paths, start=1):
        if number % 100 == 0 or number == len(paths):
            say(f"  {number} of {len(paths)} files")
        package = path.parts[0].removesuffix(".py")
        try:
            yield {"package": package, **measure((source / path).read_text(encoding="utf-8"))}
        except (SyntaxError, UnicodeDecodeError) as problem:
            say(f"  left out {path}: {problem}")


def measure(text: str) -> dict[str, int]:
    with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # others' old escapes are not news
        tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    lines = [line.strip() for line in text.splitlines()]
    return {
        "files": 1,
        "code": sum(1 for line in lines if line and not line.startswith("#")),
        "comments": sum(1 for line in lines if line.startswith("#")),
        "functions": len(functions),
        "function_lines": sum(length(node) for node in functions),
        "classes": sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree)),
        "nesting": nesting(tree),
    }


def length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def nesting(node: ast.AST) -> int:
    """How many blocks stand inside each other at the deepest place below *node*."""
    deepest = 0
    waiting = [(node, 0)]
    while waiting:
        parent, depth = waiting.pop()
        deepest = max(deepest, depth)
        for child in ast.iter_child_nodes(parent):
            # `elif` is an If in the else branch of another: it reads on the same level.
            chained = isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]
            waiting.append((child, depth + (isinstance(child, BLOCKS) and not chained)))
    return deepest


def by_package(files: pd.DataFrame) -> pd.DataFrame:
    """The sums per package, largest first, with the ratios that compare them."""
    sums = files.groupby("package").agg(
        files=("files", "sum"),
        code=("code", "sum"),
        comments=("comments", "sum"),
        functions=("functions", "sum"),
        function_lines=("function_lines", "sum"),
        classes=("classes", "sum"),
        nesting=("nesting", "max"),
    )
    sums["mean_function"] = sums["function_lines"] / sums["functions"].clip(lower=1)
    sums["comment_share"] = sums["comments"] / (sums["comments"] + sums["code"]).clip(lower=1)
    return sums.sort_values("code", ascending=False)


COLUMNS = {
    "files": "files",
    "code": "code lines",
    "functions": "functions",
    "classes": "classes",
    "mean_function": "mean function",
    "comment_share": "comments",
    "nesting": "nesting",
}


def table(packages: pd.DataFrame, files: pd.DataFrame) -> str:
    whole = by_package(files.assign(package="everything"))
    shown = pd.concat([packages.head(SHOWN), whole])[list(COLUMNS)].rename(columns=COLUMNS)
    text = shown.rename_axis(None).to_string(
        formatters={
            "code lines": "{:,}".format,
            "functions": "{:,}".format,
            "classes": "{:,}".format,
            "mean function": "{:.1f} lines".format,
            "comments": "{:.1%}".format,
        }
    )
    lines = text.splitlines()
    rule = "-" * max(map(len, lines))
    title = f"The {min(SHOWN, len(packages))} largest of {len(packages)} packages and modules"
    return "\n".join([title, rule, lines[0], rule, *lines[1:-1], rule, lines[-1]])


def draw(packages: pd.DataFrame, folder: Path) -> Iterable[Path]:
    """Bars of size on the left, style of every package on the right; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, (size, style) = plt.subplots(1, 2, figsize=(13, 6.5), layout="constrained")
    figure.suptitle(f"The standard library of Python {sys.version_info.major}.{sys.version_info.minor}")
    bars(size, packages.head(SHOWN)[::-1])
    cloud(style, packages[packages["functions"] > 0])
    written = [folder / f"stdlib_census.{kind}" for kind in ("png", "svg")]
    for path in written:
        figure.savefig(path, dpi=150)
    packages.to_csv(folder / "stdlib_census.csv")
    return [*written, folder / "stdlib_census.csv"]


def bars(axes: plt.Axes, packages: pd.DataFrame) -> None:
    axes.barh(packages.index, packages["code"], color="#3b6ea5")
    axes.barh(packages.index, packages["comments"], left=packages["code"], color="#e8b04b")
    axes.legend(["code", "comments"], loc="lower right", frameon=False)
    axes.set_xlabel("lines")
    axes.spines[["top", "right"]].set_visible(False)


def cloud(axes: plt.Axes, packages: pd.DataFrame) -> None:
    points = axes.scatter(
        packages["mean_function"],
        packages["comment_share"] * 100,
        s=packages["code"] ** 0.5 * 2,
        c=packages["nesting"],
        cmap="viridis",
        alpha=0.75,
    )
    for name, row in packages.head(8).iterrows():
        place = (row["mean_function"], row["comment_share"] * 100)
        axes.annotate(str(name), place, xytext=(5, 5), textcoords="offset points", fontsize=8)
    axes.figure.colorbar(points, ax=axes, label="deepest nesting")
    axes.set_xlabel("mean function length in lines")
    axes.set_ylabel("whole-line comments in percent")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
