"""What the polls of one replica proved about each write: until when it was missing, from when it was seen.

Strongly consistent reads do not take back what they showed: one that was sent after a sighting was received and misses
the item contradicts it. Eventually consistent ones may (a **flap**), and a contested item may be overwritten: there
reads are taken in the order they were sent, and the first sighting and the stable one are told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.errors import DamagedRun
from harness.measure.events import Poll
from harness.records.running_minimum import running_minimum

NEVER = np.iinfo(np.int64).min

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Sightings:
    """Arrays over all sequence numbers of a plan; instants in monotonic ns, `NEVER` where there is none.

    `miss_*` is the latest read before the first sighting that missed the item, `hit_*` the first sighting. `gone_sent`
    is when the latest read that missed it afterwards was sent, `back_*` the first that showed it again since.
    """

    n: int
    in_order: bool
    miss_sent: Ints = field(init=False)
    miss_received: Ints = field(init=False)
    hit_sent: Ints = field(init=False)
    hit_received: Ints = field(init=False)
    gone_sent: Ints = field(init=False)
    back_sent: Ints = field(init=False)
    back_received: Ints = field(init=False)
    polls: Ints = field(init=False)
    flaps: Ints = field(init=False)
    fresh: Bools = field(init=False)
    rtt_min: Ints = field(init=False)

    def __post_init__(self) -> None:
        for name in ("miss_sent", "miss_received", "hit_sent", "hit_received"):
            setattr(self, name, np.full(self.n, NEVER))
        for name in ("gone_sent", "back_sent", "back_received"):
            setattr(self, name, np.full(self.n, NEVER))
        self.polls, self.flaps = np.zeros(self.n, np.int64), np.zeros(self.n, np.int64)
        self.fresh = np.zeros(self.n, bool)

    @classmethod
    def of(cls, n: int, polls: Sequence[Poll], *, in_order: bool = False) -> Sightings:
        """What these polls, in the order they were answered, prove of `n` writes."""
        found = cls(n, in_order)
        seen = np.zeros(n, bool)
        for poll in polls:
            if poll.covered():
                found._take(poll, seen)
        answered = [poll for poll in polls if poll.failure is None]
        sent = np.array([poll.sent_ns for poll in answered], np.int64)
        rtt = np.array([poll.received_ns for poll in answered], np.int64) - sent
        found.rtt_min = running_minimum(sent, rtt, np.maximum(found.hit_sent, found.miss_sent))
        return found

    def _take(self, poll: Poll, seen: Bools) -> None:
        if poll.hits and not 0 <= min(poll.hits) <= max(poll.hits) < self.n:
            raise DamagedRun(
                f"the journal has a poll that saw write {max(poll.hits)} of {poll.source}: not planned"
            )
        first = [seq for seq in poll.hits if not seen[seq]]
        again = [seq for seq in poll.hits if seen[seq]] if len(first) < len(poll.hits) else []
        seen[first] = True
        covered = poll.covered()
        where = (
            slice(covered.start, covered.stop, covered.step) if isinstance(covered, range) else list(covered)
        )
        missed = ~seen[where]
        self.polls[where] += missed
        self.polls[first] += 1
        newer = missed & (self.miss_sent[where] < poll.sent_ns)
        self.miss_sent[where] = np.where(newer, poll.sent_ns, self.miss_sent[where])
        self.miss_received[where] = np.where(newer, poll.received_ns, self.miss_received[where])
        self.hit_sent[first] = poll.sent_ns
        self.hit_received[first] = poll.received_ns
        self.fresh[first] |= poll.new_connection
        if self.in_order:
            self._reorder([seq for seq in first if self.miss_sent[seq] > poll.sent_ns])
        for seq in again:
            if poll.sent_ns > self.gone_sent[seq] and self.back_sent[seq] == NEVER:
                self.back_sent[seq], self.back_received[seq] = poll.sent_ns, poll.received_ns
        for seq in poll.absent:
            self._take_absence(seq, poll)

    def _reorder(self, seqs: list[int]) -> None:
        """A read sent after the one that first showed the item was answered before it, and missed it."""
        self.gone_sent[seqs] = self.miss_sent[seqs]
        self.miss_sent[seqs] = self.miss_received[seqs] = NEVER
        self.flaps[seqs] += 1

    def _take_absence(self, seq: int, poll: Poll) -> None:
        """A read that misses what was seen; one sent before that is merely an older miss."""
        if self.in_order:
            shown_ns = max(self.hit_sent[seq], self.back_sent[seq])
        else:
            shown_ns = max(self.hit_received[seq], self.back_received[seq])
        if poll.sent_ns > shown_ns:
            self.flaps[seq] += self.gone_sent[seq] == NEVER or self.back_sent[seq] != NEVER
            self.gone_sent[seq] = max(poll.sent_ns, self.gone_sent[seq])
            self.back_sent[seq] = self.back_received[seq] = NEVER
        elif self.back_sent[seq] == NEVER and self.miss_sent[seq] < poll.sent_ns:
            self.miss_sent[seq], self.miss_received[seq] = poll.sent_ns, poll.received_ns
