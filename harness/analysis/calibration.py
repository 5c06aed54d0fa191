"""The instrument against the truth, as `python -m harness.calibrate --json` wrote it: `harness.load_calibration`."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from matplotlib.figure import Figure

from harness.errors import DamagedRun

_CONDITION = ["rtt_ms", "lag", "strategy", "rate_per_s"]
_COLUMNS = (
    *_CONDITION,
    "verdict",
    "n",
    "hard_coverage",
    "model_coverage",
    "bias_ms",
    "error_p50_ms",
    "error_p99_ms",
    "error_max_ms",
    "width_p50_ms",
    "requests_per_sample",
    "read_units_per_sample",
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The cells of a calibration: each a condition, and how samples taken under it compare with the truth."""

    path: Path
    cells: Sequence[dict[str, Any]]

    def table(self) -> pd.DataFrame:
        """A row per condition: verdict, n, coverage of the brackets (shares), bias and error (ms), cost per sample.

        Errors are of the model bracket's middle.
        """
        return pd.DataFrame(list(self.cells), columns=list(_COLUMNS)).set_index(_CONDITION)

    def figure(self) -> Figure:
        """The error by condition: median and largest, beside half the median width of the brackets."""
        from harness.analysis.plots import error_by_condition

        figure: Figure = error_by_condition(self.cells)
        return figure


def _is_cell(cell: dict[str, Any]) -> bool:
    texts = ("lag", "strategy", "verdict")
    return all(
        isinstance(cell[name], str) if name in texts else type(cell[name]) in (int, float)
        for name in _COLUMNS
    )


def load_calibration(path: str | Path) -> Calibration:
    """What `python -m harness.calibrate --json` printed, from a file, or the last by name of those a glob matches.

    Raises:
        HarnessError: there is no such file, or it is not a calibration.
    """
    path = Path((sorted(glob.glob(str(path))) or [str(path)])[-1])  # noqa: PTH207 # absolute ones too
    try:
        cells = orjson.loads(path.read_bytes())["cells"]
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise TypeError
        missing = sorted({name for cell in cells for name in _COLUMNS if name not in cell})
    except OSError as error:
        raise DamagedRun(
            f"cannot read {path}: {error.strerror}; python -m harness.calibrate --json > FILE writes one"
        ) from None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise DamagedRun(f"{path} is not what python -m harness.calibrate --json prints") from None
    if not missing and not all(_is_cell(cell) for cell in cells):
        raise DamagedRun(f"{path} is damaged: it holds other things than numbers; measure it anew")
    if missing or not cells:
        raise DamagedRun(f"{path} has no cells, or they lack {', '.join(missing) or 'everything'}")
    return Calibration(path, cells)
