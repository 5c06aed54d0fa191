"""From manifest and journal to everything else in a run directory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from harness.analysis.summary import measured_pairs, summarize_run
from harness.analysis.view import pair_samples
from harness.measure.plan import config_from_json
from harness.records.journal import read_journal
from harness.records.manifest import read_json, write_json
from harness.records.run_directory import RunDirectory
from harness.records.samples import join_samples, write_samples


def derive_results(run: RunDirectory) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write `samples.parquet`, the `.hgrm` files and `summary.json`; returns the summary and the samples.

    Raises:
        DamagedRun: manifest or journal cannot be read.
    """
    manifest = read_json(run.manifest)
    config = config_from_json(manifest["config"])
    contents = read_journal(run.journal)
    samples = join_samples(manifest["run_id"], config, contents.events)
    write_samples(run.samples, samples)
    summary = summarize_run(manifest, config, contents.events, samples)
    for pair in measured_pairs(summary):
        _write_histogram(run, samples, pair["from"], pair["to"], summary["verdict"])
    write_json(run.summary, summary)
    return summary, samples


def _write_histogram(
    run: RunDirectory, samples: pd.DataFrame, source: str, replica: str, verdict: str
) -> None:
    """The middles of the model brackets in HdrHistogram's percentile format, milliseconds at µs resolution."""
    mine = pair_samples(samples, source, replica).dropna(subset=["model_lower_ns", "model_upper_ns"])
    histogram = HdrHistogram(1, 3600 * 10**6, 3)
    middles_ns = (mine["model_lower_ns"] + mine["model_upper_ns"]).to_numpy(np.float64) / 2
    middles_us = np.maximum(1, np.round(middles_ns / 1000)).astype(np.int64)
    for value, count in zip(*np.unique(middles_us, return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    with run.histogram(source, replica).open("wb") as file:
        histogram.output_percentile_distribution(file, 1000.0)
        file.write(f"#[{verdict}]\n".encode())  # the format's comment
