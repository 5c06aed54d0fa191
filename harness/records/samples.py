"""From the events of a run to its samples: a pure join, one row per measured write × replica."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.errors import DamagedRun
from harness.measure.events import Event, Phase, Poll, Swept, Write
from harness.measure.plan import RunConfig, Watch, WritePlan
from harness.measure.sample import Flag, Outcome, Sample
from harness.records.digest import digest_of
from harness.records.running_minimum import running_minimum
from harness.records.sightings import NEVER, Sightings
from harness.records.whole import written_whole
from harness.units import NS_PER_S

COLUMNS = tuple(f.name for f in fields(Sample))
_DIGEST = b"contents"  # in the file's metadata: the checksums of its pages do not cover its own description
_TEXTS = (pa.string(), pa.large_string())
_TEXT = frozenset({"run_id", "from_region", "to_region", "key", "outcome", "flags", "read"})

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def join_samples(run_id: str, config: RunConfig, events: Sequence[Event]) -> pd.DataFrame:
    """The samples a journal proves.

    Returns one row per measured write and replica in the columns of `Sample`: nullable 64-bit integers in
    nanoseconds, null where a bound is open or an instant unknown. A write without a record (the run was killed)
    is indeterminate when it was due by the time of the last event, else not attempted. Model brackets are of the time
    since the commit, taken to be in the middle of the write's round trip; of a strongly consistent table, whose answer
    waits for other Regions, since the acknowledgement.
    """
    start_ns = next(
        (int(e.detail or 0) for e in events if isinstance(e, Phase) and e.name == "measuring"), None
    )
    last_ns = max((_known_at(event) for event in events), default=0)
    frames = []
    for watch in config.watched:
        plan = config.plan(run_id, watch.source)
        writes = _Writes.of(plan, events, start_ns, last_ns)
        polls = [e for e in events if isinstance(e, Poll) and watch.made(e)]
        in_order = watch.read == "eventual" or plan.overwrites
        sightings = Sightings.of(plan.total, polls, in_order=in_order)
        present = {
            e.seq: e.present
            for e in events
            if isinstance(e, Swept) and (e.source, e.region) == (watch.source, watch.replica)
        }
        frames.append(_frame(plan, watch, writes, sightings, present, config.strong))
    return pd.concat(frames, ignore_index=True)


def write_samples(path: Path, samples: pd.DataFrame) -> None:
    """Store samples as Parquet, whole or not at all."""
    table = pa.Table.from_pandas(samples, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, _DIGEST: digest_of(table)})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def write_csv(path: Path, samples: pd.DataFrame) -> None:
    """Store samples as CSV, in the columns of the Parquet file, whole or not at all; null is empty."""
    with written_whole(path) as temporary:
        pa_csv.write_csv(pa.Table.from_pandas(samples, preserve_index=False), temporary)


def read_samples(path: Path) -> pd.DataFrame:
    """Samples from Parquet, in the columns of `Sample`.

    Raises:
        DamagedRun: not readable, or columns are missing.
    """
    try:
        return _checked(path, pq.read_table(path, page_checksum_verification=True))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        why = (str(error).splitlines() or ["it is damaged"])[0]
        raise DamagedRun(f"cannot read {path}: {why}; rebuild it with harness.report") from None


def _checked(path: Path, table: Any) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DamagedRun(f"{path} lacks the columns {', '.join(missing)}; rebuild it with harness.report")
    for name in COLUMNS:
        kind, wanted = table.schema.field(name).type, (_TEXTS if name in _TEXT else (pa.int64(),))
        if kind not in wanted:
            raise DamagedRun(f"{path} holds {kind} as {name}; rebuild it with harness.report")
    contents = digest_of(table)
    if (table.schema.metadata or {}).get(_DIGEST, contents) != contents:
        raise DamagedRun(f"{path} is damaged: its contents have changed; rebuild it with harness.report")
    samples: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return samples


@dataclass(frozen=True, slots=True)
class _Writes:
    """The writes of one plan as arrays over all sequence numbers; `sent` and `acked` are NEVER where unknown."""

    due: Ints
    sent: Ints
    acked: Ints
    failed: Bools
    retried: Bools
    fresh: Bools
    unsent: Bools
    rtt_min: Ints

    @classmethod
    def of(cls, plan: WritePlan, events: Iterable[Event], start_ns: int | None, last_ns: int) -> _Writes:
        n = plan.total
        due = np.array([plan.due_ns(seq) for seq in range(n)], np.int64) + (start_ns or 0)
        sent, acked = np.full(n, NEVER), np.full(n, NEVER)
        failed, retried, fresh = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
        recorded = np.zeros(n, bool)
        for event in events:
            if not isinstance(event, Write) or event.source != plan.source:
                continue
            if not 0 <= event.seq < n:
                raise DamagedRun(
                    f"the journal records write {event.seq} of {plan.source}, but {n} were planned"
                )
            if recorded[event.seq]:
                raise DamagedRun(f"the journal records write {event.seq} of {plan.source} twice")
            recorded[event.seq] = True
            sent[event.seq] = NEVER if event.sent_ns is None else event.sent_ns
            acked[event.seq] = NEVER if event.acked_ns is None else event.acked_ns
            failed[event.seq] = event.result == "failed"
            retried[event.seq] = event.attempts > 1
            fresh[event.seq] = event.new_connection
        reached = (due <= last_ns + NS_PER_S) & (start_ns is not None)
        failed |= ~recorded & ~reached
        unsent = failed & (sent == NEVER)
        known = (sent != NEVER) & (acked != NEVER)
        rtt_min = running_minimum(sent[known], (acked - sent)[known], np.where(sent == NEVER, due, sent))
        return cls(due, sent, acked, failed, retried, fresh, unsent, rtt_min)


def _frame(
    plan: WritePlan,
    watch: Watch,
    writes: _Writes,
    sightings: Sightings,
    present: dict[int, bool | None],
    strong: bool,
) -> pd.DataFrame:
    rows = np.arange(plan.measured.start, plan.measured.stop)
    sent, acked = writes.sent[rows], writes.acked[rows]
    miss, hit = sightings.miss_sent[rows], sightings.hit_received[rows]
    missed, seen, was_acked = miss != NEVER, hit != NEVER, acked != NEVER
    if strong:
        half, since, earliest = sightings.rtt_min[rows] // 2, acked, sent - acked
    else:
        half, since, earliest = (writes.rtt_min[rows] + sightings.rtt_min[rows]) // 2, sent, sent * 0
    hard_upper = hit - sent
    model_upper = hit - since - half
    # Without a miss only this is known from below: no effect precedes its cause.
    hard_lower = np.where(missed, miss - acked, np.where(seen, np.minimum(0, hard_upper), 0))
    model_lower = np.where(
        missed, miss - acked + half, np.where(seen, np.minimum(earliest, model_upper), earliest)
    )
    bounded_above = was_acked & seen
    outcomes = _outcomes(plan, rows, writes, sightings, present)
    lasting = was_acked & (outcomes != Outcome.OVERWRITTEN.value)
    columns: dict[str, Any] = {
        "run_id": plan.run_id,
        "from_region": plan.source,
        "to_region": watch.replica,
        "seq": pd.array(rows, dtype="Int64"),
        "key": [plan.key_text(seq) for seq in rows.tolist()],
        "due_ns": pd.array(writes.due[rows], dtype="Int64"),
        "sent_ns": _nullable(sent),
        "acked_ns": _nullable(acked),
        "last_miss_sent_ns": _nullable(miss),
        "last_miss_received_ns": _nullable(sightings.miss_received[rows]),
        "first_hit_sent_ns": _nullable(sightings.hit_sent[rows]),
        "first_hit_received_ns": _nullable(hit),
        "hard_lower_ns": _nullable(hard_lower, lasting),
        "hard_upper_ns": _nullable(hard_upper, bounded_above),
        "model_lower_ns": _nullable(model_lower, lasting),
        "model_upper_ns": _nullable(model_upper, bounded_above),
        "polls": pd.array(sightings.polls[rows], dtype="Int64"),
        "read": watch.read,
        "flaps": pd.array(sightings.flaps[rows], dtype="Int64"),
    }
    gone, back = sightings.gone_sent[rows], sightings.back_received[rows]
    # Where writes are written over, one that is gone again was.
    flapped, settled = (gone != NEVER) & (not plan.overwrites), back != NEVER
    stable_lower = np.where(flapped, gone - acked + half, model_lower)
    stable_upper = np.where(flapped, back - since - half, model_upper)
    columns["stable_lower_ns"] = _nullable(stable_lower, lasting)
    columns["stable_upper_ns"] = _nullable(stable_upper, bounded_above & (settled | ~flapped))
    columns["outcome"] = outcomes
    taken_back = flapped & (watch.read == "strong") & (not strong)
    flagged = {
        Flag.LEFT_CENSORED: bounded_above & ~missed,
        Flag.NEGATIVE: bounded_above & (model_upper < 0),
        Flag.CONTRADICTION: bounded_above
        & ((hard_lower > hard_upper) | (model_lower > model_upper) | taken_back),
        Flag.NEW_CONNECTION: writes.fresh[rows] | sightings.fresh[rows],
        Flag.RETRIED: writes.retried[rows],
        Flag.FLAPPED: flapped,
        Flag.NOT_ATTEMPTED: writes.unsent[rows],
        Flag.UNSWEPT: was_acked & ~seen & np.array([present.get(seq) is None for seq in rows.tolist()]),
    }
    columns["flags"] = _flag_texts(flagged, len(rows))
    frame = pd.DataFrame(columns, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(sorted(_TEXT), "str"))


def _outcomes(
    plan: WritePlan, rows: Ints, writes: _Writes, sightings: Sightings, present: dict[int, bool | None]
) -> NDArray[Any]:
    swept = {True: Outcome.LATE.value, False: Outcome.LOST.value, None: Outcome.LOST.value}
    unseen = [
        Outcome.OVERWRITTEN.value
        if present.get(seq) is False and plan.written_over(seq)
        else swept[present.get(seq)]
        for seq in rows.tolist()
    ]
    return np.select(
        [writes.failed[rows], writes.acked[rows] == NEVER, sightings.hit_received[rows] != NEVER],
        [Outcome.WRITE_FAILED.value, Outcome.WRITE_INDETERMINATE.value, Outcome.VISIBLE.value],
        np.array(unseen, object),
    )


def _flag_texts(flagged: dict[Flag, Bools], n: int) -> list[str]:
    texts = [""] * n
    for flag, mask in flagged.items():
        for row in np.flatnonzero(mask).tolist():
            texts[row] = f"{texts[row]},{flag.value}" if texts[row] else flag.value
    return texts


def _nullable(values: Ints, known: Bools | None = None) -> Any:
    mask = values == NEVER if known is None else ~known
    return pd.arrays.IntegerArray(np.where(mask, 0, values).astype(np.int64), mask)


def _known_at(event: Event) -> int:
    if isinstance(event, Write):
        return event.acked_ns or event.sent_ns or 0
    if isinstance(event, Poll):
        return event.received_ns
    return getattr(event, "at_ns", 0)
