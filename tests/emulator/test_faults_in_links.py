"""Faults between Regions: what is held up, lost, sent twice or mixed, and that the truth knows."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator.faults.grammar import parse_fault, parse_faults
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, Client, S, global_table

REGIONS = (OREGON, SYDNEY, IRELAND)
FIRST = 100 * S


class Lines:
    """A truth journal in memory: by (from, to, key, commit), each arrival that was told, the last one valid."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str, str, int], list[int | None]] = {}

    def visible(self, origin: str, to: str, table: str, key: str, commit_ns: int, at_ns: int | None) -> None:
        self.told.setdefault((origin, to, key, commit_ns), []).append(at_ns)

    def arrivals(self, origin: str, to: str, key: str) -> list[int | None]:
        """Of the versions of an item, in order of their commits."""
        lane = sorted(line for line in self.told if line[:3] == (origin, to, key))
        return [self.told[line][-1] for line in lane]


def faulty(*faults: str, lag: str = "constant=1s", **more: Any) -> Client:
    """A global table of three Regions in which these go wrong."""
    return global_table(*REGIONS, lag=lag, faults=parse_faults(faults, REGIONS), **more)


def test_what_would_arrive_during_a_pause_arrives_its_own_lag_after_it() -> None:
    client = faulty("pause=2s-5s")
    for name, at_s in (("before", 0), ("under way", 1.5), ("during", 3), ("after", 4.5)):
        client.put(OREGON, FIRST + int(at_s * S), name)
    visible = {"before": 1.0, "under way": 6.0, "during": 6.0, "after": 5.5}
    for name, at_s in visible.items():
        instant_ns = FIRST + int(at_s * S)
        assert client.get(SYDNEY, instant_ns - MS, name) is None, name
        assert client.get(SYDNEY, instant_ns, name) is not None, name
        assert client.get(IRELAND, instant_ns - MS, name) is None, name


def test_a_pause_of_one_link_leaves_the_others_alone() -> None:
    client = faulty(f"pause:{OREGON}/{SYDNEY}=0s-5s")
    client.put(OREGON, FIRST, "x")
    client.put(SYDNEY, FIRST, "y")
    assert client.get(IRELAND, FIRST + S, "x") is not None
    assert client.get(OREGON, FIRST + S, "y") is not None
    assert client.get(SYDNEY, FIRST + 5 * S, "x") is None
    assert client.get(SYDNEY, FIRST + 6 * S, "x") is not None


def test_versions_of_an_item_keep_their_order_through_a_pause() -> None:
    client = faulty("pause=1s-3s", lag="median=400ms,sigma=1")
    for n in range(100):
        client.put(OREGON, FIRST + n * 30 * MS, "x", f"{n:03}")
    shown = [client.get(SYDNEY, FIRST + t * 10 * MS, "x") for t in range(1000)]
    values = [item["v"]["S"] for item in shown if item]
    assert values == sorted(values)
    assert values[-1] == "099"


def order(client: Client, fault: str, now_ns: int) -> None:
    client.world.order(parse_fault(fault, REGIONS), now_ns)


def test_a_partitioned_region_gets_and_gives_nothing_and_the_others_go_on() -> None:
    client = faulty(f"partition:{SYDNEY}=1s-10s", truth=(truth := Lines()))
    client.put(OREGON, FIRST, "first")
    for region in REGIONS:
        client.put(region, FIRST + 2 * S, f"of {region}")
    assert client.get(IRELAND, FIRST + 3 * S, f"of {OREGON}") is not None
    assert client.get(OREGON, FIRST + 3 * S, f"of {IRELAND}") is not None
    for region, other in ((SYDNEY, OREGON), (SYDNEY, IRELAND), (OREGON, SYDNEY), (IRELAND, SYDNEY)):
        assert client.get(region, FIRST + 11 * S - 1, f"of {other}") is None
        assert client.get(region, FIRST + 11 * S, f"of {other}") is not None
        assert truth.arrivals(other, region, f"of {other}") == [FIRST + 11 * S]
    assert client.world.faults.listed[0].struck == 5  # the first write was still under way


