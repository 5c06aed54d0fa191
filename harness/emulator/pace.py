"""How long the control plane takes: at once, so to speak, or as AWS does, scaled.

AWS's figures are those of a third party's live probe in 2026-10; those marked [model] are our own assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from harness.errors import UsageError
from harness.units import NS_PER_S, format_duration, parse_duration_ns

TABLE_NS, REPLICA_NS = NS_PER_S // 20, NS_PER_S // 5  # of the fast pace
_DAY_NS = 24 * 3600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Span:
    """A duration between two ends, nanoseconds; drawn uniformly [model]."""

    low_ns: int
    high_ns: int

    def draw_ns(self, rng: Random) -> int:
        """One duration; no draw is spent where there is nothing to choose."""
        return self.low_ns if self.low_ns == self.high_ns else rng.randint(self.low_ns, self.high_ns)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what takes, from the request on.

    `table` is a table made, removed or changed; `listed` until the other Regions list a new replica; `known` until
    its own Region describes it; `empty` and `loaded` until it is ACTIVE, without and with items. Of a removal,
    `updating` is how long the table says UPDATING, `deleting` how much longer the replica is listed, `lingering` how
    much longer its own Region describes it. For `source_ns` a Region cannot leave before the replicas it sourced.
    """

    table: Span
    listed: Span
    known: Span
    empty: Span
    loaded: Span
    updating: Span
    deleting: Span
    lingering: Span
    source_ns: int = _DAY_NS
    name: str = ""

    def describe(self) -> str:
        """The pace in words."""
        table, replica = format_duration(self.table.high_ns), format_duration(self.empty.high_ns)
        return f"{self.name}: a table takes up to {table}, a replica up to {replica}"


def _always(duration_ns: int) -> Span:
    return Span(duration_ns, duration_ns)


def fast(table_ns: int = TABLE_NS, replica_ns: int = REPLICA_NS) -> Pace:
    """Fixed delays: a table is ACTIVE after the one, a replica, listed at once, after the other."""
    at_once, replica = _always(0), _always(replica_ns)
    return Pace(
        table=_always(table_ns),
        listed=at_once,
        known=at_once,
        empty=replica,
        loaded=replica,
        updating=_always(replica_ns // 2),
        deleting=_always(replica_ns - replica_ns // 2),
        lingering=_always(replica_ns // 4),
        name="fast",
    )


FAST = fast()


def like_aws(divisor: float = 1.0) -> Pace:
    """AWS's delays, all divided by `divisor`."""

    def seconds(low: float, high: float) -> Span:
        return Span(round(low * NS_PER_S / divisor), round(high * NS_PER_S / divisor))

    return Pace(
        table=seconds(5, 10),  # [model]
        listed=seconds(5, 7),
        known=seconds(9, 11),
        empty=seconds(14, 49),
        loaded=seconds(560, 690),
        updating=seconds(31, 47),
        deleting=seconds(90, 244),
        lingering=seconds(10, 35),
        source_ns=round(_DAY_NS / divisor),
        name="aws" if divisor == 1 else f"aws/{divisor:g}",
    )


def parse_pace(text: str, table_delay: str | None = None, replica_delay: str | None = None) -> Pace:
    """Read "fast", which the two durations may set, "aws", or "aws/100" (all of AWS's delays through 100).

    Raises:
        UsageError: it is none of these, or a duration is given for AWS's pace.
    """
    if text == "fast":
        table_ns = TABLE_NS if table_delay is None else parse_duration_ns(table_delay)
        return fast(table_ns, REPLICA_NS if replica_delay is None else parse_duration_ns(replica_delay))
    model, slash, divided_by = text.partition("/")
    try:
        divisor = float(divided_by) if slash else 1.0
    except ValueError:
        divisor = 0.0
    if model != "aws" or not 1.0 <= divisor <= 1e6:
        raise UsageError(
            f"control plane {text!r} is not one of fast, aws, or aws/100 (a hundred times faster)"
        )
    if table_delay or replica_delay:
        raise UsageError("--table-delay and --replica-delay are for --control-plane fast; leave them out")
    return like_aws(divisor)
