"""Which Regions there are: the round trips between them, as shipped in `data/aws_rtt_ms.csv` (its source: see
`data/README.md`), and those that may be strongly consistent with each other."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from importlib import resources

from harness.errors import UsageError

STRONG_SETS = (
    frozenset({"us-east-1", "us-east-2", "us-west-2"}),
    frozenset({"eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"}),
    frozenset({"ap-northeast-1", "ap-northeast-2", "ap-northeast-3"}),
)
"""The Regions that may be strongly consistent with each other, as AWS documents them."""
STRONG_REGIONS = 3  # of one table, the witness included


@functools.cache
def rtt_matrix_ms() -> dict[tuple[str, str], tuple[float, float]]:
    """(p50, p90) of the round trip in milliseconds, by (from Region, to Region)."""
    text = (resources.files("harness") / "data" / "aws_rtt_ms.csv").read_text()
    return {
        (row["from_region"], row["to_region"]): (float(row["rtt_ms_p50"]), float(row["rtt_ms_p90"]))
        for row in csv.DictReader(text.splitlines())
    }


def matrix_regions() -> frozenset[str]:
    """The Regions of the matrix."""
    return frozenset(region for region, _ in rtt_matrix_ms())


def complete_quorum(regions: Sequence[str], witness: str | None = None) -> str | None:
    """The witness of a strongly consistent table in `regions`: the one named, else the nearest where one is missing.

    Raises:
        UsageError: these Regions cannot be strongly consistent with each other.
    """
    if witness is None and len(set(regions)) == STRONG_REGIONS - 1:
        witness = _nearest_witness(regions)
    everywhere = {*regions, *([witness] if witness else [])}
    if not any(members.issuperset(everywhere) for members in STRONG_SETS):
        sets = "; ".join(", ".join(sorted(members)) for members in STRONG_SETS)
        raise UsageError(
            f"{', '.join(sorted(everywhere))} cannot be strongly consistent with each other; AWS allows it within "
            f"one of these sets: {sets}"
        )
    return witness


def _nearest_witness(regions: Sequence[str]) -> str | None:
    others = [
        other
        for members in STRONG_SETS
        if members.issuperset(regions)
        for other in sorted(members.difference(regions))
    ]
    trips_ms = rtt_matrix_ms()
    return min(others, key=lambda other: trips_ms.get((regions[0], other), (1e9, 1e9))[0], default=None)