def test_a_pause_ordered_meanwhile_holds_up_what_is_under_way_and_clearing_it_lets_it_go() -> None:
    client = faulty(truth=(truth := Lines()))
    client.put(OREGON, FIRST, "x")
    order(client, f"pause:{OREGON}/{SYDNEY}=500ms-", FIRST + 100 * MS)
    client.put(OREGON, FIRST + 5 * S, "y")
    assert truth.told[OREGON, SYDNEY, "x", FIRST] == [FIRST + S, None]
    assert truth.told[OREGON, IRELAND, "x", FIRST] == [FIRST + S]
    assert client.get(SYDNEY, FIRST + 50 * S, "x") is None
    client.world.clear_faults(FIRST + 60 * S)
    assert truth.arrivals(OREGON, SYDNEY, "x") == truth.arrivals(OREGON, SYDNEY, "y") == [FIRST + 61 * S]
    assert client.get(SYDNEY, FIRST + 61 * S - 1, "x") is None
    assert client.get(SYDNEY, FIRST + 61 * S, "x") is not None


def test_a_fault_ordered_before_the_first_write_counts_from_its_order() -> None:
    client = faulty("pause=0s-1s")
    order(client, "pause=0s-3s", FIRST - S)
    client.put(OREGON, FIRST, "x")
    assert client.get(SYDNEY, FIRST + 3 * S - 1, "x") is None
    assert client.get(SYDNEY, FIRST + 3 * S, "x") is not None


def test_a_lost_write_is_told_as_such_and_later_versions_do_not_wait_for_it() -> None:
    client = faulty(f"never:{OREGON}/{SYDNEY}=1s-2s", truth=(truth := Lines()))
    for n in range(3):
        client.put(OREGON, FIRST + n * S, "x", str(n))
    assert truth.arrivals(OREGON, SYDNEY, "x") == [FIRST + S, None, FIRST + 3 * S]
    assert truth.arrivals(OREGON, IRELAND, "x") == [FIRST + S, FIRST + 2 * S, FIRST + 3 * S]
    shown = [client.get(SYDNEY, FIRST + n * S, "x") for n in range(1, 4)]
    assert [item["v"]["S"] for item in shown if item] == ["0", "0", "2"]


def test_lost_writes_of_one_item_are_forgotten_once_a_later_one_has_arrived() -> None:
    client = faulty("never:50%=0s-")
    for n in range(1000):
        client.put(OREGON, FIRST + n * 10 * MS, "x", str(n))
    order_ends_ns = FIRST + 20 * S
    client.world.clear_faults(order_ends_ns)
    client.put(OREGON, order_ends_ns, "x", "last")
    client.put(OREGON, order_ends_ns + 5 * S, "x", "very last")
    replica = client.world.catalogue.readable(OREGON, "items", order_ends_ns)
    assert len(replica.table.items._histories[("x", None)].versions) <= 2


def test_half_of_the_writes_lost_are_half_of_the_writes() -> None:
    client = faulty("never:50%=0s-", truth=(truth := Lines()))
    for n in range(500):
        client.put(OREGON, FIRST + n * MS, f"k{n}")
    lost = [line for line, arrivals in truth.told.items() if arrivals == [None]]
    assert 400 < len(lost) < 600
    assert client.world.faults.listed[0].struck == len(lost)
    for _, to, key, _ in lost:
        assert client.get(to, FIRST + 100 * S, key) is None


def test_a_duplicated_write_is_visible_from_its_first_attempt_on_and_the_second_changes_nothing() -> None:
    client = faulty("duplicate=0s-", truth=(truth := Lines()))
    for n in range(100):
        client.put(OREGON, FIRST + n * 300 * MS, "x", f"{n:03}")
    arrivals = truth.arrivals(OREGON, SYDNEY, "x")
    lags = [at - FIRST - n * 300 * MS for n, at in enumerate(arrivals) if at is not None]
    assert min(lags) < 600 * MS
    assert max(lags) == S  # no attempt makes it later, and nothing overtakes here
    assert client.world.faults.listed[0].struck == 200
    assert_never_goes_back(client, FIRST + 40 * S)


def test_reordered_writes_overtake_each_other_and_the_last_writer_still_wins() -> None:
    client = faulty("reorder:5s=0s-", truth=(truth := Lines()))
    for n in range(100):
        client.put(OREGON, FIRST + n * 300 * MS, "x", f"{n:03}")
    arrivals = truth.arrivals(OREGON, SYDNEY, "x")
    assert arrivals != sorted(arrivals)
    assert_never_goes_back(client, FIRST + 40 * S)


def assert_never_goes_back(client: Client, end_ns: int) -> None:
    shown = [client.get(SYDNEY, at_ns, "x") for at_ns in range(FIRST, end_ns, 50 * MS)]
    values = [item["v"]["S"] for item in shown if item]
    assert values == sorted(values)
    assert values[-1] == "099"


