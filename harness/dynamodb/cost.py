"""What a run's requests cost on demand: units and prices, before it starts and after it ended.

In a global table a write costs one replicated write unit per started KB in every Region that holds the table; a
strongly consistent read costs one read unit per started 4 KB, an eventually consistent one half, found or not.
Transfer between Regions (about 0.02 USD/GB) is not included.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from harness.measure.plan import EXPECTED_LATENCY_NS, RunConfig
from harness.units import NS_PER_S

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
CONTROL_POLLS = 2  # per write: in its own Region the first or second finds it


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million units in one Region; `basis` is published or estimated, `as_of` the month or day of the list."""

    replicated_write: float
    read: float
    basis: str
    as_of: str


def load_prices() -> dict[str, Price]:
    """The on-demand prices shipped with the harness, by Region."""
    text = (resources.files("harness") / "data" / "dynamodb_on_demand_prices.csv").read_text()
    return {
        row["region"]: Price(
            float(row["rwru_per_million_usd"]), float(row["rru_per_million_usd"]), row["basis"], row["as_of"]
        )
        for row in csv.DictReader(text.splitlines())
    }


def write_units(item_bytes: int) -> int:
    """Write units of one item in one Region."""
    return max(1, math.ceil(item_bytes / WRITE_UNIT_BYTES))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to do: how long it takes, its requests, and `price_run` of its units."""

    duration_ns: int
    writes: int
    reads: int
    cost: dict[str, Any]


def estimate_run(config: RunConfig) -> Estimate:
    """The requests and units of a run, for a latency of about `EXPECTED_LATENCY_NS`.

    A poll reads the items from the oldest not yet seen to the newest: about two latencies' worth of writes.
    """
    workload, polling = config.workload, config.polling
    measured_ns = round(workload.samples / workload.rate_per_s * NS_PER_S)
    duration_ns = workload.warmup_ns + measured_ns + 2 * EXPECTED_LATENCY_NS
    writes_each = round(duration_ns / NS_PER_S * workload.rate_per_s)
    writes_each = min(
        writes_each, workload.samples + round(workload.warmup_ns * workload.rate_per_s / NS_PER_S)
    )
    polls_each = duration_ns // polling.interval_ns
    items = 2 * EXPECTED_LATENCY_NS / NS_PER_S * workload.rate_per_s
    strong = max(1, math.ceil(items * workload.item_bytes / READ_UNIT_BYTES))
    units = strong * sum(1 if read == "strong" else 0.5 for read in polling.reads)
    writes: dict[str, float] = {}
    reads: dict[str, float] = {}
    changes = 1 if workload.keys == "new" else 2  # items made beforehand are written twice
    for source, group in zip(config.sources, config.replicas, strict=True):
        for region in (source, *group):
            units_each = changes * writes_each * write_units(workload.item_bytes)
            writes[region] = writes.get(region, 0) + units_each
    for _, replica in config.pairs:
        reads[replica] = reads.get(replica, 0) + polls_each * units
    controls = CONTROL_POLLS * writes_each * len(config.sources) if config.control else 0
    for source in config.sources:
        reads[source] = reads.get(source, 0) + controls / len(config.sources)
    return Estimate(
        duration_ns,
        writes_each * len(config.sources),
        polls_each * len(config.pairs) + controls,
        price_run(writes, reads),
    )


def price_run(
    write_units_by_region: Mapping[str, float], read_units_by_region: Mapping[str, float]
) -> dict[str, Any]:
    """The cost of units already counted: USD in all, and how far the prices behind it can be trusted.

    `usd` is None where a Region's price is not known; `regions` says what each contributed.
    """
    prices = load_prices()
    regions: dict[str, Any] = {}
    for region in sorted({*write_units_by_region, *read_units_by_region}):
        price = prices.get(region)
        writes, reads = write_units_by_region.get(region, 0.0), read_units_by_region.get(region, 0.0)
        usd = None if price is None else (writes * price.replicated_write + reads * price.read) / 1e6
        regions[region] = {"write_units": writes, "read_units": reads, "usd": usd}
    known = [entry["usd"] for entry in regions.values()]
    return {
        "usd": None if None in known else sum(known),
        "basis": _basis(prices.get(region) for region in regions),
        "regions": regions,
    }


def _basis(prices: Iterable[Price | None]) -> str:
    found = list(prices)
    if any(price is None for price in found):
        return "unknown: a Region has no price in data/dynamodb_on_demand_prices.csv"
    return "; ".join(sorted({f"{price.basis} {price.as_of}" for price in found if price is not None}))
