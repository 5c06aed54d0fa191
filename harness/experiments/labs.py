"""What experiments on conflicts and on order are about: contested items, overtaken writes, torn transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.analysis.application import describe_contest, describe_skipped, describe_torn
from harness.analysis.load import Run
from harness.analysis.view import pair_samples
from harness.analysis.visibility import order_inversions, share_of


def contest_rows(used: Sequence[Run], conditions: Sequence[str]) -> list[dict[str, Any]]:
    """For each condition in which two Regions wrote the same items: who survived, and when they agreed."""
    rows = []
    for condition in conditions:
        runs = [run for run in of_condition(used, condition) if run.summary.get("contest")]
        if runs:
            samples = pd.concat([run.samples for run in runs], ignore_index=True)
            found = describe_contest(samples, runs[0].manifest["config"]["sources"])
            rows.append({"condition": condition, "verdict": _verdict(runs), **found})
    return rows


def order_rows(used: Sequence[Run], conditions: Sequence[str]) -> list[dict[str, Any]]:
    """For each condition and Region pair of an experiment on order, one that spreads its writes over partition keys,
    puts them into transactions, or writes an item several times: the share of writes overtaken by a later one, the torn
    windows, the versions that were never shown."""
    if not any(_about_order(run.summary["settings"]) for run in used):
        return []
    rows = []
    for condition in conditions:
        runs = of_condition(used, condition)
        for source, replica in dict.fromkeys(pair for run in runs for pair in run.pairs):
            parts = [pair_samples(run.samples, source, replica) for run in runs]
            inversions = [order_inversions(part) for part in parts]
            n = sum(found.n for found in inversions)
            overtaken = sum(found.certainly for found in inversions)
            samples, settings = pd.concat(parts, ignore_index=True), runs[0].summary["settings"]
            rows.append(
                {
                    "condition": condition,
                    "from": source,
                    "to": replica,
                    "verdict": _verdict(runs),
                    "overtaken": share_of(overtaken, n).to_json() if n else None,
                    "torn_window": describe_torn(samples, int(settings["together"])),
                    "skipped_versions": describe_skipped(samples, int(settings["versions"])),
                }
            )
    return rows


def of_condition(runs: Sequence[Run], condition: str) -> list[Run]:
    """The runs of one condition."""
    return [run for run in runs if run.summary["tags"]["condition"] == condition]


def _about_order(settings: Mapping[str, Any]) -> bool:
    return any(settings[name] > 1 for name in ("shards", "together", "versions"))


def _verdict(runs: Sequence[Run]) -> str:
    return "VALID" if all(run.summary["verdict"] == "VALID" for run in runs) else "INVALID"
