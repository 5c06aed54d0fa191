"""Whether two groups of samples differ, and by how much: percentiles and the shift, with intervals.

Differences are second − first. Their interval is a block bootstrap on the middles of the model brackets, because the
samples of a run depend on each other (Kolmogorov–Smirnov or Mann–Whitney reject 9 of 10 pairs of such runs
that do not differ, and are not offered). Beside it stands the worst case over the brackets, from the lower ends of one
group and the upper ends of the other: the truth lies inside whatever the brackets hide. Many differences
tested at once are corrected by Holm's method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.bootstrap import block_count, block_weights, resampled_quantile, split_blocks
from harness.analysis.censoring import checked_brackets, npmle
from harness.analysis.dependence import rank_dependence
from harness.analysis.order_statistics import CONFIDENCE, needed_samples
from harness.analysis.percentiles import finite
from harness.analysis.shift import hodges_lehmann, resampled_shift
from harness.analysis.student import student_quantile, student_two_sided
from harness.units import percentile_name

Floats = NDArray[np.float64]

PERCENTILES = (50.0, 90.0, 99.0)
SHIFT = "shift"
RESAMPLES = 4_000
MIN_PAIRS = 8
SIGNIFICANCE = 0.05
_TELLING = 10  # resamples beyond zero, under which their number says little
_UNSEEN = "not seen by the deadline in one of the groups"


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell of a comparison, in the unit of the brackets; `name` is p50, p90, p99 or shift.

    `value` is None where a group has no such percentile and `low`, `high` and `p_value` are None where there is no
    interval; `reason` then says why. `p_adjusted` is set by `holm`.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    worst_low: float | None = None
    worst_high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    reason: str = ""

    @property
    def significant(self) -> bool | None:
        """Whether the difference stands after correction; None where that cannot be said."""
        p = self.p_value if self.p_adjusted is None else self.p_adjusted
        return None if p is None else p <= SIGNIFICANCE

    @property
    def words(self) -> str:
        """The outcome in words."""
        if self.significant is None:
            return self.reason
        return "significant" if self.significant else "not significant"

    def to_json(self) -> dict[str, Any]:
        """The cell as a JSON object."""
        fields = ("value", "low", "high", "worst_low", "worst_high", "p_value", "p_adjusted")
        return {name: getattr(self, name) for name in fields} | {
            "significant": self.significant,
            "verdict": self.words,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """The brackets of one side, in write order; ends of inverted brackets are exchanged."""

    lower: Floats
    upper: Floats

    @classmethod
    def of(cls, lower: ArrayLike, upper: ArrayLike) -> Group:
        """Checked brackets.

        Raises:
            ValueError: as for `npmle`.
        """
        first, second = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
        if first.shape == second.shape:
            first, second = np.minimum(first, second), np.maximum(first, second)
        return cls(*checked_brackets(first, second))

    @property
    def n(self) -> int:
        """How many samples."""
        return len(self.lower)

    @property
    def middles(self) -> Floats:
        """Middles of the brackets, +inf where open."""
        middles: Floats = (self.lower + self.upper) / 2
        return middles


def compare_groups(
    first: Group, second: Group, percentiles: Iterable[float] = PERCENTILES
) -> list[Difference]:
    """Differences of the percentiles, then the shift, between two runs or pools of runs measured apart.

    Each side is resampled on its own in at least 50 blocks of at least 10 correlation times.
    """
    blocks = []
    for side in (first, second):
        count = block_count(side.n, rank_dependence(side.middles).correlation_time)
        if count is None:
            return _without_interval(first, second, percentiles, "too short for an interval")
        blocks.append(count)
    weights = [block_weights(count, RESAMPLES, stream) for stream, count in enumerate(blocks)]
    cut = _Cut([_split(side, count) for side, count in zip((first, second), blocks, strict=True)], weights)
    # The side with fewer blocks limits how well the scatter is known.
    return _differences(first, second, percentiles, cut, freedom=sum(blocks) - 2, blocks=min(blocks))


def compare_interleaved(
    pairs: Sequence[tuple[Group, Group]], percentiles: Iterable[float] = PERCENTILES
) -> list[Difference]:
    """As `compare_groups`, for two settings measured in turns: each pair is a block of one and the next of the other.

    Whole pairs are resampled, so that whatever both share (the hour, the host, the path) cancels out. Fewer than 8
    pairs cannot carry that and are compared as two groups.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("no pair of blocks to compare")
    first = _join([pair[0] for pair in pairs])
    second = _join([pair[1] for pair in pairs])
    if len(pairs) < MIN_PAIRS:
        return compare_groups(first, second, percentiles)
    weights = block_weights(len(pairs), RESAMPLES)
    cut = _Cut([[pair[side] for pair in pairs] for side in (0, 1)], [weights, weights])
    return _differences(first, second, percentiles, cut, freedom=len(pairs) - 1, blocks=len(pairs))


