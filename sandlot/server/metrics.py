"""The server's counters, as Prometheus reads them: few labels, each with few values, none a caller's own."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from sandlot.contracts.lease import State
from sandlot.pool.supply import Supply
from sandlot.sandboxes.census import Census

_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "WEBSOCKET"}
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
NO_ROUTE = "none"
"""The label of requests that no route took: what a caller made up never becomes a label."""


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.registry = CollectorRegistry()
        self._answered = _Answered()
        self.registry.register(self._answered)
        self._refused = prometheus_client.Counter(
            "sandlot_http_refused", "Requests refused before a route.", ("why",), registry=self.registry
        )
        self._lag = Gauge(
            "sandlot_event_loop_lag_seconds",
            "How late the loop came of late.",
            registry=self.registry,
        )

    def began(self) -> None:
        """A request came."""
        self._answered.open += 1

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """It was answered with *status* by the route of template *route*, after *seconds*."""
        method = method if method in _METHODS else "OTHER"
        self._answered.open -= 1
        self._answered.count(method, route, status // 100, seconds)

    def refused(self, why: str) -> None:
        """A request was refused by the rule called *why*."""
        self._refused.labels(why).inc()

    def lag(self, seconds: float) -> None:
        """How late the event loop came."""
        self._lag.set(seconds)

    def follow(self, census: Callable[[], Census]) -> None:
        """Ask *census* for the numbers of sandboxes whenever the counters are read."""
        self.registry.register(_Population(census))

    def follow_pools(self, supplies: Callable[[], Sequence[Supply]]) -> None:
        """Ask *supplies* for the numbers of warm boxes whenever the counters are read."""
        self.registry.register(_Stocks(supplies))

    def text(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Durations:
    """How often what took how long, by the first of _BUCKETS that holds it; the last is for the rest."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.seconds = 0.0


class _Answered(Collector):
    """The requests. Plain numbers, for prometheus_client's own counters take a lock for each of them."""

    def __init__(self) -> None:
        self.open = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations: defaultdict[tuple[str, str], _Durations] = defaultdict(_Durations)

    def count(self, method: str, route: str, kind: int, seconds: float) -> None:
        self._requests[method, route, kind] += 1
        durations = self._durations[method, route]
        durations.counts[bisect_left(_BUCKETS, seconds)] += 1
        durations.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "sandlot_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        for (method, route, kind), count in self._requests.items():
            requests.add_metric([method, route, f"{kind}xx"], count)
        yield requests
        yield self._histogram()
        yield GaugeMetricFamily("sandlot_http_requests_open", "Requests being answered.", self.open)

    def _histogram(self) -> Metric:
        found = HistogramMetricFamily(
            "sandlot_http_request_seconds",
            "Time from a request's head to the end of its answer.",
            labels=["method", "route"],
        )
        bounds = [*(repr(float(bound)) for bound in _BUCKETS), "+Inf"]
        for labels, durations in self._durations.items():
            buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
            found.add_metric(labels, buckets, durations.seconds)
        return found


class _Population(Collector):
    """The sandboxes of every owner, as they are when somebody looks."""

    def __init__(self, census: Callable[[], Census]) -> None:
        self._census = census

    def collect(self) -> Iterator[Metric]:
        now = self._census()
        states = GaugeMetricFamily("sandlot_sandboxes", "Sandboxes of every owner.", labels=["state"])
        for state in State:
            states.add_metric([state.value], now.sandboxes.get(state, 0))
        yield states
        ended = CounterMetricFamily("sandlot_boxes_ended", "Boxes that ended, by why.", labels=["reason"])
        for reason, count in now.ended.items():
            ended.add_metric([reason.value], count)
        yield ended
        yield CounterMetricFamily("sandlot_boxes_started", "Boxes that started.", now.started)
        yield CounterMetricFamily("sandlot_boxes_failed", "Boxes that did not start.", now.failed_starts)
        yield GaugeMetricFamily("sandlot_starts", "Boxes being started.", now.starts)
        yield GaugeMetricFamily("sandlot_starts_waiting", "Starts that wait.", now.starts_waiting)
        yield GaugeMetricFamily("sandlot_commands", "Programs that run.", now.commands)
        yield GaugeMetricFamily("sandlot_commands_waiting", "Programs that wait.", now.commands_waiting)


class _Stocks(Collector):
    """The stocks of warm boxes, as they are when somebody looks."""

    def __init__(self, supplies: Callable[[], Sequence[Supply]]) -> None:
        self._supplies = supplies

    def collect(self) -> Iterator[Metric]:
        now = self._supplies()
        for name, about, value in _STOCK_GAUGES:
            gauge = GaugeMetricFamily(f"sandlot_pool_{name}", about, labels=_STOCK)
            for each in now:
                gauge.add_metric([each.engine, each.stock], value(each))
            yield gauge
        for name, about, value in _STOCK_COUNTERS:
            counter = CounterMetricFamily(f"sandlot_pool_{name}", about, labels=_STOCK)
            for each in now:
                counter.add_metric([each.engine, each.stock], value(each))
            yield counter
        for name, about, timed in _STOCK_TIMES:
            summary = SummaryMetricFamily(f"sandlot_pool_{name}_seconds", about, labels=_STOCK)
            for each in now:
                count, seconds = timed(each)
                summary.add_metric([each.engine, each.stock], count, seconds)
            yield summary


_Number = tuple[str, str, Callable[[Supply], int]]
_STOCK = ("engine", "stock")
_STOCK_GAUGES: tuple[_Number, ...] = (
    ("ready", "Boxes that wait to be claimed.", lambda each: each.ready),
    ("starting", "Boxes being made.", lambda each: each.starting),
    ("waiting", "Claims that wait for a box.", lambda each: each.waiting),
)
_STOCK_COUNTERS: tuple[_Number, ...] = (
    ("hits", "Claims that found a box ready.", lambda each: each.hits),
    ("misses", "Claims for which a box was made.", lambda each: each.misses),
    ("refused", "Claims told to come again later.", lambda each: each.refused),
    ("failed", "Boxes that could not be made.", lambda each: each.failed),
    ("retired", "Boxes ended unclaimed.", lambda each: each.retired),
    ("dead", "Boxes that died before they were claimed.", lambda each: each.dead),
)
_STOCK_TIMES: tuple[tuple[str, str, Callable[[Supply], tuple[int, float]]], ...] = (
    ("wait", "Waits of claims that found no box.", lambda each: (each.misses, each.wait_seconds)),
    ("refill", "Times in which boxes were made.", lambda each: (each.refills, each.refill_seconds)),
)
