"""What docs/performance.md says whatever was measured: method, commands, the document's fields."""

from __future__ import annotations

HOW_TO_READ = """## How to read this

Each benchmark takes its samples in rounds. In a round every series takes a block of samples, and so does
each baseline beside it; every second round runs in the opposite order. A ratio is the series' p50 over the
baseline's p50 of the same round; told is the median over the rounds and the range they span. Milliseconds
are what the ratio means on this machine: p50, p95 and p99 are nearest-rank percentiles of each round, and
told is their median over the rounds; min and max are of all samples. The first samples of a series warm it
up and are not counted. A sample that fails is counted and never tried again.

A goal in brackets is a guide: what a promised ratio means in numbers on a quiet machine of two cores. Only
the ratio is promised, so only the ratio is judged. `sandlot bench` ends with 0 when every promise that could
be judged holds, with 1 when one is missed or a series had no success at all (standard error says which), and
with 125 when it could not measure. What is not built yet, or not possible on this machine, is told and
misses nothing; a quick run judges nothing.

The server is one of the bench's own, started as anybody would start it, with every wall on; which walls held
is read from the result of a run. Only its quotas of sandboxes are raised, for the benchmarks that need many.
"""
CLIENT = """## What the client costs

Client and server share the cores, so what the client computes is taken from the server. The load is
therefore not made with sandlot's own client but with one thread on bare sockets, kept alive: a request is
one write of bytes made before, an answer one read and a search for its length; many clients at once are one
selector loop. `http` measures that client, loopback and the server's HTTP together by `GET /healthz`:
whatever else is measured over HTTP contains as much. Beside a closed loop stands the processor time the
client itself took for each answer. Only `print-to-byte` uses sandlot's own client.

A spaced one-shot waits 4 ms after the last one's answer, so that the pool is filled again off its path;
back to back and in a closed loop the refill is on it.
"""
TTI = """## The same method as others

`tti` follows ComputeSDK's benchmarks (github.com/computesdk/benchmarks, METHODOLOGY.md): 100 sandboxes one at
a time, one every 200 ms, and all at once; each is created, runs its first command and is asked what tells
whether somebody used it before; the sandbox is destroyed outside the clock, failures lower the success rate
and are not tried again, 5 % of the times are cut off at either end. A sandbox in which the mark of an
earlier one is found in `/tmp` or `/var/tmp` fails its iteration; namespaces, control group, boot id and the
first process's start are compared, and what three or more tell alike is told. Different here: the first
command is `echo` (theirs is `node -v`) and comes before the look for an earlier user (theirs comes after),
and client and server share a machine.

The table's times end with the first command; `computesdk` in the document holds the round with the middle
median with their field names, and its times hold the look for an earlier user too, as theirs do. The
composite score is theirs: of 100, 60 % by the median, 25 % by p95, 15 % by p99, each losing all at 10 s,
times the success rate. `burst` asks for as many at once, but looks and destroys only when all are ready.
"""
MEMORY = """## Memory, density, growth, leaks

`memory` and `density` make sandboxes that do nothing, wait until no process comes or goes, and compare with
before: what the machine could still give (MemAvailable), and what the processes of the boxes, the keeper's
and the zygote's alone hold (`Private_*` of smaps_rollup, the server left out). The promise is judged by the
second; the first holds what the kernel keeps for them too, and whatever else happened on the machine.
`context-memory` counts in the same way what 20 contexts of one sandbox add once each has imported pandas. How
many fit is judged only where `--density` asks for the 5,000 promised, or fewer could be made.

`growth` fits a straight line to the p50 of create, exec and delete beside 10, 30, 100, 300 and 1,000 living
sandboxes; told is the line's end over its begin.

`cycles` and `soak` read counters from the system before and after, of the server and every process beneath
it: processes, mounts (each mount namespace once), control groups, namespaces, descriptors, and the files in
the server's directory. `soak` measures what the server can do, then asks for a part of it at a fixed rate;
a time counts from when its request was due, so that a server that stalls is not measured less.
"""
REPRODUCE = """## Reproduce it

On a machine that does nothing else, about half an hour:

```
sandlot env create data numpy pandas ipython --preload numpy pandas IPython
pip install 'sandlot[bench]'
sandlot bench --output out.json --plot out.svg
python -m sandlot.bench.page out.json --output docs/performance.md
```

What takes as long as one says:

```
sandlot bench density --density 5000
sandlot bench cycles 10000
sandlot bench soak --seconds 3600 --load 0.7
```

Parts of it, and quickly (three samples in two rounds show that it works, not how fast it is):

```sh
sandlot bench --quick one-shot --output quick.json
python -m sandlot.bench.page quick.json --output quick.md
python -m sandlot.bench.page quick.json --output quick.md --check
sandlot bench --quick --rounds 1 --count 1 --json bubblewrap-one-shot startup
sandlot bench --quick cycles 3
```

`--url URL` measures a server that runs already instead of one of the bench's own (by `http` or `unix`; what
looks into the server's processes is then left out); `--rounds` and `--count` say how much is measured,
`--data-environment` which environment has numpy, pandas and IPython. The extra `bench` holds what cells are
compared with, ipykernel and jupyter_client, and what `--plot` draws with; nothing is fetched while it
measures.
"""

