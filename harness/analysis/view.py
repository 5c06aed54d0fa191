"""Parts of a table of samples, as the estimators want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def headline_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per write × replica: of a run that read in both modes, those of the mode that its samples begin with."""
    replicated = samples[samples["from_region"] != samples["to_region"]]
    if replicated["read"].nunique() < 2:
        return samples
    first = replicated.drop_duplicates("run_id").set_index("run_id")["read"]
    other = replicated.index[replicated["read"] != replicated["run_id"].map(first)]
    return samples.drop(other)


def pair_samples(samples: pd.DataFrame, source: str, replica: str, read: str | None = None) -> pd.DataFrame:
    """The samples of one Region pair and read mode, by default the headline's."""
    chosen = headline_samples(samples) if read is None else samples[samples["read"] == read]
    return chosen[(chosen["from_region"] == source) & (chosen["to_region"] == replica)]


def censored_brackets(samples: pd.DataFrame, lower: str, upper: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The brackets of acknowledged writes, in write order, in ns; an open upper bound is inf.

    The ends of an inverted bracket (one that contradicts its model) are exchanged: it then covers both its claims.
    """
    known = samples.dropna(subset=[lower])
    low = known[lower].to_numpy(np.float64)
    high = known[upper].astype("Float64").to_numpy(np.float64, na_value=np.inf)
    return np.minimum(low, high), np.maximum(low, high)
