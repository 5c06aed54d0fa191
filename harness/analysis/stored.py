"""Whether a stored summary has the shape that is relied upon: the parts every reader of finished runs looks at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DamagedRun

_TEXTS = ("run_id", "target", "label", "estimator")
_LISTS = ("pairs", "gates", "everywhere", "asymmetry")
_OBJECTS = ("settings", "cost", "tags")
_PAIR = ("outcomes", "latency_ms", "hard_latency_ms", "time_to_visibility_ms", "schedule_corrected_ms")


def check_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Look at its parts.

    Raises:
        DamagedRun: names the part that is missing or is something else.
    """
    wrong = [name for name in _TEXTS if not isinstance(summary.get(name), str)]
    wrong += [name for name in _LISTS if not _all(summary.get(name), dict)]
    wrong += [name for name in _OBJECTS if not isinstance(summary.get(name), dict)]
    wrong += ["verdict"] if summary.get("verdict") not in ("VALID", "INVALID") else []
    wrong += ["simulated"] if not isinstance(summary.get("simulated"), bool) else []
    if not wrong:
        wrong += ["tags"] if not _all(list(summary["tags"].values()), str) else []
        wrong += ["pairs"] if not all(map(_is_pair, summary["pairs"])) else []
        wrong += ["gates"] if not all(map(_is_gate, summary["gates"])) else []
        wrong += ["settings"] if not isinstance(summary["settings"].get("read"), str) else []
        wrong += ["cost"] if not _is_number(summary["cost"].get("usd", "")) else []
    if wrong:
        raise DamagedRun(f"{path} is damaged in {', '.join(wrong)}; rebuild it with harness.report")


def _is_pair(pair: Mapping[str, Any]) -> bool:
    named = all(isinstance(pair.get(name), str) for name in ("from", "to", "read"))
    parts = all(isinstance(pair.get(name), dict) for name in _PAIR) and isinstance(pair.get("headline"), bool)
    if not (named and parts):
        return False
    counts = {"planned", "visible"} <= pair["outcomes"].keys() and all(
        type(n) is int and n >= 0 for n in pair["outcomes"].values()
    )
    return counts and all(_is_estimate(e) for name in _PAIR[1:] for e in pair[name].values())


def _is_estimate(estimate: Any) -> bool:
    if not isinstance(estimate, dict) or type(estimate.get("n")) is not int:
        return False
    if "value" not in estimate:
        return type(estimate.get("needs")) is int
    return isinstance(estimate.get("method"), str) and all(
        _is_number(estimate.get(name, "")) for name in ("value", "low", "high")
    )


def _is_gate(gate: Mapping[str, Any]) -> bool:
    return all(isinstance(gate.get(name), str) for name in ("name", "status", "value", "threshold", "remedy"))


def _is_number(value: object) -> bool:
    return value is None or type(value) in (int, float)


def _all(values: object, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)