DOCUMENT = """## The document

`--output FILE` and `--json` give one JSON document. `schema` is 2 and grows when a field changes its meaning.
"""

FIELDS = (
    ("`schema`, `sandlot`", "version of this shape, version of sandlot"),
    ("`begun`, `ended`", "times in RFC 3339"),
    ("`machine`", "`cores` that may be used, `memoryBytes`, `architecture`, `kernel`, `python`"),
    ("`machine.loadBefore`, `machine.loadAfter`", "load averages of 1, 5 and 15 minutes"),
    ("`config`", "`rounds`, `quick`, `target` (`private server`, `given server` or `none`)"),
    ("`server`", "`engine`, `isolation`, `enforced` and `failover` of a result; null without a server"),
    ("`results`", "one entry per series and per baseline, below"),
    (
        "`skipped`",
        "`benchmark`, `kind` (`not built yet` or `not possible here`) and `why` for each not measured",
    ),
    ("`notBuilt`", "promises about what sandlot cannot do yet"),
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
    ("`goals`", "`goal`, `baseline`, `value`, `guide` and `met` (null in a quick run, or without a value)"),
)

FIGURES = (
    ("`createMs`, `destroyMs`", "p50 of the two ends of a sandbox of `tti` and `burst`"),
    ("`wallClockMs`", "from the first call of a round to the last sandbox ready"),
    (
        "`mntRepeated`, `pidRepeated`, `utsRepeated`, `cgroupRepeated`, `bootRepeated`, `pid1Repeated`",
        "how many sandboxes of a round told what at least three told; missing where none did",
    ),
    ("`perSecond`", "answers per second of a closed loop, requests per second of `soak`"),
    ("`clientMicroseconds`", "processor time of the client per answer of a closed loop"),
    ("`megabytesPerSecond`", "10^6 bytes per second at the p50"),
    ("`serverGrowthMiB`", "resident memory of the server at its peak over that at the round's begin"),
    ("`privateMiBEach`, `availableMiBEach`", "memory of one idle sandbox or context, by the two counts"),
    ("`createLateOverEarly`", "p50 of the last tenth of the creations over that of the first"),
    ("`liveSandboxes`, `idleSandboxes`", "sandboxes at once; the second only where it can be judged"),
    ("`createMsAtN`, `executeMsAtN`, `deleteMsAtN`", "p50 beside N living sandboxes"),
    ("`createGrowth`, `executeGrowth`, `deleteGrowth`", "the fitted line's end over its begin"),
    ("`...Before`, `...After`, `...Leaked`", "counters of `cycles` and `soak`, and what there is more of"),
    ("`serverMiBBefore`, `serverMiBAfter`, `serverDriftPercent`", "resident memory of the server"),
    (
        "`helpersMiBBefore`, `helpersMiBAfter`, `helpersDriftPercent`",
        "the same of every process beneath it that lived through the whole soak",
    ),
    ("`p99MsEarly`, `p99MsLate`, `p99DriftPercent`", "p99 of the soak's first and last tenth"),
    ("`foreignModules`", "packages from outside the standard library that `import sandlot` loads"),
)
