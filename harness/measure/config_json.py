"""A run's configuration as its manifest keeps it, read back: by whoever rebuilds, resumes or compares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.errors import DamagedRun, UsageError
from harness.measure.plan import (
    ARRIVALS,
    CONSISTENCIES,
    ITEM_BYTES,
    KEYS,
    READ_MODES,
    SAMPLES,
    SHARDS,
    STRATEGIES,
    TOGETHER,
    VERSIONS,
    Polling,
    RunConfig,
    Workload,
)
from harness.measure.schedules import SCHEDULES

_REGION = re.compile(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*")  # it becomes part of files' names
_INSTANTS_NS = range(-(2**62), 2**62)
_ALLOWED: Mapping[str, range | tuple[str, ...]] = {
    "samples": SAMPLES,
    "warmup_ns": _INSTANTS_NS[2**62 :],
    "item_bytes": ITEM_BYTES,
    "seed": range(-(2**63), 2**63),
    "shards": SHARDS,
    "together": TOGETHER,
    "versions": VERSIONS,
    "offset_ns": _INSTANTS_NS,
    "interval_ns": _INSTANTS_NS[2**62 + 1 :],
    "timeout_ns": _INSTANTS_NS[2**62 + 1 :],
    "arrivals": ARRIVALS,
    "keys": KEYS,
    "strategy": STRATEGIES,
    "schedule": SCHEDULES,
    "read": READ_MODES,
}


def config_from_json(value: Mapping[str, Any]) -> RunConfig:
    """The configuration that `RunConfig.to_json` wrote.

    Raises:
        DamagedRun: a key is missing or unknown.
    """
    try:
        workload, polling = Workload(**value["workload"]), Polling(**value["polling"])
        _check_values(workload)
        _check_values(polling)
        sources, replicas = _names(value["sources"]), tuple(_names(group) for group in value["replicas"])
        quorum_witness = value.get("quorum_witness")
        return RunConfig(
            sources,
            replicas,
            workload,
            polling,
            value.get("control", False) is True,
            _consistency(value.get("consistency", "eventual")),
            None if quorum_witness is None else _names([quorum_witness])[0],
        )
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        raise DamagedRun(f"the configuration cannot be read: {error}") from None


def _check_values(settings: Workload | Polling) -> None:
    for name, value in asdict(settings).items():
        if name == "rate_per_s":
            good = type(value) in (int, float) and 0 < value <= 1e6
        else:
            good = name not in _ALLOWED or (type(value) in (int, str) and value in _ALLOWED[name])
        if not good:
            raise ValueError(f"{name} is {str(value)[:100]!r}")


def _consistency(value: str) -> str:
    if value not in CONSISTENCIES:
        raise ValueError(f"consistency is {str(value)[:100]!r}")
    return value


def _names(values: Sequence[str]) -> tuple[str, ...]:
    good = isinstance(values, list | tuple) and len(values) > 0
    if not good or not all(isinstance(v, str) and _REGION.fullmatch(v) for v in values):
        raise ValueError(f"{str(values)[:100]!r} is no list of Regions")
    return tuple(values)
