"""What can go wrong, when, and how often: a schedule of faults is data."""

from __future__ import annotations

from dataclasses import dataclass

WRITE_FAULTS = (
    "write throttled",
    "write rejected",
    "write 500 before effect",
    "write 500 after effect",
    "write times out before effect",
    "write times out after effect",
    "write connection lost before effect",
    "write connection lost after effect",
    "write connection refused",
    "write slow",
    "write hangs",
)
READ_FAULTS = (
    "read throttled",
    "read rejected",
    "read 500",
    "read times out",
    "read connection lost",
    "read connection refused",
    "read slow",
    "read hangs",
    "keys unprocessed",
    "page ends early",
)
EVERY_REQUEST = ("credentials expired", "table deleted", "Region gone", "handshake", "client breaks")
REPLICATION_FAULTS = (
    "link partitioned and healed",
    "replication paused",
    "write never replicates",
    "lag jumps",
)
STALE_READS = "eventual reads flap"
HOST_FAULTS = ("event loop stalls", "wall clock steps", "stopped", "cancelled", "journal full")
FAULTS = (*WRITE_FAULTS, *READ_FAULTS, *EVERY_REQUEST, *REPLICATION_FAULTS, STALE_READS, *HOST_FAULTS)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, in a window of the measurement's seconds, befalling a share of what it can befall.

    `size_s` is how long what is slow, stalls or steps takes; `region` counts the run's Regions, None means all.
    """

    name: str
    from_s: float = 0.0
    until_s: float = 1e9
    share: float = 1.0
    size_s: float = 0.1
    region: int | None = None

    def active(self, now_s: float) -> bool:
        """Is it its time?"""
        return self.from_s <= now_s < self.until_s
