"""Lag models and round trips: their distributions, and what their texts mean."""

from __future__ import annotations

import math
from random import Random
from statistics import correlation, median, quantiles

import pytest

from harness.emulator.lag import PRESETS, LagStream, parse_lag
from harness.emulator.replication import parse_eventual
from harness.emulator.rtt import DelayStream, PairRtt, check_region, matrix, parse_rtt
from harness.errors import UsageError
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, S, global_table

PAIR = matrix()[OREGON, SYDNEY]
FIXED_MS = PAIR.p50_ns / MS + 8


def draws(
    text: str, count: int = 20_000, seed: int = 1, step_ns: int = MS, partition: int = 0
) -> list[float]:
    """Lags in milliseconds of writes `step_ns` apart."""
    stream = LagStream(parse_lag(text), PAIR, Random(seed))
    return [stream.draw_ns(n * step_ns, partition) / MS for n in range(count)]


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("typical", 650 + FIXED_MS),
        ("slow", 1000 + FIXED_MS),
        ("fast", 250 + FIXED_MS),
        ("degraded", 5000 + FIXED_MS),
        ("median=400ms,sigma=0.3", 400 + FIXED_MS),
        ("slow,median=2s,sigma=0.1", 2000 + FIXED_MS),
        ("paused", 650 + FIXED_MS),
    ],
)
def test_median_lag_is_the_models_median_plus_round_trip_plus_8_ms(text: str, expected_ms: float) -> None:
    assert median(draws(text)) == pytest.approx(expected_ms, rel=0.02)


def test_sigma_is_the_spread_of_the_logarithm() -> None:
    deciles = quantiles(draws("median=10s,sigma=0.5"), n=10)
    fixed = FIXED_MS
    assert math.log((deciles[8] - fixed) / (deciles[0] - fixed)) == pytest.approx(2 * 1.2816 * 0.5, rel=0.03)


def test_constant_lag_is_exact_and_nothing_is_added() -> None:
    assert set(draws("constant=400ms", 100)) == {400.0}
    assert set(draws("constant=0s", 100)) == {0.0}


def test_no_lag_is_below_half_a_round_trip() -> None:
    assert min(draws("median=1ms,sigma=5")) >= PAIR.p50_ns / 2 / MS


def test_the_tail_is_rare_at_least_a_second_and_only_where_asked_for() -> None:
    without = draws("median=100ms,sigma=0", 60_000)
    with_tail = draws("median=100ms,sigma=0,tail=on", 60_000)
    assert max(without) < 1000
    late = [lag for lag in with_tail if lag > 1000]
    assert 0.002 < len(late) / 60_000 < 0.004
    assert max(late) < 61_000
    assert max(draws("typical,tail=off", 60_000)) < 5_000


def test_bursts_are_correlated_within_a_partition_and_not_beyond_a_few_seconds() -> None:
    near = draws("bursty,tail=off", step_ns=100 * MS)
    far = draws("bursty,tail=off", step_ns=20 * S)
    assert correlation(near[:-1], near[1:]) > 0.85
    assert abs(correlation(far[:-1], far[1:])) < 0.05
    typical = draws("typical,tail=off")
    assert abs(correlation(typical[:-1], typical[1:])) < 0.05
    assert median(far) == pytest.approx(median(typical), rel=0.02)


def test_the_same_seed_draws_the_same_and_links_draw_independently() -> None:
    assert draws("typical", 100, seed=5) == draws("typical", 100, seed=5)
    assert draws("typical", 100, seed=5) != draws("typical", 100, seed=6)
    client = global_table(OREGON, SYDNEY, IRELAND, lag="median=400ms,sigma=0.3")
    client.put(OREGON, S, "x")
    links = client.world.links
    sydney, ireland = (links[OREGON, there].under_way[0][0] for there in (SYDNEY, IRELAND))
    assert sydney != ireland


@pytest.mark.parametrize(
    "text", ["", "tipical", "median=400", "median", "sigma=x", "tail=maybe", "constant=5", "constant,median=1s",
             "typical,slow", "sigma=-1", "median=0s", "sigma=nan"]
)  # fmt: skip
def test_what_is_no_lag_model_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_lag(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_lag_model_is_told_the_presets() -> None:
    with pytest.raises(UsageError) as caught:
        parse_lag("tipical")
    assert all(preset in str(caught.value) for preset in PRESETS)


def test_injected_round_trips_have_the_matrixs_percentiles_and_never_less_than_the_floor() -> None:
    stream = DelayStream(PAIR, Random(1))
    delays = [stream.draw_ns() for _ in range(20_000)]
    deciles = quantiles([there + back for there, back in delays], n=10)
    assert deciles[4] == pytest.approx(PAIR.p50_ns, abs=0.05 * MS)
    assert deciles[8] == pytest.approx(PAIR.p90_ns, abs=0.1 * MS)
    mean = (PAIR.p90_ns - PAIR.p50_ns) / math.log(5)
    half_floor = int(PAIR.p50_ns - mean * math.log(2)) // 2
    assert min(min(pair) for pair in delays) >= half_floor
    excess = [(there - half_floor, back - half_floor) for there, back in delays]
    share = sum(there for there, _ in excess) / sum(there + back for there, back in excess)
    assert share == pytest.approx(0.5, abs=0.01)


def test_a_client_in_the_region_it_asks_sees_the_time_of_the_service_alone() -> None:
    rtt = parse_rtt([], OREGON, [OREGON, SYDNEY])
    assert rtt == {OREGON: PairRtt(1_800_000, 2_200_000), SYDNEY: PAIR}


def test_round_trips_are_fixed_for_all_others_or_for_one_region() -> None:
    assert parse_rtt(["70ms"], OREGON, [OREGON, SYDNEY])[SYDNEY] == PairRtt(70 * MS, 70 * MS)
    assert parse_rtt(["70ms"], OREGON, [OREGON, SYDNEY])[OREGON].p50_ns == 1_800_000
    mixed = parse_rtt(["none", f"{IRELAND}=5ms"], OREGON, [OREGON, SYDNEY, IRELAND])
    assert [pair.p50_ns for pair in mixed.values()] == [0, 0, 5 * MS]
    assert DelayStream(mixed[IRELAND], Random(1)).draw_ns() == (2_500_000, 2_500_000)


@pytest.mark.parametrize("spec", ["fast", "70", "eu-west-2=70ms", f"{SYDNEY}=x"])
def test_what_is_no_round_trip_is_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_rtt([spec], OREGON, [OREGON, SYDNEY])


def test_a_region_that_does_not_exist_is_refused() -> None:
    assert check_region(OREGON) == OREGON
    with pytest.raises(UsageError, match="eu-west-99"):
        check_region("eu-west-99")


def test_eventual_reads_are_set_by_share_and_age() -> None:
    assert parse_eventual("none").share == 0
    assert parse_eventual("50ms").max_ns == 50 * MS
    assert parse_eventual("0.5:20ms").share == 0.5
    for text in ("often", "2:10ms", "x:10ms", "0.5:10"):
        with pytest.raises(UsageError):
            parse_eventual(text)
