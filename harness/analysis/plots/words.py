"""What figures say: estimates, titles, captions and the marks of a run, as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.units import NS_PER_MS, format_count, format_duration

HEADLINE = ("p99", "p95", "p90", "p50")
NO_INTERVAL = " (no interval)"
_RARE_OUTCOMES = ("late", "lost", "write_failed", "write_indeterminate")


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands on every figure whatever it shows: where the data come from and whether they may be used."""

    subject: str
    source: str
    verdict: str
    reasons: Sequence[str] = ()

    @property
    def invalid(self) -> bool:
        """Anything that is not VALID is invalid."""
        return self.verdict != "VALID"


def run_marks(summary: Mapping[str, Any], subject: str) -> Marks:
    """The marks of one run; its reasons are the gates that failed."""
    reasons = [
        f"{gate['name'].replace('_', ' ')}: {gate['value']} (must be {gate['threshold']})"
        for gate in summary.get("gates", ())
        if gate["status"] == "fail"
    ]
    source = str(summary.get("label") or ("simulated" if summary.get("simulated") else summary["target"]))
    return Marks(subject, source, str(summary["verdict"]), reasons)


def pair_entry(summary: Mapping[str, Any], pair: tuple[str, str]) -> Mapping[str, Any]:
    """The pair's part of a summary.

    Raises:
        ValueError: the run did not measure this pair.
    """
    for entry in summary["pairs"]:
        if (entry["from"], entry["to"]) == tuple(pair):
            found: Mapping[str, Any] = entry
            return found
    raise ValueError(f"the run has no pair {pair[0]} → {pair[1]}")


def caption(summary: Mapping[str, Any], entry: Mapping[str, Any], method: str) -> str:
    """n, what became of the writes, the settings, and how the figure was made; quantities do not break."""
    outcomes = entry["outcomes"]
    planned = outcomes["planned"]
    counts = [f"n = {format_count(planned)} write{'' if planned == 1 else 's'}"]
    counts += [
        f"{format_count(outcomes[name])} {name.replace('_', ' ')}"
        for name in _RARE_OUTCOMES
        if outcomes.get(name)
    ]
    if entry.get("since") == "acknowledgement":
        method = _from_acknowledgement(method)
    told = [*counts, *settings(summary)]
    return " · ".join(unbroken(item) for item in told) + f"\n{method} Run\u00a0{summary['run_id']}."


def _from_acknowledgement(text: str) -> str:
    """What a figure says it shows, of a strongly consistent table."""
    return text.replace("from commit to", "from acknowledgement to").replace(
        "Commit to visible", "Acknowledgement to visible"
    )


def unbroken(text: str) -> str:
    """The text on one line, wherever it stands."""
    return text.replace(" ", "\u00a0")


def settings(summary: Mapping[str, Any]) -> list[str]:
    """The settings of a run that its numbers depend on; those unknown are left out."""
    given = summary.get("settings", {})
    words = []
    if (rate := given.get("rate_per_s")) is not None:
        words.append(f"{rate:g} writes/s")
    if (spacing := given.get("poll_interval_ms")) is not None:
        words.append(f"polls every {setting_text(spacing)}")
    if (read := given.get("read")) is not None:
        words.append(f"{read} reads")
    if (timeout := given.get("timeout_ms")) is not None:
        words.append(f"deadline {setting_text(timeout)}")
    if given.get("lag"):
        words.append(f"simulated lag “{given['lag']}”")
    return words


def setting_text(duration_ms: float) -> str:
    """A duration that was chosen, not measured: "20 ms", not "20.0 ms"."""
    return re.sub(r"\.0+(?= )", "", format_duration(duration_ms * NS_PER_MS))


def estimate_text(estimate: Mapping[str, Any]) -> str:
    """ "1.71 s [1.62, 1.84]": the unit once where all three share it; else each with its own."""
    value, low, high = (_duration(estimate.get(name)) for name in ("value", "low", "high"))
    if value is None:
        return f"over {low}" if low else "not known"
    if low is None and high is None:
        return value + NO_INTERVAL
    low, high = low or "−∞", high or "∞"
    unit = value.rsplit(" ", 1)[-1]
    if all(end.endswith(f" {unit}") or end in ("∞", "−∞") for end in (low, high)):
        low, high = low.removesuffix(f" {unit}"), high.removesuffix(f" {unit}")
    return f"{value} [{low}, {high}]"


def share_text(name: str) -> str:
    """ "p99.9" → "99.9 %"."""
    return f"{name[1:]}\u00a0%"


def headline(estimates: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The highest of p99, p95, p90, p50 that has a value: what a figure's title is about."""
    for name in HEADLINE:
        found = estimates.get(name)
        if found and found.get("value") is not None:
            return name, found
    return None


def latency_title(estimates: Mapping[str, Any], since: str = "commit") -> str:
    """The finding as a sentence."""
    found = headline(estimates)
    if found is None:
        return "Too few writes became visible for any percentile"
    name, estimate = found
    after = "" if since == "commit" else f" of the {since}"
    return f"{share_text(name)} of writes visible within {estimate_text(estimate)}{after}"


def missing_texts(estimates: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """One remark per percentile that lacks a value or an interval."""
    texts, bare = [], []
    for name in names:
        estimate = estimates.get(name)
        if estimate is None:
            continue
        if "needs" in estimate:
            has = format_count(estimate["n"])
            texts.append(f"{name} needs {format_count(estimate['needs'])} samples, has {has}")
        elif estimate.get("value") is None:
            texts.append(f"{name} {estimate_text(estimate)}: not seen by the deadline")
        elif estimate.get("low") is None and estimate.get("high") is None:
            bare.append(name)
    if bare:
        texts.append(f"no interval for {', '.join(bare)}: run too short, its samples depend on each other")
    return texts


def _duration(value_ms: float | None) -> str | None:
    return None if value_ms is None else format_duration(value_ms * NS_PER_MS)
