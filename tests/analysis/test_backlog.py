"""The backlog of a paused link, by counting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.backlog import Backlog, backlog_over_run, catch_up
from harness.analysis.plots.backlog import backlog_plot
from tests.analysis.simulated import simulated_run
from tests.analysis.test_plots import by_gid, everything
from tests.analysis.test_plots_of_groups import assert_legible

PAIR = ("us-west-2", "ap-southeast-2")
S = 10**9
WRITES = 600  # at 20/s: 30 s


def paused(start_s: float = 10, end_s: float = 18) -> pd.DataFrame:
    """Writes with a lag of half a second, none of which arrives during the pause."""
    commits = np.arange(WRITES) / 20
    arrivals = commits + 0.5
    held = (arrivals >= start_s) & (arrivals < end_s)
    arrivals[held] = end_s + 0.5
    lag_ns = np.round((arrivals - commits) * S).astype(np.int64)
    sent_ns = np.round(commits * S).astype(np.int64)
    columns = {
        "sent_ns": sent_ns - 10**6,
        "acked_ns": sent_ns + 10**6,
        "model_lower_ns": lag_ns - 2 * 10**6,
        "model_upper_ns": lag_ns + 2 * 10**6,
    }
    frame = pd.DataFrame({name: pd.array(values, dtype="Int64") for name, values in columns.items()})
    return frame.assign(from_region=PAIR[0], to_region=PAIR[1], read="strong")


def test_the_backlog_is_rate_times_lag_and_grows_by_the_rate_while_replication_stands() -> None:
    found = backlog_over_run(paused(), *PAIR)

    def at(second: float) -> int:
        return int(found.most[np.searchsorted(found.times_ns, second * S)])

    assert at(5) == pytest.approx(10, abs=1)
    assert at(14) == pytest.approx(10 + 4 * 20, abs=2)
    assert at(18.4) == pytest.approx(10 + 8.4 * 20 - 8, abs=6)
    assert at(25) == pytest.approx(10, abs=1)
    assert (found.least <= found.most).all()


def test_catching_up_is_told_with_the_usual_and_the_peak() -> None:
    caught = catch_up(backlog_over_run(paused(), *PAIR), (10 * S, 18 * S))
    assert caught is not None
    assert caught.usual in (10, 11)
    assert caught.peak == pytest.approx(170, abs=12)
    assert caught.pause_s == 8
    assert caught.caught_up_s == pytest.approx(0.5, abs=0.1)


def test_a_backlog_that_goes_only_because_writing_ended_is_not_caught_up() -> None:
    samples = paused(20, 29.8)
    caught = catch_up(backlog_over_run(samples, *PAIR), (20 * S, int(29.8 * S)))
    assert caught is not None
    assert caught.caught_up_s is None


def test_a_pause_outside_the_run_has_no_catching_up() -> None:
    found = backlog_over_run(paused(), *PAIR)
    assert catch_up(found, (60 * S, 70 * S)) is None


def test_writes_never_seen_stay_in_the_backlog() -> None:
    samples = paused()
    samples.loc[:9, "model_upper_ns"] = pd.NA
    found = backlog_over_run(samples, *PAIR)
    assert found.most[-1] == 10


def test_nothing_acknowledged_is_an_empty_backlog() -> None:
    found = backlog_over_run(paused().iloc[:0], *PAIR)
    assert len(found.times_ns) == 0
    assert catch_up(found, (0, 1)) is None


@pytest.mark.parametrize("verdict", ["VALID", "INVALID"])
@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (paused(), "caught up in"),
        (paused(20, 29.8), "not caught up while writes went on"),
        (paused().iloc[:0], "no write was acknowledged"),
    ],
    ids=["caught up", "not caught up", "empty"],
)
def test_the_figure_is_legible_and_states_the_finding(samples: pd.DataFrame, says: str, verdict: str) -> None:
    window = (10 * S, 18 * S) if "caught up in" in says else (20 * S, int(29.8 * S))
    run = simulated_run(np.full(WRITES, 500.0), verdict=verdict, pair=PAIR)
    found: Backlog = backlog_over_run(samples, *PAIR)
    figure = backlog_plot(found, run.summary, PAIR, window)
    assert_legible(figure)
    assert says in everything(figure)
    assert "simulated" in everything(figure)
    if len(samples):
        (line,) = by_gid(figure.axes[0], "backlog")
        assert line.get_ydata().max() == pytest.approx(found.most.max(), abs=2)
