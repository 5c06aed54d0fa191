"""`summary.json`: a run in numbers that carry their error, each with what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.application import (
    describe_asymmetry,
    describe_contest,
    describe_everywhere,
    describe_pair,
    describe_skipped,
    describe_torn,
)
from harness.analysis.evidence import Evidence
from harness.analysis.gates import evaluate_gates, verdict
from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.round_trips import describe_reads, over_one_way_floor, round_trips
from harness.analysis.strong_reads import describe_strong_reads
from harness.analysis.timeline import describe_timeline
from harness.analysis.view import censored_brackets, headline_samples, pair_samples
from harness.analysis.visibility import share_of
from harness.analysis.witness import describe_witness
from harness.dynamodb.cost import price_run, spread_writes, write_units
from harness.dynamodb.statement import Statement
from harness.measure.events import Event, Poll, Spent, Write
from harness.measure.plan import RunConfig, Watch, pick_strategy
from harness.measure.sample import Flag, Outcome
from harness.records.manifest import FORMAT_VERSION
from harness.units import percentile_name

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
STRONG_LAG = "MRSC: half a round trip + 5–10 ms"
ESTIMATOR = "interval-censored NPMLE (Turnbull) of the model bracket; 95 % interval from its ends"


def summarize_run(
    manifest: Mapping[str, Any],
    config: RunConfig,
    events: Sequence[Event],
    samples: pd.DataFrame,
    statement: Statement | None = None,
) -> dict[str, Any]:
    """The summary object of a run, as `summary.json` stores it (milliseconds, signed)."""
    evidence = Evidence(config, events, samples)
    gates = evaluate_gates(evidence)
    target = manifest["target"]
    return {
        "format_version": FORMAT_VERSION,
        "run_id": manifest["run_id"],
        "target": target["kind"],
        "simulated": target["kind"] == "local",
        "label": target["label"],
        "verdict": verdict(gates),
        "gates": [gate.to_json() for gate in gates],
        "estimator": ESTIMATOR,
        "settings": {
            "rate_per_s": config.workload.rate_per_s,
            "arrivals": config.workload.arrivals,
            "item_bytes": config.workload.item_bytes,
            "keys": config.workload.keys,
            "together": config.workload.together,
            "versions": config.workload.versions,
            "offset_ms": config.workload.offset_ns / 1e6,
            "seed": config.workload.seed,
            "poll_interval_ms": config.polling.interval_ns / 1e6,
            "read": config.polling.read,
            "poll_with": pick_strategy(config),
            "schedule": config.polling.schedule,
            "consistency": config.consistency,
            "shards": config.workload.shards,
            "timeout_ms": config.polling.timeout_ns / 1e6,
            "lag": _lag(config, target),
        },
        "strong_reads": describe_strong_reads(manifest["run_id"], config, events),
        "writes": [_writes(source, samples) for source in config.sources],
        "pairs": [_pair(watch, config, events, samples, statement) for watch in config.watched],
        "everywhere": describe_everywhere(headline_samples(samples), config.pairs),
        "asymmetry": describe_asymmetry(samples, config.pairs),
        "contest": describe_contest(samples, config.sources) if config.workload.contested else None,
        "cost": _cost(config, events, samples),
        "tags": manifest.get("tags", {}),
        "timeline": describe_timeline(evidence),
    }


def _lag(config: RunConfig, target: Mapping[str, Any]) -> str | None:
    """What the emulator is set to, in words; None where it was none."""
    lag = target.get("emulator", {}).get("lag")
    return STRONG_LAG if lag is not None and config.strong else lag


def measured_pairs(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The Region pairs of a summary, once each: no controls, and of two read modes the first."""
    return [pair for pair in summary["pairs"] if pair["headline"]]


def _writes(source: str, samples: pd.DataFrame) -> dict[str, Any]:
    """How long the writes of a Region took to be acknowledged, as a client here sees it."""
    mine = samples[samples["from_region"] == source].drop_duplicates("seq").dropna(subset=["acked_ns"])
    took_ns = (mine["acked_ns"] - mine["sent_ns"]).to_numpy(np.float64)
    return {"from": source, "latency_ms": _percentiles(took_ns, took_ns)}