def holm(tables: Sequence[Sequence[Difference]]) -> list[list[Difference]]:
    """The same cells with `p_adjusted`, corrected together over all tables (Holm 1979, Scand. J. Stat. 6)."""
    found = sorted(
        (cell.p_value, table, row)
        for table, cells in enumerate(tables)
        for row, cell in enumerate(cells)
        if cell.p_value is not None
    )
    adjusted: dict[tuple[int, int], float] = {}
    floor = 0.0
    for rank, (p, table, row) in enumerate(found):
        floor = max(floor, min(1.0, p * (len(found) - rank)))
        adjusted[table, row] = floor
    return [
        [replace(cell, p_adjusted=adjusted.get((table, row))) for row, cell in enumerate(cells)]
        for table, cells in enumerate(tables)
    ]


class _Cut:
    """Both sides in blocks, with the weights of every resample."""

    def __init__(self, sides: Sequence[Sequence[Group]], weights: Sequence[Floats]) -> None:
        self.sides, self.weights = sides, weights
        self._sorted: dict[tuple[int, str], tuple[Floats, list[Floats]]] = {}

    def differences(self, first: str, second: str, p: float) -> Floats:
        """Second − first of the p-quantiles of lower ends, middles or upper ends, of every resample."""
        with np.errstate(invalid="ignore"):  # ∞ − ∞ where both are open
            return self._quantiles(1, second, p) - self._quantiles(0, first, p)

    def _quantiles(self, side: int, end: str, p: float) -> Floats:
        if (side, end) not in self._sorted:
            blocks = [np.sort(getattr(group, end)) for group in self.sides[side]]
            self._sorted[side, end] = np.sort(np.concatenate(blocks)), blocks
        ordered, blocks = self._sorted[side, end]
        return resampled_quantile(ordered, blocks, self.weights[side], p)

    def shifts(self) -> Floats:
        """The shift of every resample."""
        first, second = ([group.middles for group in side] for side in self.sides)
        return resampled_shift(first, second, *self.weights)


def _differences(
    first: Group, second: Group, percentiles: Iterable[float], cut: _Cut, freedom: int, blocks: int
) -> list[Difference]:
    cells = []
    before, after = npmle(first.lower, first.upper), npmle(second.lower, second.upper)
    for percentile in percentiles:
        p, name = percentile / 100, percentile_name(percentile)
        needs = needed_samples(p)
        if min(first.n, second.n) < needs:
            cells.append(
                Difference(name, None, reason=f"needs {needs:,} samples, has {min(first.n, second.n):,}")
            )
            continue
        value = after.midpoint(p) - before.midpoint(p)
        if not math.isfinite(value):
            cells.append(Difference(name, None, reason=_UNSEEN))
            continue
        drawn = cut.differences("middles", "middles", p)
        least, most = cut.differences("upper", "lower", p), cut.differences("lower", "upper", p)
        cells.append(_cell(name, value, drawn, (least, most), freedom, blocks))
    shift = hodges_lehmann(first.middles, second.middles)
    if not math.isfinite(shift):
        return [*cells, Difference(SHIFT, None, reason=_UNSEEN)]
    slack = (np.median(first.upper - first.lower) + np.median(second.upper - second.lower)) / 2
    drawn = cut.shifts()
    cells.append(_cell(SHIFT, shift, drawn, (drawn - slack, drawn + slack), freedom, blocks))
    return cells


def _cell(
    name: str, value: float, drawn: Floats, worst: tuple[Floats, Floats], freedom: int, blocks: int
) -> Difference:
    """The percentile interval of the resamples, widened as Student's t is for so few blocks."""
    if not np.isfinite(drawn).all():
        return Difference(name, finite(value), reason=_UNSEEN)
    stretch = math.sqrt(blocks / (blocks - 1))
    tail = 1 - NormalDist().cdf(student_quantile((1 + CONFIDENCE) / 2, freedom) * stretch)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    least, most = np.quantile(worst[0], tail), np.quantile(worst[1], 1 - tail)
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    z = NormalDist().inv_cdf(1 - (beyond + 1) / (len(drawn) + 2))
    if beyond < _TELLING:  # the resamples cannot tell how small p is, their scatter can
        z = max(z, abs(float(np.median(drawn))) / max(float(drawn.std()), 1e-300))
    return Difference(
        name,
        value,
        float(min(low, value)),
        float(max(high, value)),
        finite(least),
        finite(most),
        student_two_sided(max(0.0, z / stretch), freedom),
    )


def _without_interval(
    first: Group, second: Group, percentiles: Iterable[float], reason: str
) -> list[Difference]:
    before, after = npmle(first.lower, first.upper), npmle(second.lower, second.upper)
    cells = []
    for percentile in percentiles:
        p, name = percentile / 100, percentile_name(percentile)
        needs = needed_samples(p)
        if min(first.n, second.n) < needs:
            cells.append(
                Difference(name, None, reason=f"needs {needs:,} samples, has {min(first.n, second.n):,}")
            )
        else:
            cells.append(Difference(name, finite(after.midpoint(p) - before.midpoint(p)), reason=reason))
    return [*cells, Difference(SHIFT, finite(hodges_lehmann(first.middles, second.middles)), reason=reason)]


def _split(side: Group, count: int) -> list[Group]:
    ends = zip(split_blocks(side.lower, count), split_blocks(side.upper, count), strict=True)
    return [Group(lower, upper) for lower, upper in ends]


def _join(groups: Sequence[Group]) -> Group:
    return Group(
        np.concatenate([group.lower for group in groups]), np.concatenate([group.upper for group in groups])
    )
