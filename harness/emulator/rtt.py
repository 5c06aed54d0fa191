"""Round trips: between Regions from a measured matrix, and the delays added to a client's requests.

The matrix (data/aws_rtt_ms.csv) holds p50 and p90. A round trip is modelled [model] as a floor f plus an exponential
excess of mean m with the same two percentiles: m = (p90 - p50) / ln 5, f = p50 - m·ln 2. The floor is halved
between the two ways, the excess split between them uniformly at random. A client in the Region it asks sees p50
1.8 ms and p90 2.2 ms; the matrix's diagonal is not the time of the service.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from harness.errors import UsageError
from harness.regions import rtt_matrix_ms
from harness.units import NS_PER_MS, parse_duration_ns


@dataclass(frozen=True, slots=True)
class PairRtt:
    """The round trip between two Regions."""

    p50_ns: int
    p90_ns: int


_SAME_REGION = PairRtt(1_800_000, 2_200_000)
_NONE = PairRtt(0, 0)


@lru_cache(maxsize=1)
def matrix() -> Mapping[tuple[str, str], PairRtt]:
    """Measured round trips by (from, to)."""
    return {
        pair: PairRtt(round(p50_ms * NS_PER_MS), round(p90_ms * NS_PER_MS))
        for pair, (p50_ms, p90_ms) in rtt_matrix_ms().items()
    }


def check_region(region: str) -> str:
    """`region` where the matrix knows it.

    Raises:
        UsageError: it does not.
    """
    known = sorted({origin for origin, _ in matrix()})
    if region not in known:
        raise UsageError(f"{region!r} is not a Region the emulator knows; use one of {', '.join(known)}")
    return region


def parse_rtt(specs: Sequence[str], client: str, regions: Sequence[str]) -> dict[str, PairRtt]:
    """The client's round trip to each Region, from "matrix", "none", "70ms" and "REGION=70ms".

    A later setting overrides an earlier one. A bare duration is for every Region but the client's own.

    Raises:
        UsageError: a setting cannot be read, or names a Region that is not emulated.
    """
    chosen = {region: _of_matrix(client, region) for region in regions}
    for spec in specs:
        region, equals, value = spec.partition("=")
        if equals:
            if region not in chosen:
                raise UsageError(f"rtt {spec!r} names a Region that is not in --regions")
            chosen[region] = _fixed(value, spec)
        elif spec == "matrix":
            chosen = {region: _of_matrix(client, region) for region in regions}
        elif spec == "none":
            chosen = dict.fromkeys(regions, _NONE)
        else:
            fixed = _fixed(spec, spec)
            chosen.update({region: fixed for region in regions if region != client})
    return chosen


class DelayStream:
    """The delays of requests to one Region: seeded draws of (there, back), nanoseconds."""

    def __init__(self, rtt: PairRtt, rng: Random) -> None:
        self._mean_ns = max(rtt.p90_ns - rtt.p50_ns, 0) / math.log(5)
        self._half_floor_ns = int(max(rtt.p50_ns - self._mean_ns * math.log(2), 0.0)) // 2
        self._rng = rng

    def draw_ns(self) -> tuple[int, int]:
        """One round trip: the way there and the way back."""
        if not self._mean_ns:
            return self._half_floor_ns, self._half_floor_ns
        excess = self._rng.expovariate(1.0) * self._mean_ns
        there = excess * self._rng.random()
        return self._half_floor_ns + int(there), self._half_floor_ns + int(excess - there)


def _of_matrix(client: str, region: str) -> PairRtt:
    return _SAME_REGION if region == client else matrix()[client, region]


def _fixed(value: str, spec: str) -> PairRtt:
    try:
        nanoseconds = parse_duration_ns(value)
    except UsageError as error:
        raise UsageError(
            f"rtt {spec!r} is not one of matrix, none, 70ms (every Region but the client's) or REGION=70ms"
        ) from error
    return PairRtt(nanoseconds, nanoseconds)
