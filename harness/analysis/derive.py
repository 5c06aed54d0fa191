"""From manifest and journal to everything else in a run directory."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from harness.analysis.summary import measured_pairs, summarize_run
from harness.analysis.view import pair_samples
from harness.cli import say
from harness.dynamodb.statement import Statement, statement_from_json
from harness.errors import DamagedRun
from harness.measure.events import Phase
from harness.records.journal import JournalContents, read_journal
from harness.records.manifest import read_json, read_manifest, write_json
from harness.records.plausible import check_events
from harness.records.run_directory import RunDirectory
from harness.records.samples import join_samples, write_samples
from harness.records.whole import written_whole

NS_PER_US = 1_000
US_PER_MS = 1_000
_DIGITS = 3
_DIGIT_BITS = 11  # a histogram of three digits has 2,048 steps to a power of two


def derive_results(run: RunDirectory) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write `samples.parquet`, the `.hgrm` files and `summary.json`; returns the summary and the samples.

    Raises:
        DamagedRun: manifest, journal or statement cannot be read, or the journal holds less than it did.
    """
    manifest, config = read_manifest(run.manifest)
    contents = read_journal(run.journal)
    check_whole(run, contents)
    if contents.torn_bytes:
        say(f"{run.journal}: dropped the last {contents.torn_bytes:,} bytes, a flush that was not completed")
    try:
        check_events(config, manifest["run_id"], contents.events)
        samples = join_samples(manifest["run_id"], config, contents.events)
    except DamagedRun as error:
        raise DamagedRun(f"{run.journal}: {error}") from None
    write_samples(run.samples, samples)
    statement = read_statement(run)
    summary = summarize_run(manifest, config, contents.events, samples, statement)
    for pair in measured_pairs(summary):
        write_histogram(run, samples, pair["from"], pair["to"], f"{summary['label']}, {summary['verdict']}")
    write_json(run.summary, summary)
    return summary, samples


def read_statement(run: RunDirectory) -> Statement | None:
    """What a second witness said of the run; None where none was asked.

    Raises:
        DamagedRun: it cannot be read.
    """
    return statement_from_json(read_json(run.witness)) if run.witness.exists() else None


def check_whole(run: RunDirectory, contents: JournalContents) -> None:
    """A journal torn by a crash is used as far as it goes; one cut short since its run was summarized is not.

    Raises:
        DamagedRun: it is of the latter kind, or holds nothing.
    """
    if not contents.events:
        raise DamagedRun(f"{run.journal} holds no whole flush: nothing was measured, or it was truncated")
    finished = any(isinstance(event, Phase) and event.name == "finished" for event in contents.events)
    if not finished and _known_as_finished(run):
        raise DamagedRun(
            f"{run.journal} is truncated: it lacks the end of a run that {run.summary.name} knows as finished; "
            f"restore it, or remove {run.summary.name} to rebuild from what is left"
        )


def _known_as_finished(run: RunDirectory) -> bool:
    try:
        gates = read_json(run.summary)["gates"]
        return any(gate["name"] == "complete" and gate["status"] == "pass" for gate in gates)
    except (DamagedRun, KeyError, TypeError):  # none yet, or one that says nothing
        return False


def write_histogram(run: RunDirectory, samples: pd.DataFrame, source: str, replica: str, marks: str) -> None:
    """The middles of the model brackets in HdrHistogram's percentile format, milliseconds at µs resolution."""
    mine = pair_samples(samples, source, replica).dropna(subset=["model_lower_ns", "model_upper_ns"])
    middles_ns = (mine["model_lower_ns"].to_numpy(np.int64) + mine["model_upper_ns"].to_numpy(np.int64)) // 2
    histogram = HdrHistogram(1, 3600 * 10**6, _DIGITS)
    for value, count in zip(*np.unique(_resolved(middles_ns // NS_PER_US), return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    text = BytesIO()
    histogram.output_percentile_distribution(text, US_PER_MS)
    # hdrh scales all values but this one.
    unscaled, scaled = (b"%12.3f]" % (histogram.get_stddev() / ratio) for ratio in (1, US_PER_MS))
    comment = f"#[{marks}]\n".encode()
    with written_whole(run.histogram(source, replica)) as temporary:
        temporary.write_bytes(text.getvalue().replace(unscaled, scaled) + comment)


def _resolved(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positive values as coarse as a histogram of three digits keeps them, so that few differ."""
    values = np.maximum(values, 1)
    _, exponent = np.frexp(values.astype(np.float64))
    shift = np.maximum(exponent.astype(np.int64) - _DIGIT_BITS, 0)
    return values >> shift << shift
