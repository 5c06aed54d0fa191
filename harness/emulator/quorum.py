"""Multi-Region strong consistency: what a quorum of two of three Regions costs, and who loses a conflict.

[model] A write and a strongly consistent read are answered 5–10 ms and a round trip to the nearest participating
Region later. A write takes effect at its nominal instant, for strongly consistent reads in every Region at once; an
eventually consistent read elsewhere sees it half a round trip and 5–10 ms later. From its instant until it is
acknowledged, a write of the same item from another Region is refused.
"""

from __future__ import annotations

from random import Random

from harness.emulator.errors import WireError
from harness.emulator.items import Key
from harness.emulator.rtt import matrix
from harness.emulator.tables import ANYWHERE, Replica
from harness.emulator.versions import Version
from harness.units import NS_PER_MS

_SERVICE_NS = (5 * NS_PER_MS, 10 * NS_PER_MS)
_PENDING_KEPT = 1000


class Quorum:
    """What the requests being performed owe to quorums; `settle` it after each."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._owed_ns = 0

    def settle(self) -> int:
        """By how much the answer of the request just performed is later, nanoseconds."""
        owed_ns, self._owed_ns = self._owed_ns, 0
        return owed_ns

    def agree(self, replica: Replica) -> None:
        """The request needs a quorum; several items of one request share it."""
        if not self._owed_ns:
            others = (region for region in replica.table.participants() if region != replica.region)
            nearest_ns = min((matrix()[replica.region, other].p50_ns for other in others), default=0)
            self._owed_ns = self._rng.randint(*_SERVICE_NS) + nearest_ns

    def refuse_conflict(self, replica: Replica, key: Key, now_ns: int) -> None:
        """Raise where a write of this item from another Region is not acknowledged yet."""
        origin, until_ns = replica.table.pending.get(key, (replica.number, 0))
        if origin != replica.number and now_ns < until_ns:
            raise WireError(
                "ReplicatedWriteConflictException",
                "Request was rejected because one or more items in the request are being modified by a request in "
                "another Region.",
                409,
            )

    def write(self, replica: Replica, key: Key, version: Version) -> None:
        """Let a committed version reach the other Regions, for their eventually consistent reads."""
        self.agree(replica)
        commit_ns, table = version.commit_ns, replica.table
        version.arrive(ANYWHERE, commit_ns)
        for other in table.present(commit_ns):
            if other is not replica:
                way_ns = matrix()[replica.region, other.region].p50_ns // 2 + self._rng.randint(*_SERVICE_NS)
                version.arrive(other.number, max(commit_ns + way_ns, other.active_ns))
        table.pending[key] = replica.number, commit_ns + self._owed_ns
        if len(table.pending) > _PENDING_KEPT:
            table.pending = {k: p for k, p in table.pending.items() if p[1] > commit_ns}
