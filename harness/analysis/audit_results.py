"""Invariants of what is made from the journal: samples, outcome counts, cost, and the files that hold them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson
import pandas as pd

from harness.analysis.audit_material import Material, NotApplicable, given
from harness.measure.events import Poll, Spent, Ticks, Write
from harness.measure.plan import Watch, pick_strategy
from harness.measure.sample import Flag, Outcome
from harness.measure.strategies import BATCH_LIMIT
from harness.records.samples import COLUMNS

OUTCOMES = frozenset(outcome.value for outcome in Outcome)
LASTING = (Outcome.VISIBLE.value, Outcome.LATE.value, Outcome.LOST.value)
_ROUNDING = 1e-6  # of units summed in another order


def one_sample_per_replica(material: Material) -> Iterator[str]:
    """The samples are the planned writes, once for each replica and read mode."""
    samples = material.rebuilt()
    for watch in material.config.watched:
        counts = Counter(_of(samples, watch)["seq"].tolist())
        measured = material.plans[watch.source].measured
        for seq in measured:
            if counts[seq] != 1:
                yield f"write {seq} of {watch.source} has {counts[seq]} samples in {watch.replica}"
        for seq in counts.keys() - set(measured):
            yield f"a sample of {watch.source} → {watch.replica} is of write {seq}: not planned"


def outcome_follows(material: Material) -> Iterator[str]:
    """Each sample's outcome is what write, polls and final look say."""
    samples = material.rebuilt()
    for watch in material.config.watched:
        seen, swept = material.seen(watch), material.swept(watch)
        for row in _of(samples, watch).itertuples():
            write = material.writes[watch.source].get(row.seq)
            look = swept.get(row.seq)
            allowed = _allowed(write, row.seq in seen, look.present if look else None)
            if row.outcome not in allowed:
                expected = " or ".join(sorted(allowed))
                yield f"write {row.seq} of {watch.source} is {row.outcome} in {watch.replica}, not {expected}"


def _allowed(write: Write | None, seen: bool, present: bool | None) -> set[str]:
    if write is None:  # killed
        return {Outcome.WRITE_FAILED.value, Outcome.WRITE_INDETERMINATE.value}
    if write.result == "failed":
        return {Outcome.WRITE_FAILED.value}
    if write.result == "indeterminate":
        return {Outcome.WRITE_INDETERMINATE.value}
    if seen:
        return {Outcome.VISIBLE.value}
    if present:
        return {Outcome.LATE.value}
    return {Outcome.LOST.value, Outcome.OVERWRITTEN.value}


def brackets_ordered(material: Material) -> Iterator[str]:
    """Lower ends lie below upper ends unless flagged, and only what was seen is bounded above."""
    for row in material.rebuilt().itertuples():
        where = f"write {row.seq} of {row.from_region} in {row.to_region}"
        bounded = not pd.isna(row.hard_upper_ns)
        if bounded != (row.outcome == Outcome.VISIBLE.value):
            yield f"{where} is {row.outcome}, its latency {'' if bounded else 'not '}bounded above"
        elif bounded and Flag.CONTRADICTION.value not in row.flags.split(","):
            for kind in ("hard", "model"):
                if getattr(row, f"{kind}_lower_ns") > getattr(row, f"{kind}_upper_ns"):
                    yield f"{where} has an inverted {kind} bracket that is not flagged"


def negatives_flagged(material: Material) -> Iterator[str]:
    """A bracket wholly below zero says so, and no other does."""
    for row in material.rebuilt().itertuples():
        negative = not pd.isna(row.model_upper_ns) and row.model_upper_ns < 0
        if negative != (Flag.NEGATIVE.value in row.flags.split(",")):
            yield (
                f"write {row.seq} of {row.from_region} in {row.to_region} is "
                f"{'' if negative else 'not '}negative, and its flags are {row.flags!r}"
            )


def counts_add_up(material: Material) -> Iterator[str]:
    """Each pair's outcomes are the plan's writes, every one once, and its percentiles are of all that were acknowledged
    and not written over: nothing is left out."""
    pairs = material.summarized()["pairs"]
    told = Counter((pair["from"], pair["to"], pair["read"]) for pair in pairs)
    for watch in material.config.watched:
        if told[watch.source, watch.replica, watch.read] != 1:
            yield f"the summary does not tell of {watch.source} → {watch.replica} ({watch.read}) once"
    planned = material.config.workload.samples
    for pair in pairs:
        outcomes = dict(pair["outcomes"])
        said, total = outcomes.pop("planned"), sum(outcomes.values())
        if not said == total == planned:
            yield f"{pair['from']} → {pair['to']}: {total:,} outcomes of {said:,}, {planned:,} planned"
        if outcomes.keys() != OUTCOMES:
            yield f"{pair['from']} → {pair['to']} counts {', '.join(sorted(outcomes))}"
        lasting = sum(outcomes.get(name, 0) for name in LASTING)
        for key in ("latency_ms", "hard_latency_ms"):
            others = [name for name, estimate in pair[key].items() if estimate["n"] != lasting]
            if others:
                n = pair[key][others[0]]["n"]
                yield f"{others[0]} of {key} {pair['from']} → {pair['to']} is of {n:,} writes, not {lasting:,}"


