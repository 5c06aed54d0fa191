"""The plan of a run: which items are written when, a pure function of the run id and the sequence number.

Writer and pollers share nothing else, so during a run nothing flows from the one to the others.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.errors import UsageError
from harness.measure.events import Poll, Ticks
from harness.regions import STRONG_REGIONS
from harness.units import NS_PER_MS, NS_PER_S

Arrivals = str
EXPECTED_LATENCY_NS = NS_PER_S  # until a run knows better
ARRIVALS = ("constant", "poisson", "bursts")
SAMPLES = range(1, 100_000_001)
SEEDS = range(2**63)
SPACINGS_NS = range(NS_PER_MS, 3600 * NS_PER_S + 1)  # of polls
ITEM_BYTES = range(100, 400 * 1024 + 1)  # room for the key, up to DynamoDB's limit
SHARDS = range(1, 65)  # each costs a request per poll
TOGETHER = range(1, 101)  # DynamoDB's limit
VERSIONS = range(1, 1001)
BURST_WRITES = 10  # due at one instant; bursts follow each other so that the mean rate holds
READ_MODES = ("strong", "eventual", "both")
KEYS = ("new", "update", "delete", "contested")
CONSISTENCIES = ("eventual", "strong")
STRATEGIES = ("auto", "query", "batch", "get")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is written: `samples` measured writes per source Region, after `warmup_ns` that do not count."""

    samples: int = 400
    rate_per_s: float = 20.0
    arrivals: Arrivals = "constant"
    warmup_ns: int = 2 * NS_PER_S
    item_bytes: int = 100  # small, for a Query pays for every visible item it passes over
    seed: int = 1
    shards: int = 1  # partition keys the writes are spread over: one rides one replicator lane
    together: int = 1  # new items written by one transaction
    versions: int = 1  # writes of each new item, one after the other
    # The change measured: new items, the update or delete of items made beforehand, or new items that two Regions
    # write under the same keys, the second one `offset_ns` after the first.
    keys: str = "new"
    offset_ns: int = 0

    @property
    def contested(self) -> bool:
        """Do two Regions write the same items?"""
        return self.keys == "contested"