def _pair(
    watch: Watch,
    config: RunConfig,
    events: Sequence[Event],
    samples: pd.DataFrame,
    statement: Statement | None,
) -> dict[str, Any]:
    source, replica = watch.source, watch.replica
    mine = pair_samples(samples, source, replica, watch.read)
    polls = [e for e in events if isinstance(e, Poll) and watch.made(e)]
    reads = round_trips(polls).get((replica, "read"), np.empty((0, 2), np.int64))
    latency = _percentiles(*censored_brackets(mine, "model_lower_ns", "model_upper_ns"))
    counts = mine["outcome"].value_counts()
    flags = mine["flags"].str.split(",").explode().value_counts()
    n = max(1, len(mine))
    start_ns = mine["due_ns"].min()  # polls before it are of the warm-up
    counted = [poll for poll in polls if poll.received_ns >= start_ns]
    known = mine.dropna(subset=["model_lower_ns", "model_upper_ns"])
    widths = {
        kind: (known[f"{kind}_upper_ns"] - known[f"{kind}_lower_ns"]).to_numpy(np.float64) / 1e6
        for kind in ("model", "hard")
    }
    headline = not watch.control and watch.read == config.reads[0]
    witness = describe_witness(statement, source, replica, mine, events) if headline else None
    return {
        "from": source,
        "to": replica,
        "read": watch.read,
        "since": "acknowledgement" if config.strong else "commit",
        "control": watch.control,
        "headline": headline,
        "outcomes": {"planned": len(mine), **{o.value: int(counts.get(o.value, 0)) for o in Outcome}},
        "flags": {flag.value: int(flags[flag.value]) for flag in Flag if flag.value in flags},
        "latency_ms": latency,
        "hard_latency_ms": _percentiles(*censored_brackets(mine, "hard_lower_ns", "hard_upper_ns")),
        "time_to_visibility_ms": _percentiles(*_exact(mine, "acked_ns")),
        "schedule_corrected_ms": _percentiles(*_exact(mine, "due_ns")),
        "resolution_ms": {f"{kind}_width_p50": _quantile(width, 50) for kind, width in widths.items()},
        "latency_over_fibre_floor_ms": None
        if config.strong
        else over_one_way_floor(source, replica, latency),
        "rtt_ms": describe_reads(source, replica, reads),
        **describe_pair(mine),
        **_settling(watch, mine),
        "torn_window": describe_torn(mine, config.workload.together),
        "skipped_versions": describe_skipped(mine, config.workload.versions),
        "requests_per_sample": len(counted) / n,
        "read_units_per_sample": sum(p.units for p in counted) / n,
        **({} if witness is None else {"witness": witness}),
    }


def _settling(watch: Watch, samples: pd.DataFrame) -> dict[str, Any]:
    """What eventually consistent reads took back, and from when on they did not any more."""
    if watch.read == "strong":
        return {"stable_latency_ms": None, "flaps": None}
    seen = samples[samples["outcome"] == Outcome.VISIBLE.value]
    flapped = int((seen["flaps"] > 0).sum())
    return {
        "stable_latency_ms": _percentiles(*censored_brackets(samples, "stable_lower_ns", "stable_upper_ns")),
        "flaps": {
            "count": int(seen["flaps"].sum()),
            "samples": flapped,
            "share": share_of(flapped, len(seen)).to_json() if len(seen) else None,
        },
    }


def _exact(samples: pd.DataFrame, since: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """From `since` to the first answer with a hit: exact where seen, open above where not."""
    acked = samples.dropna(subset=["acked_ns"])
    elapsed = (acked["first_hit_received_ns"] - acked[since]).astype("Float64")
    upper = elapsed.to_numpy(np.float64, na_value=np.inf)
    waited = (acked["last_miss_sent_ns"] - acked[since]).astype("Float64").to_numpy(np.float64, na_value=0.0)
    return np.where(np.isinf(upper), waited, upper), upper


def _percentiles(lower_ns: NDArray[Any], upper_ns: NDArray[Any]) -> dict[str, Any]:
    estimates = estimate_percentiles(lower_ns / 1e6, upper_ns / 1e6, PERCENTILES)
    return {percentile_name(p): estimates[p].to_json() for p in PERCENTILES}


def _quantile(values: NDArray[Any], percentile: float) -> float | None:
    return float(np.percentile(values, percentile)) if len(values) else None


def _cost(config: RunConfig, events: Sequence[Event], samples: pd.DataFrame) -> dict[str, Any]:
    """Units counted from what was answered; a write is paid for in every Region that has the table."""
    per_write = write_units(config.workload.item_bytes)
    made, replicated, reads = (dict.fromkeys(config.regions, 0.0) for _ in range(3))
    for event in events:
        if isinstance(event, Write) and event.result != "failed":  # what was refused costs nothing
            made[event.source] += event.units or per_write
            replicated[event.source] += per_write
        elif isinstance(event, Poll):
            reads[event.replica] += event.units
        elif isinstance(event, Spent):
            made[event.region] += event.write_units
            replicated[event.region] += event.write_units
            reads[event.region] += event.read_units
    cost = price_run(spread_writes(made, replicated), reads)
    usd = cost["usd"]
    return cost | {"usd_per_1000_samples": None if usd is None else 1000 * usd / max(1, len(samples))}