def cost_counted(material: Material) -> Iterator[str]:
    """The units paid for in each Region are at least what its answers and acknowledged writes say."""
    reads: Counter[str] = Counter()
    writes: Counter[str] = Counter()
    for event in material.events:
        if isinstance(event, Poll):
            reads[event.replica] += event.units  # type: ignore[assignment] # units may be halves
        elif isinstance(event, Spent):
            reads[event.region] += event.read_units  # type: ignore[assignment]
            writes[event.region] += event.write_units  # type: ignore[assignment]
        elif isinstance(event, Write) and event.result == "acked":
            writes[event.source] += event.units  # type: ignore[assignment]
    counted = material.summarized()["cost"]["regions"]
    for kind, found in (("read", reads), ("write", writes)):
        for region, units in found.items():
            said = counted.get(region, {}).get(f"{kind}_units", 0.0)
            if said < units * (1 - _ROUNDING):
                yield f"{said:,.1f} {kind} units are counted in {region}, its answers say {units:,.1f}"


def cost_bounded(material: Material) -> Iterator[str]:
    """No poller sent more than its instants could ask for."""
    if not material.measured:
        raise NotApplicable("the run was cut short")
    for watch in material.config.watched:
        ticks = [e for e in material.events if isinstance(e, Ticks) and watch.made(e)]
        instants = sum(e.planned - e.skipped for e in ticks)
        most = instants * _looks_of_an_instant(material, watch)
        sent = len(material.polls.get(watch, ()))
        if sent > most:
            yield f"{sent:,} polls of {watch.source} → {watch.replica}, {instants:,} instants allow {most:,}"


def _looks_of_an_instant(material: Material, watch: Watch) -> int:
    total = material.plans[watch.source].total
    late = math.ceil(total / BATCH_LIMIT)
    strategy = pick_strategy(material.config)
    shared = {"query": material.config.workload.shards, "batch": late, "get": total}[strategy]
    return shared + late


def samples_rebuilt(material: Material) -> Iterator[str]:
    """`samples.parquet` is what the journal proves."""
    stored, rebuilt = given(material.samples, "samples.parquet"), material.rebuilt()
    if len(stored) != len(rebuilt):
        yield f"samples.parquet has {len(stored):,} rows, the journal proves {len(rebuilt):,}"
        return
    for name in COLUMNS:
        mine, theirs = rebuilt[name].reset_index(drop=True), stored[name].reset_index(drop=True)
        same = (mine == theirs).fillna(False).astype(bool) | (mine.isna() & theirs.isna())
        if not same.all():
            at = int(np.argmin(same.to_numpy()))
            yield f"{name} of write {rebuilt['seq'].iloc[at]} is {theirs[at]}, the journal proves {mine[at]}"


def summary_rebuilt(material: Material) -> Iterator[str]:
    """`summary.json` is what the journal rebuilds."""
    stored = given(material.summary, "summary.json")
    rebuilt = given(material.rebuilt_summary, "summary can be rebuilt")
    plain = orjson.loads(orjson.dumps(rebuilt, option=orjson.OPT_SERIALIZE_NUMPY))
    yield from _differences(orjson.loads(orjson.dumps(stored)), plain, "")


def _differences(stored: Any, rebuilt: Any, path: str) -> Iterator[str]:
    if isinstance(stored, Mapping) and isinstance(rebuilt, Mapping):
        for key in sorted(stored.keys() | rebuilt.keys()):
            yield from _differences(stored.get(key), rebuilt.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(stored, list) and isinstance(rebuilt, list) and len(stored) == len(rebuilt):
        for at, (mine, theirs) in enumerate(zip(stored, rebuilt, strict=True)):
            yield from _differences(mine, theirs, f"{path}[{at}]")
    elif stored != rebuilt:
        yield f"{path} is {_short(stored)}, the journal rebuilds {_short(rebuilt)}"


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}…"


def _of(samples: pd.DataFrame, watch: Watch) -> pd.DataFrame:
    return samples[
        (samples["from_region"] == watch.source)
        & (samples["to_region"] == watch.replica)
        & (samples["read"] == watch.read)
    ]