@dataclass(frozen=True, slots=True)
class Polling:
    """How replicas are read: every `interval_ns`, until `timeout_ns` after a write was due."""

    interval_ns: int = 5_000_000
    strategy: str = "auto"
    schedule: str = "adaptive"
    read: str = "strong"
    timeout_ns: int = 30 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Watch:
    """A replica of one source, watched with reads of one mode."""

    source: str
    replica: str
    read: str = "strong"

    @property
    def control(self) -> bool:
        """Is it the source itself that is watched?"""
        return self.source == self.replica

    def made(self, event: Poll | Ticks) -> bool:
        """Is this an event of the watch's poller?"""
        return (event.source, event.replica, event.read) == (self.source, self.replica, self.read)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that decides what a run does.

    With `control`, each source Region is also watched by itself: its writes must be visible there at once. With strong
    `consistency` (MRSC) the table has three Regions, of which one may be the `quorum_witness`, which holds no items.
    """

    sources: tuple[str, ...]
    replicas: tuple[tuple[str, ...], ...]
    workload: Workload = field(default_factory=Workload)
    polling: Polling = field(default_factory=Polling)
    control: bool = False
    consistency: str = "eventual"
    quorum_witness: str | None = None

    def __post_init__(self) -> None:
        for source, replicas in zip(self.sources, self.replicas, strict=True):
            if source in replicas:
                raise UsageError(
                    f"Region {source} is named as source and as replica; name two different Regions"
                )
        both_ways = len(self.sources) == 2 and self.replicas == ((self.sources[1],), (self.sources[0],))
        if self.workload.contested and (not both_ways or self.control):
            raise UsageError("contested keys need two Regions measured both ways, and no control")
        if self.workload.offset_ns and not self.workload.contested:
            raise UsageError("an offset is for contested keys")
        special = (self.workload.together > 1) + (self.workload.versions > 1) + (self.workload.keys != "new")
        if special > 1:
            raise UsageError("transactions, several versions and other keys than new ones exclude each other")
        if self.workload.versions > 1 and (
            self.workload.shards > 1 or self.polling.strategy not in ("auto", "query")
        ):
            raise UsageError("several versions of an item are measured with one shard, by Query")
        if self.strong:
            self._check_strong()

    def _check_strong(self) -> None:
        if len(self.regions) + (self.quorum_witness is not None) != STRONG_REGIONS:
            raise UsageError(
                "strong consistency takes exactly three Regions, one of which may be a witness; named are "
                + ", ".join([*self.regions, *([self.quorum_witness] if self.quorum_witness else [])])
            )
        workload = self.workload
        if workload.together > 1 or workload.versions > 1 or workload.contested:
            raise UsageError(
                "strong consistency is measured with one write per item: its tables know no transactions, and refuse "
                "writes that meet"
            )
        if self.control:
            raise UsageError(
                "with strong consistency the source Region is watched anyway; leave the control out"
            )

    @property
    def strong(self) -> bool:
        """Is the table consistent across its Regions (MRSC)?"""
        return self.consistency == "strong"

    @property
    def reads(self) -> tuple[str, ...]:
        """The read modes that replicas are watched with; the first one's samples are the headline.

        Of a strongly consistent table these are the eventually consistent reads: the others have nothing to wait for.
        """
        if self.polling.read != "both":
            return (self.polling.read,)
        return ("eventual", "strong") if self.strong else ("strong", "eventual")

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region of the run, sources first, each once."""
        return tuple(dict.fromkeys([*self.sources, *(r for group in self.replicas for r in group)]))

    @property
    def participants(self) -> tuple[str, ...]:
        """Every Region of the run's table, with the witness that holds no items."""
        return (*self.regions, *([self.quorum_witness] if self.quorum_witness else []))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (source, replica) pair measured."""
        return tuple((s, r) for s, group in zip(self.sources, self.replicas, strict=True) for r in group)

    @property
    def watched(self) -> tuple[Watch, ...]:
        """Who is watched how: the pairs, with each read mode, then the sources by themselves."""
        pairs = [Watch(s, r, read) for read in self.reads for s, r in self.pairs]
        at_home = self.control or (self.strong and "strong" in self.reads)
        return (*pairs, *(Watch(s, s) for s in self.sources if at_home))

    def plan(self, run_id: str, source: str) -> WritePlan:
        """What one source writes, and when."""
        offset_ns = self.workload.offset_ns
        late_ns = max(0, offset_ns if source == self.sources[-1] else -offset_ns)
        return WritePlan(run_id, source, self.workload, late_ns)

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        return asdict(self)


def pick_strategy(config: RunConfig) -> str:
    """The strategy that "auto" stands for: a Query finds all open items of a shard in one request, whatever the rate,
    so that only more shards than open items make BatchGetItem cheaper."""
    if config.polling.strategy != "auto":
        return config.polling.strategy
    open_items = config.workload.rate_per_s * EXPECTED_LATENCY_NS / NS_PER_S
    return "query" if config.workload.shards <= max(1.0, open_items) else "batch"


class WritePlan:
    """The writes of one source Region.

    Sequence numbers `0 .. warmup-1` are the warm-up, `warmup .. warmup+samples-1` the measured writes. All are due
    `late_ns` later than they would be.
    """

    def __init__(self, run_id: str, source: str, workload: Workload, late_ns: int = 0) -> None:
        self.run_id = run_id
        self.source = source
        self.shards = workload.shards
        self.together = workload.together
        warmup = round(workload.warmup_ns * workload.rate_per_s / NS_PER_S)
        self.warmup = warmup - warmup % self.together
        self.total = self.warmup + workload.samples
        self.measured = range(self.warmup, self.total)
        self.contested = workload.contested
        self.versions = workload.versions
        self._late_ns = late_ns
        self._workload = workload
        self._interval_ns = NS_PER_S / workload.rate_per_s
        self._poisson: list[int] | None = None

    @property
    def end_ns(self) -> int:
        """When the last write is due, nanoseconds after the start."""
        return self.due_ns(self.total - 1) if self.total else 0

    def due_ns(self, seq: int) -> int:
        """When write `seq` is due, nanoseconds after the start of the run: at once with those of its transaction."""
        seq -= seq % self.together
        if self._workload.arrivals == "poisson":
            self._poisson = self._poisson or self._poisson_offsets()
            return self._late_ns + self._poisson[seq]
        burst = BURST_WRITES if self._workload.arrivals == "bursts" else 1
        return self._late_ns + round(seq // burst * burst * self._interval_ns)

    @property
    def overwrites(self) -> bool:
        """May a write be written over by another of the run?"""
        return self.contested or self.versions > 1

    def superseded(self, seq: int) -> range:
        """The writes of the same item before this one."""
        return range(seq - seq % self.versions, seq)

    def written_over(self, seq: int) -> bool:
        """Will this write be written over by another of the run, or may it be?"""
        last = seq == self.total - 1 or seq % self.versions == self.versions - 1
        return self.contested or not last

    def hash_key(self, seq: int) -> str:
        """The partition key of write `seq`."""
        return self.shard_key(seq % self.shards)

    def shard_key(self, shard: int) -> str:
        """The partition key that the writes of one shard share; the sequence number is their sort key."""
        owner = "contested" if self.contested else self.source
        return f"{self.run_id}#{owner}#{shard}"

    def transaction(self, first: int) -> range:
        """The writes that are sent together with write `first`, which begins a transaction."""
        return range(first, min(first + self.together, self.total))

    def key_text(self, seq: int) -> str:
        """The key of write `seq` as samples and the emulator's truth journal print it."""
        return f"{self.hash_key(seq)}/{seq // self.versions}"

    def _poisson_offsets(self) -> list[int]:
        owner = "contested" if self.contested else self.source
        rng = random.Random(f"arrivals {self._workload.seed} {owner}")
        instant, offsets = 0.0, []
        for _ in range(self.total):
            offsets.append(round(instant))
            instant += rng.expovariate(1.0) * self._interval_ns
        return offsets
