"""Round trips between AWS Regions, as shipped in `data/aws_rtt_ms.csv` (its source: see `data/README.md`)."""

from __future__ import annotations

import csv
import functools
from importlib import resources


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
