"""From manifest and journal to everything else in a run directory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from harness.analysis.summary import measured_pairs, summarize_run
from harness.analysis.view import pair_samples
from harness.cli import say
from harness.errors import DamagedRun
from harness.measure.events import Phase
from harness.measure.plan import config_from_json
from harness.records.journal import JournalContents, read_journal
from harness.records.manifest import read_json, write_json
from harness.records.run_directory import RunDirectory
from harness.records.samples import join_samples, write_samples


def derive_results(run: RunDirectory) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write `samples.parquet`, the `.hgrm` files and `summary.json`; returns the summary and the samples.

    Raises:
        DamagedRun: manifest or journal cannot be read, or the journal holds less than it did.
    """
    manifest = read_json(run.manifest)
    missing = [key for key in ("run_id", "config", "target") if key not in manifest]
    if missing:
        raise DamagedRun(f"{run.manifest} lacks {', '.join(missing)}: the run cannot be rebuilt from it")
    config = config_from_json(manifest["config"])
    contents = read_journal(run.journal)
    _check_whole(run, contents)
    samples = join_samples(manifest["run_id"], config, contents.events)
    write_samples(run.samples, samples)
    summary = summarize_run(manifest, config, contents.events, samples)
    for pair in measured_pairs(summary):
        _write_histogram(run, samples, pair["from"], pair["to"], summary["verdict"])
    write_json(run.summary, summary)
    return summary, samples


def _check_whole(run: RunDirectory, contents: JournalContents) -> None:
    """A journal torn by a crash is used as far as it goes; one cut short since its run was summarized is not."""
    if not contents.events:
        raise DamagedRun(f"{run.journal} holds no whole flush: nothing was measured, or it was truncated")
    finished = any(isinstance(event, Phase) and event.name == "finished" for event in contents.events)
    if not finished and _known_as_finished(run):
        raise DamagedRun(
            f"{run.journal} is truncated: it lacks the end of a run that {run.summary.name} knows as finished; "
            f"restore it, or remove {run.summary.name} to rebuild from what is left"
        )
    if contents.torn_bytes:
        say(f"{run.journal}: dropped the last {contents.torn_bytes:,} bytes, a flush that was not completed")


def _known_as_finished(run: RunDirectory) -> bool:
    try:
        gates = read_json(run.summary).get("gates", ())
    except DamagedRun:  # none yet, or one that says nothing
        return False
    return any(gate.get("name") == "complete" and gate.get("status") == "pass" for gate in gates)


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
