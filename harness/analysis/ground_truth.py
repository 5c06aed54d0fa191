"""Samples held against the emulator's own record of what became visible when."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from harness.analysis.view import headline_samples
from harness.errors import DamagedRun

_INSTANTS = ("commit_ns", "visible_ns", "eventual_ns")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How samples compare with the truth; errors are of the model bracket's middle, in milliseconds.

    Coverage is the share of brackets that hold the truth; `bias_ms` the median signed error.
    """

    n: int
    hard_coverage: float
    model_coverage: float
    bias_ms: float
    error_p50_ms: float
    error_p99_ms: float
    error_max_ms: float
    width_p50_ms: float

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def read_truth(path: Path) -> pd.DataFrame:
    """The truth journal: columns from, to, table, key, commit_ns, visible_ns (null where it never
    arrived), eventual_ns.

    One row per commit and replica, in order of commit. A commit whose arrival was decided again, as when a paused link
    goes on, counts by its last line; a line that a killed emulator did not finish is left out. The last column is when
    eventually consistent reads of a strongly consistent table see the write, null for other tables.

    Raises:
        DamagedRun: missing, or a line is not JSON.
    """
    try:
        rows = [
            orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"
        ]
    except OSError as error:
        raise DamagedRun(
            f"cannot read {path}: {error.strerror}; only runs on the emulator have one"
        ) from None
    except orjson.JSONDecodeError as error:
        raise DamagedRun(f"{path} is damaged: {error}") from None
    for number, row in enumerate(rows, 1):
        if not _is_truth(row):
            raise DamagedRun(f"{path} is damaged in line {number}: {str(row)[:200]}")
    truth = pd.DataFrame(rows, columns=["from", "to", "table", "key", *_INSTANTS])
    truth = truth.astype(dict.fromkeys(_INSTANTS, "Int64"))
    commit = ["from", "to", "table", "key", "commit_ns"]
    truth = truth.drop_duplicates(commit, keep="last")
    return truth.sort_values("commit_ns", kind="stable", ignore_index=True)


def _is_truth(row: Any) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("from", "to", "key")):
        return False
    commit_ns, *others = (row.get(name) for name in _INSTANTS)
    instants = [commit_ns, *(instant for instant in others if instant is not None)]
    return all(type(instant) is int and abs(instant) < 2**63 for instant in instants)


def committed_by(joined: pd.DataFrame) -> pd.Series[bool]:
    """Which lines of the truth, beside samples of the same item, are of the sample's own write: an item may be written
    several times, and the commit lies between sent and acknowledged. A sample without any line stays."""
    own = (joined["commit_ns"] >= joined["sent_ns"]) & (joined["commit_ns"] <= joined["acked_ns"])
    return own.fillna(False).astype(bool) | joined["commit_ns"].isna()


def with_truth(samples: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The visible samples with `true_ns` (commit to visible), `error_ns`, `hard_holds` and `model_holds`.

    Model brackets of a strongly consistent table count from the acknowledgement, and so does the error of theirs.

    A control's samples, of a source Region watched by itself, are left out: nothing is replicated there. Of a run that
    read in both modes, the strongly consistent reads are taken: the truth is theirs.
    """
    samples = headline_samples(samples)
    columns = {"from": "from_region", "to": "to_region"}
    visible = (samples["outcome"] == "visible") & (samples["from_region"] != samples["to_region"])
    joined = samples[visible].merge(
        truth.rename(columns=columns),
        on=["from_region", "to_region", "key"],
        how="left",
    )
    joined = joined[committed_by(joined)].reset_index(drop=True)
    strong = joined["eventual_ns"].notna()
    visible_ns = joined["visible_ns"].mask(strong & (joined["read"] == "eventual"), joined["eventual_ns"])
    joined["true_ns"] = visible_ns - joined["commit_ns"]
    truths = {
        "hard": joined["true_ns"],
        "model": visible_ns - joined["commit_ns"].mask(strong, joined["acked_ns"]),
    }
    joined["error_ns"] = (joined["model_lower_ns"] + joined["model_upper_ns"]) / 2 - truths["model"]
    for kind, true_ns in truths.items():
        inside = (joined[f"{kind}_lower_ns"] <= true_ns) & (true_ns <= joined[f"{kind}_upper_ns"])
        joined[f"{kind}_holds"] = inside.fillna(False)
    return joined


def measure_accuracy(samples: pd.DataFrame, truth: pd.DataFrame) -> Accuracy:
    """Coverage, bias and error of the visible samples.

    Raises:
        ValueError: nothing became visible.
    """
    joined = with_truth(samples, truth)
    if joined.empty:
        raise ValueError("no sample became visible")
    error = joined["error_ns"].to_numpy(np.float64) / 1e6
    width = (joined["model_upper_ns"] - joined["model_lower_ns"]).to_numpy(np.float64) / 1e6
    return Accuracy(
        len(joined),
        float(joined["hard_holds"].mean()),
        float(joined["model_holds"].mean()),
        float(np.median(error)),
        float(np.percentile(np.abs(error), 50)),
        float(np.percentile(np.abs(error), 99)),
        float(np.abs(error).max()),
        float(np.median(width)),
    )
