"""Parts of a table of samples, as the estimators want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def pair_samples(samples: pd.DataFrame, source: str, replica: str) -> pd.DataFrame:
    """The samples of one Region pair."""
    return samples[(samples["from_region"] == source) & (samples["to_region"] == replica)]


def censored_brackets(samples: pd.DataFrame, lower: str, upper: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The brackets of acknowledged writes, in write order, in ns; an open upper bound is inf."""
    known = samples.dropna(subset=[lower])
    low = known[lower].to_numpy(np.float64)
    return low, known[upper].astype("Float64").to_numpy(np.float64, na_value=np.inf)
