"""One sample: a write and what one replica showed of it, with its two brackets.

The commit lies in [sent, acked] and read *j* in [a_j, b_j]: that is all the **hard bracket** uses,

    lower = max a_j over misses − acked        upper = min b_j over hits − sent.

The **model bracket** places commit and reads at the middle of their round trips, give or take half of what
the round trip exceeds its Region's minimum (m_w for the write, m_r for the reads). The middle of [a, b] less
half the excess (b − a − m) / 2 is a + m/2, and plus half the excess it is b − m/2, so that

    model lower = hard lower + (m_r + m_w) / 2        model upper = hard upper − (m_r + m_w) / 2:

the hard bracket, narrower by one minimum round trip to each Region. It assumes these minima are symmetric.

Both are about the first sighting. Eventually consistent reads may take back what they showed (`flaps` times): the
**stable** bracket is a model bracket from the last read that missed the item to the first that showed it since.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a planned write ended, at one replica; every planned write ends as exactly one of these."""

    VISIBLE = "visible"
    LATE = "late"  # not seen by the deadline, present in the final sweep
    LOST = "lost"  # not seen by the deadline, absent from the final sweep (or the sweep could not look)
    OVERWRITTEN = "overwritten"  # never seen here: another write of the run stands in its place
    WRITE_FAILED = "write_failed"
    WRITE_INDETERMINATE = "write_indeterminate"


class Flag(StrEnum):
    """What is particular about a sample, comma-separated in the column `flags`."""

    LEFT_CENSORED = "left_censored"  # hit at the first poll: no miss bounds it from below
    NEGATIVE = "negative"  # the model bracket lies wholly below zero
    CONTRADICTION = "contradiction"  # lower above upper: an assumption is broken
    NEW_CONNECTION = "new_connection"  # a handshake inside the measured exchange
    RETRIED = "retried"
    FLAPPED = "flapped"  # missing again after it had been seen
    NOT_ATTEMPTED = "not_attempted"  # nothing was sent
    UNSWEPT = "unswept"  # no final look was possible


@dataclass(frozen=True, slots=True)
class Sample:
    """One write × replica, the row of `samples.parquet`: monotonic nanoseconds, signed bounds."""

    run_id: str
    from_region: str
    to_region: str
    seq: int
    key: str
    due_ns: int
    sent_ns: int | None
    acked_ns: int | None
    last_miss_sent_ns: int | None
    last_miss_received_ns: int | None
    first_hit_sent_ns: int | None
    first_hit_received_ns: int | None
    hard_lower_ns: int | None
    hard_upper_ns: int | None
    model_lower_ns: int | None
    model_upper_ns: int | None
    polls: int
    outcome: str
    flags: str
    read: str
    flaps: int
    stable_lower_ns: int | None
    stable_upper_ns: int | None
