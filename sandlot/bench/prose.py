"""What docs/performance.md says whatever was measured: method, commands, the document's fields."""

from __future__ import annotations

HOW_TO_READ = """## How to read this

Each benchmark takes its samples in rounds. In a round every series takes a block of samples, and so does
each baseline beside it; every second round runs in the opposite order. A ratio is the series' p50 over the
baseline's p50 of the same round; told is the median over the rounds and the range they span. Milliseconds
are what the ratio means on this machine: p50, p95 and p99 are nearest-rank percentiles of each round, and
told is their median over the rounds; min and max are of all samples. The first samples of a series warm it
up and are not counted. A sample that fails is counted and never tried again.
"""
TTI = """## The same method as others

`tti` follows ComputeSDK's benchmarks (github.com/computesdk/benchmarks, METHODOLOGY.md): the clock runs from
the call that makes a sandbox to the end of its first command, the sandbox is destroyed outside the clock,
100 sandboxes one at a time, one every 200 ms, and all at once, failures lower the success rate and are not
tried again, 5 % of the times are cut off at either end. Different here: the first command is `echo` (theirs
is `node -v`), client and server share a machine, and the look for what an earlier user of the sandbox left
comes after the clock has stopped (theirs runs within it). `computesdk` in the document holds the round with
the middle median, with their field names.
"""
REPRODUCE = """## Reproduce it

On a machine that does nothing else, about ten minutes:

```
sandlot bench --output out.json
python -m sandlot.bench.page out.json --output docs/performance.md
```

Parts of it, and quickly (three samples in two rounds show that it works, not how fast it is):

```sh
sandlot bench --quick one-shot --output quick.json
python -m sandlot.bench.page quick.json --output quick.md
python -m sandlot.bench.page quick.json --output quick.md --check
sandlot bench --quick --rounds 1 --count 1 --json bubblewrap-one-shot startup
```

`--url URL` measures a server that runs already instead of one of the bench's own; `--rounds` and `--count`
say how much is measured.
"""

DOCUMENT = """## The document

`--output FILE` and `--json` give one JSON document. `schema` is 1 and grows when a field changes its meaning.
"""

FIELDS = (
    ("`schema`, `sandlot`", "version of this shape, version of sandlot"),
    ("`begun`, `ended`", "times in RFC 3339"),
    ("`machine`", "`cores` that may be used, `memoryBytes`, `architecture`, `kernel`, `python`"),
    ("`machine.loadBefore`, `machine.loadAfter`", "load averages of 1, 5 and 15 minutes"),
    ("`config`", "`rounds`, `quick`, `target` (`private server`, `given server` or `none`)"),
    ("`results`", "one entry per series and per baseline, below"),
    ("`skipped`", "`benchmark` and `why` for each that could not be measured"),
    ("`computesdk`", "for each mode of `tti` a document in the shape of ComputeSDK's result files"),
)

RESULT_FIELDS = (
    ("`benchmark`, `series`", "what was measured"),
    ("`baseline`", "true for what the other series of the benchmark are compared with"),
    ("`perRound`", "samples asked of the series in each round"),
    ("`n`, `failures`, `successRate`", "samples that succeeded and that failed over all rounds"),
    ("`errors`", "how often each error came, the most frequent ten"),
    ("`ms`", "`min`, `p50`, `p95`, `p99`, `max` in milliseconds; null without a success"),
    ("`rounds`", "the same of each round"),
    ("`ratios`", "for each baseline `value` and over the rounds `least` and `most`"),
    ("`figures`", "medians over the rounds of what else was counted, below"),
    ("`goals`", "`goal`, `baseline`, `value` and `met` (null in a quick run, or without a value)"),
)

FIGURES = (
    ("`createMs`, `destroyMs`", "p50 of the two ends of a sandbox of `tti`"),
    ("`wallClockMs`", "from the first call of a round of `tti` to its last sandbox ready"),
    ("`megabytesPerSecond`", "10^6 bytes per second at the p50"),
    ("`serverGrowthMiB`", "resident memory of the server at its peak over that at the round's begin"),
    ("`foreignModules`", "packages from outside the standard library that `import sandlot` loads"),
)
