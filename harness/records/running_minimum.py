"""The shortest round trip of late: what a request takes when nothing holds it up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.units import NS_PER_S

BUCKET_NS = 10 * NS_PER_S
_REACH = 3  # buckets to either side whose minimum counts as the minimum now

Ints = NDArray[np.int64]


def running_minimum(at: Ints, rtt: Ints, wanted: Ints) -> Ints:
    """The shortest round trip within about ±30 s of each instant in `wanted`; 0 where none is known at all."""
    if at.size == 0:
        return np.zeros(len(wanted), np.int64)
    origin = at.min()
    bucket = (at - origin) // BUCKET_NS
    minima = np.full(int(bucket.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(minima, bucket, rtt)
    padded = np.pad(minima, _REACH, constant_values=np.iinfo(np.int64).max)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1).min(axis=1)
    near = np.where(near == np.iinfo(np.int64).max, rtt.min(), near)
    index = np.clip((np.maximum(wanted, origin) - origin) // BUCKET_NS, 0, len(near) - 1)
    nearest: Ints = near[index]
    return nearest
