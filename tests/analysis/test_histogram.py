"""`latency-*.hgrm`: what HdrHistogram's own plotter and its relatives read."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from harness.analysis.derive import write_histogram
from harness.records.run_directory import RunDirectory

PAIR = ("us-west-2", "ap-southeast-2")


def written(tmp_path, middles_ms):
    middles = pd.array(np.round(np.asarray(middles_ms) * 1e6).astype(np.int64), dtype="Int64")
    samples = pd.DataFrame(
        {
            "from_region": PAIR[0],
            "to_region": PAIR[1],
            "read": "strong",
            "model_lower_ns": middles - 1_000_000,
            "model_upper_ns": middles + 1_000_000,
        }
    )
    write_histogram(RunDirectory(tmp_path), samples, *PAIR, "simulated, VALID")
    return (tmp_path / "latency-us-west-2-ap-southeast-2.hgrm").read_text()


def plotted(text):
    """What plotFiles.html takes from a file: lines of four numbers that do not begin with #."""
    rows = [line.split() for line in text.splitlines() if not line.strip().startswith("#")]
    numbers = [row for row in rows if len(row) == 4 and row[0] != "Value"]
    return np.array(numbers, float)


def test_the_plotter_finds_value_percentile_count_and_the_inverse(tmp_path):
    middles = np.random.default_rng(1).lognormal(6.5, 0.4, 5_000)
    rows = plotted(written(tmp_path, middles))
    assert len(rows) > 50
    value, percentile, count, inverse = rows.T
    assert (np.diff(value) >= 0).all()
    np.testing.assert_allclose(inverse, 1 / (1 - percentile), rtol=0.01)
    np.testing.assert_allclose(count, np.ceil(percentile * 5_000), atol=25)
    np.testing.assert_allclose(value[5:], np.quantile(middles, percentile[5:], method="higher"), rtol=0.005)


def test_mean_deviation_and_maximum_are_in_milliseconds_and_marks_are_a_comment(tmp_path):
    middles = np.random.default_rng(2).normal(800, 50, 2_000)
    text = written(tmp_path, middles)
    mean, deviation = re.search(r"#\[Mean += +([\d.]+), StdDeviation += +([\d.]+)\]", text).groups()
    assert float(mean) == pytest.approx(middles.mean(), rel=2e-3)
    assert float(deviation) == pytest.approx(middles.std(), rel=2e-2)
    largest, total = re.search(r"#\[Max += +([\d.]+), TotalCount += +([\d.]+)\]", text).groups()
    assert float(largest) == pytest.approx(middles.max(), rel=2e-3)
    assert float(total) == 2_000
    assert text.endswith("#[simulated, VALID]\n")


def test_no_sample_at_all_and_values_below_zero_are_no_defect(tmp_path):
    assert len(plotted(written(tmp_path, []))) == 0
    assert "TotalCount     =        3.000" in written(tmp_path, [-5.0, 0.0, 700.0])