def test_flapping_reads_go_back_in_time_while_it_lasts_and_strong_ones_do_not() -> None:
    client = faulty(f"flap:{OREGON}:50%:2s=10s-20s")

    def seen(region: str, at_ns: int, consistent: bool = False) -> set[str]:
        asked = {"Key": {"pk": {"S": "x"}}, "ConsistentRead": consistent}
        return {client.ask("GetItem", region, at_ns, **asked)["Item"]["v"]["S"] for _ in range(200)}

    for n in range(16):
        client.put(OREGON, FIRST + n * S, "x", str(n))
    assert seen(OREGON, FIRST + 15 * S + 500 * MS) == {"13", "14", "15"}
    assert seen(OREGON, FIRST + 15 * S + 500 * MS, consistent=True) == {"15"}
    assert seen(SYDNEY, FIRST + 15 * S + 500 * MS) == {"14"}
    client.put(OREGON, FIRST + 19 * S, "x", "19")
    assert seen(OREGON, FIRST + 20 * S) == {"19"}


def test_a_flap_ordered_late_does_not_reach_back_to_what_is_forgotten() -> None:
    client = faulty()
    for n in range(10):
        client.put(OREGON, FIRST + n * S, "x", str(n))
    order(client, "flap:1h=0s-", FIRST + 30 * S)
    for n in range(50):
        at_ns = FIRST + (30 + n) * S
        assert client.ask("GetItem", SYDNEY, at_ns, Key={"pk": {"S": "x"}})["Item"]["v"]["S"] == "9"


def test_a_deleted_table_gets_no_more_of_what_is_under_way() -> None:
    client = faulty(truth=(truth := Lines()))
    client.put(OREGON, FIRST, "x")
    client.put(SYDNEY, FIRST, "y")
    client.world.delete_tables(SYDNEY, FIRST + 500 * MS)
    client.put(OREGON, FIRST + 600 * MS, "z")
    assert truth.told[OREGON, SYDNEY, "x", FIRST] == [FIRST + S, None]
    assert truth.told[SYDNEY, OREGON, "y", FIRST] == [FIRST + S]
    assert (OREGON, SYDNEY, "z", FIRST + 600 * MS) not in truth.told
    assert client.get(OREGON, FIRST + S, "y") is not None


FAULTS = (
    f"pause:{OREGON}/{SYDNEY}=100ms-900ms",
    "pause=300ms-",
    f"partition:{SYDNEY}=0s-1500ms",
    "never:30%=0s-1s",
    "duplicate:50%=0s-",
    "reorder:50%:700ms=0s-2s",
)
_STEP_MS = st.integers(0, 900)
_ACTS = st.lists(
    st.one_of(
        st.tuples(_STEP_MS, st.sampled_from(("put", "get")), st.sampled_from(REGIONS), st.sampled_from("ab")),
        st.tuples(_STEP_MS, st.just("order"), st.sampled_from(FAULTS), st.just("")),
        st.tuples(_STEP_MS, st.just("clear"), st.just(""), st.just("")),
    ),
    max_size=60,
)


@given(acts=_ACTS, begins_with=st.lists(st.sampled_from(FAULTS), max_size=3), seed=st.integers(0, 2**16))
@settings(max_examples=200, deadline=None)
def test_every_read_shows_the_last_writer_of_what_the_truth_says_is_there(
    acts: list[tuple[int, str, str, str]], begins_with: list[str], seed: int
) -> None:
    client = faulty(*begins_with, lag="median=300ms,sigma=1", seed=seed, truth=(truth := Lines()))
    now_ns, written, seen = FIRST, [], []
    for step_ms, act, what, key in acts:
        now_ns += 1 + step_ms * MS
        if act == "put":
            client.put(what, now_ns, key, str(now_ns))
            written.append((what, key, now_ns))
        elif act == "get":
            item = client.get(what, now_ns, key)
            seen.append((what, key, now_ns, None if item is None else int(item["v"]["S"])))
        elif act == "order":
            order(client, what, now_ns)
        else:
            client.world.clear_faults(now_ns)
    for region, key, at_ns, value in seen:
        there = [
            commit_ns
            for origin, name, commit_ns in written
            if name == key
            and commit_ns < at_ns
            and (origin == region or _arrived(truth.told[origin, region, key, commit_ns][-1], at_ns))
        ]
        assert value == max(there, default=None)


def _arrived(arrival_ns: int | None, at_ns: int) -> bool:
    return arrival_ns is not None and arrival_ns <= at_ns
