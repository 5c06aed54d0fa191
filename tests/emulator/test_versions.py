"""What reads see, against a model that keeps every version for ever and sorts it anew for each read."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.emulator.replication import EventualReads
from harness.emulator.versions import NEVER
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, S, global_table

REGIONS = (OREGON, SYDNEY, IRELAND)


@dataclass
class EveryWrite:
    """A truth journal in memory, and the naive last-writer-wins reading of it."""

    arrivals: dict[tuple[str, str], list[tuple[int, int, int, str | None]]] = field(default_factory=dict)
    writes: int = 0
    value: str | None = None
    lanes: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def visible(
        self, origin: str, replica: str, table: str, key: str, commit_ns: int, visible_ns: int | None
    ) -> None:
        assert visible_ns is not None
        self._arrived(replica, key, visible_ns, commit_ns)
        self.lanes.setdefault((origin, replica, key), []).append(visible_ns)

    def committed(self, region: str, key: str, now_ns: int) -> None:
        self._arrived(region, key, now_ns, now_ns)
        self.writes += 1

    def _arrived(self, region: str, key: str, visible_ns: int, commit_ns: int) -> None:
        rows = self.arrivals.setdefault((region, key), [])
        rows.append((visible_ns, commit_ns, self.writes, self.value))

    def read(self, region: str, key: str, as_of_ns: int) -> str | None:
        rows = [row for row in self.arrivals.get((region, key), []) if row[0] <= as_of_ns]
        return max(rows, key=lambda row: row[1:3])[3] if rows else None


@pytest.mark.parametrize("lag", ["typical", "fast", "bursty", "constant=0s", "median=20ms,sigma=2,tail=on"])
@pytest.mark.parametrize("seed", range(2))
def test_random_histories_read_as_the_naive_last_writer_wins_model(lag: str, seed: int) -> None:
    rng = random.Random(f"{lag}{seed}")
    truth = EveryWrite()
    client = global_table(*REGIONS, lag=lag, seed=seed, truth=truth)
    keys = [f"k{n}" for n in range(8)]
    now_ns = 1
    for step in range(4000):
        now_ns += int(rng.expovariate(1 / (rng.choice([1, 30, 300]) * MS)))
        region, key = rng.choice(REGIONS), rng.choice(keys)
        shown = client.get(region, now_ns, key)
        assert (shown and shown["v"]["S"]) == truth.read(region, key, now_ns)
        choice = rng.random()
        if choice < 0.35:
            truth.value = f"v{step}"
            client.put(region, now_ns, key, truth.value)
            truth.committed(region, key, now_ns)
        elif choice < 0.5 and shown:
            truth.value = None
            client.ask("DeleteItem", region, now_ns, Key={"pk": {"S": key}})
            truth.committed(region, key, now_ns)
    assert truth.writes > 1000
    assert all(lane == sorted(lane) for lane in truth.lanes.values())


def test_stale_reads_show_what_was_there_a_little_earlier_and_nothing_else() -> None:
    truth = EveryWrite()
    client = global_table(*REGIONS, truth=truth, eventual=EventualReads(1.0, 100 * MS))
    rng = random.Random(3)
    now_ns, stale, recent = S, 0, {}
    for step in range(4000):
        now_ns += int(rng.expovariate(1 / (40 * MS)))
        region, key = rng.choice(REGIONS), f"k{rng.randrange(4)}"
        item = client.ask("GetItem", region, now_ns, Key={"pk": {"S": key}}).get("Item")
        shown = item and item["v"]["S"]
        instants = [now_ns - 100 * MS, now_ns]
        instants += [
            row[0] for row in truth.arrivals.get((region, key), []) if instants[0] < row[0] <= now_ns
        ]
        assert shown in {truth.read(region, key, instant) for instant in instants}
        stale += shown != truth.read(region, key, now_ns)
        if rng.random() < 0.5:
            truth.value = recent[key] = f"v{step}"
            client.put(region, now_ns, key, truth.value)
            truth.committed(region, key, now_ns)
    assert stale > 50


def _histories(client: Any) -> dict[Any, Any]:
    replica = client.world.catalogue.readable(OREGON, client.table, 1 << 61)
    return replica.table.items._histories  # looking at what is kept, which no request tells


def test_one_item_written_over_and_over_keeps_only_what_is_under_way() -> None:
    client = global_table(*REGIONS)
    for n in range(20_000):
        client.put(OREGON, n * 10 * MS, "hot", f"v{n}")
    assert len(_histories(client)[("hot", None)].versions) < 10_000
    client.put(OREGON, 20_000 * 10 * MS + 120 * S, "other")
    assert len(_histories(client)[("hot", None)].versions) == 1


def test_items_deleted_everywhere_vanish() -> None:
    client = global_table(*REGIONS, sort_key="N")
    for n in range(500):
        key = {"pk": {"S": f"p{n % 7}"}, "sk": {"N": str(n)}}
        client.ask("PutItem", OREGON, n * MS, Item=key)
        client.ask("DeleteItem", OREGON, n * MS + 1, Key=key)
    assert len(_histories(client)) == 500
    client.ask("PutItem", OREGON, 200 * S, Item={"pk": {"S": "last"}, "sk": {"N": "1"}})
    assert list(_histories(client)) == [("last", 1)]
    assert client.ask("Scan", OREGON, 200 * S, ConsistentRead=True)["Count"] == 1


def test_a_deletion_that_overtakes_another_regions_older_write_hides_it_for_good() -> None:
    client = global_table(*REGIONS, lag="constant=1s")
    client.put(SYDNEY, 1 * S, "x", "first")
    client.ask("DeleteItem", SYDNEY, 1 * S + 1, Key={"pk": {"S": "x"}})
    for instant in (1 * S + 2, 2 * S + 1, 3 * S, 500 * S):
        assert client.get(SYDNEY, instant, "x") is None
        assert client.get(IRELAND, instant, "x") is None
    assert client.get(OREGON, 501 * S, "x") is None


def test_deleting_what_a_region_does_not_show_does_not_replicate() -> None:
    client = global_table(OREGON, SYDNEY, lag="constant=1s")
    client.put(SYDNEY, 1 * S, "x", "first")
    client.ask("DeleteItem", OREGON, 1 * S + 5, Key={"pk": {"S": "x"}})
    assert client.get(OREGON, 3 * S, "x") is not None
    assert client.get(SYDNEY, 3 * S, "x") is not None


def test_the_last_writer_wins_in_every_region_whatever_the_order_of_arrivals() -> None:
    client = global_table(*REGIONS, lag="constant=1s")
    client.put(OREGON, 1 * S, "x", "older")
    client.put(SYDNEY, 1 * S + 500 * MS, "x", "newer")
    assert client.get(SYDNEY, 2 * S + 1, "x")["v"]["S"] == "newer"
    assert client.get(OREGON, 2 * S + 1, "x")["v"]["S"] == "older"
    assert {client.get(region, 3 * S, "x")["v"]["S"] for region in REGIONS} == {"newer"}


def test_paused_links_carry_nothing_until_resumed_and_then_keep_the_order() -> None:
    truth: list[tuple[str, int, int | None]] = []

    class Lines:
        def visible(
            self, origin: str, replica: str, table: str, key: str, commit: int, at: int | None
        ) -> None:
            truth.append((key, commit, at))

    client = global_table(OREGON, SYDNEY, lag="paused", truth=Lines())
    for n in range(200):
        client.put(OREGON, S + n * MS, f"k{n % 5}", f"v{n}")
    assert [line[2] for line in truth] == [None] * 200
    assert client.get(SYDNEY, 1000 * S, "k0") is None
    assert client.get(OREGON, 1000 * S, "k0")["v"]["S"] == "v195"
    client.world.resume(2000 * S)
    resumed = truth[200:]
    assert len(resumed) == 200
    assert all(at is not None and 2000 * S < at < NEVER for _, _, at in resumed)
    for key in {line[0] for line in resumed}:
        lane = [at for name, _, at in resumed if name == key]
        assert lane == sorted(lane)
    for key, commit, at in resumed[:20]:
        assert client.get(SYDNEY, 2000 * S, key) is None, (commit, at)
    assert client.get(SYDNEY, 2100 * S, "k4")["v"]["S"] == "v199"
    client.put(OREGON, 2200 * S, "k4", "later")
    assert client.get(SYDNEY, 2300 * S, "k4")["v"]["S"] == "later"
    assert len(_histories(client)[("k4", None)].versions) <= 2
