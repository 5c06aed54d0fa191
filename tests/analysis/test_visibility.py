"""Visibility after a wait, in every replica, losses and order, on small histories and on known distributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.percentiles import Estimate, Unsupported
from harness.analysis.visibility import (
    loss_rate,
    order_inversions,
    torn_windows,
    visible_everywhere,
    visible_share,
    wait_for,
)
from tests.analysis.simulated import polled, true_percentile, values_of


def test_a_share_at_a_wait_has_the_exact_binomial_interval():
    values = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    found = visible_share(values, values, 30.5)
    assert (found.value, found.n) == (pytest.approx(0.3), 100)
    assert (found.low, found.high) == (pytest.approx(0.2124, abs=1e-4), pytest.approx(0.3998, abs=1e-4))


def test_all_visible_leaves_room_for_the_rule_of_three():
    found = visible_share(np.zeros(300), np.ones(300), 5.0)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.98778, abs=1e-4)


def test_brackets_that_straddle_the_wait_widen_the_interval():
    shuffled = np.random.default_rng(2).permutation(np.arange(100.0))
    exact = visible_share(shuffled, shuffled, 49.5)
    blurred = visible_share(shuffled - 10, shuffled + 10, 49.5)
    assert exact.low == pytest.approx(0.3983, abs=1e-3)
    assert exact.high == pytest.approx(0.6017, abs=1e-3)
    assert blurred.low < exact.low - 0.05
    assert blurred.high > exact.high + 0.05


def test_the_share_at_a_percentile_and_the_wait_for_a_share_are_inverse():
    rng = np.random.default_rng(3)
    lower, upper = polled(values_of(1, 4000, 0, rng)[0], 20.0, rng)
    share = visible_share(lower, upper, true_percentile(90))
    assert share.low <= 0.9 <= share.high
    wait = wait_for(lower, upper, 0.9)
    assert isinstance(wait, Estimate)
    assert wait.low <= true_percentile(90) <= wait.high
    assert isinstance(wait_for(lower[:10], upper[:10], 0.99), Unsupported)


def test_dependent_samples_widen_a_share():
    rng = np.random.default_rng(4)
    values = values_of(1, 20_000, 10, rng)[0]
    dependent = visible_share(values, values, 650.0)
    shuffled = rng.permutation(values)
    independent = visible_share(shuffled, shuffled, 650.0)
    assert dependent.high - dependent.low > 2 * (independent.high - independent.low)
    assert dependent.method == "effective sample size"


def test_a_drifting_series_has_no_interval_for_a_share():
    values = np.linspace(1, 2, 500)
    found = visible_share(values, values, 1.5)
    assert (found.low, found.high) == (None, None)
    assert found.value == pytest.approx(0.5, abs=0.01)


def frame(rows, columns):
    table = pd.DataFrame(rows, columns=columns)
    numbers = [name for name in columns if name.endswith("_ns") or name == "seq"]
    return table.astype(dict.fromkeys(numbers, "Int64"))


REPLICAS = ["run_id", "from_region", "to_region", "seq", "due_ns"]
BOUNDS = ["hard_lower_ns", "hard_upper_ns", "model_lower_ns", "model_upper_ns"]


def test_everywhere_is_as_late_as_the_latest_replica():
    samples = frame(
        [
            ["r", "a", "b", 0, 10, 1, 9, 2, 8],
            ["r", "a", "c", 0, 10, 5, 6, 5, 6],
            ["r", "a", "b", 1, 20, 3, 4, 3, 4],
            ["r", "a", "c", 1, 20, 30, None, 30, None],
            ["r", "a", "b", 2, 30, None, None, None, None],
            ["r", "a", "c", 2, 30, None, None, None, None],
            ["r", "a", "b", 3, 40, 1, 2, 1, 2],
        ],
        REPLICAS + BOUNDS,
    )
    joined = visible_everywhere(samples)
    assert joined["seq"].tolist() == [0, 1]  # write 2 failed, write 3 has one replica only
    assert joined["replicas"].tolist() == [2, 2]
    assert joined.loc[0, BOUNDS].tolist() == [5, 9, 5, 8]
    assert joined.loc[1, ["model_lower_ns"]].tolist() == [30]
    assert joined["model_upper_ns"].isna().tolist() == [False, True]


def test_loss_rate_counts_lost_among_acknowledged():
    outcomes = ["visible"] * 396 + ["lost"] * 3 + ["late"] + ["write_failed"] * 5
    found = loss_rate(pd.DataFrame({"outcome": outcomes}))
    assert found is not None
    assert (found.value, found.n) == (3 / 400, 400)
    assert found.low == pytest.approx(0.00155, abs=1e-5)
    assert found.high == pytest.approx(0.02176, abs=1e-5)


def test_no_loss_still_has_an_upper_bound_and_no_write_has_no_rate():
    found = loss_rate(pd.DataFrame({"outcome": ["visible"] * 300}))
    assert found is not None
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.0122, abs=1e-4)
    assert loss_rate(pd.DataFrame({"outcome": ["write_failed"]})) is None


INSTANTS = ["sent_ns", "acked_ns", "last_miss_sent_ns", "first_hit_received_ns"]


@pytest.mark.parametrize(
    ("history", "certainly", "possibly"),
    [
        # In order, well apart.
        ([[0, 1, 100, 110], [10, 11, 120, 130]], 0, 0),
        # The second was there before the first's last miss.
        ([[0, 1, 200, 210], [10, 11, 120, 130]], 1, 1),
        # Their brackets overlap: perhaps.
        ([[0, 1, 100, 130], [10, 11, 120, 140]], 0, 1),
        # Sent before the first was acknowledged: there is no order to invert.
        ([[0, 50, 200, 210], [10, 11, 120, 130]], 0, 0),
        # The first never seen, the second seen.
        ([[0, 1, 900, None], [10, 11, 120, 130]], 1, 1),
        # Both never seen.
        ([[0, 1, 900, None], [10, 11, 905, None]], 0, 1),
        # Hit at the first poll: visible since some time after it was sent.
        ([[0, 1, 30, 35], [10, 11, None, 40]], 0, 1),
        # One late write is overtaken once, by however many.
        ([[0, 1, 900, 910], [10, 11, 120, 130], [20, 21, 140, 150]], 1, 1),
        # A failed write has no order.
        ([[0, None, None, None], [10, 11, 120, 130]], 0, 0),
    ],
)
def test_order_of_small_histories(history, certainly, possibly):
    found = order_inversions(frame(history, INSTANTS))
    assert (found.certainly, found.possibly) == (certainly, possibly)


def test_inversions_are_found_in_any_order_of_rows():
    history = frame([[10, 11, 120, 130], [0, 1, 200, 210]], INSTANTS)
    assert order_inversions(history).certainly == 1
    assert order_inversions(history).to_json() == {"n": 2, "certainly": 1, "possibly": 1}


def transactions(*rows):
    """Samples of transactions of two: (seq, lower, upper), upper None where open."""
    frame = pd.DataFrame(rows, columns=["seq", "model_lower_ns", "model_upper_ns"])
    return frame.astype("Int64").assign(run_id="r")


def test_a_torn_window_reaches_from_the_first_item_s_bracket_to_the_last_one_s():
    found = torn_windows(transactions((0, 10, 20), (1, 50, 60)), together=2)
    assert (found.lower.tolist(), found.upper.tolist(), found.certainly) == ([30], [50], 1)


def test_a_transaction_whose_brackets_overlap_may_never_have_been_torn():
    found = torn_windows(transactions((0, 10, 20), (1, 15, 30)), together=2)
    assert (found.lower.tolist(), found.upper.tolist(), found.certainly) == ([0], [20], 0)


def test_a_transaction_not_wholly_seen_is_torn_for_longer_than_is_known_and_one_not_wholly_acked_is_left_out():
    found = torn_windows(transactions((0, 10, 20), (1, 90, None), (2, 10, 20)), together=2)
    assert (found.lower.tolist(), found.upper.tolist()) == ([70], [np.inf])
