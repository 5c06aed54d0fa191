"""What a run's requests cost on demand: units and prices. How many there will be: `harness.measure.forecast`.

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

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
TRANSACTIONAL = 2  # a transaction's write costs so many times the units, where it is made


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


def spread_writes(made: Mapping[str, float], replicated: Mapping[str, float]) -> dict[str, float]:
    """Write units by Region: those of the writes `made` there, and those of the writes `replicated` from all others.

    Both are by the Region that was written to; they differ for transactions, which replicate as ordinary writes.
    """
    everywhere = sum(replicated.values())
    return {region: made[region] + everywhere - replicated[region] for region in made}


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
