"""`report.html`: a run on one page."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from harness.analysis.draw import figures_of
from harness.analysis.html.render import render, write_page
from harness.analysis.html.svg import inline_svg
from harness.analysis.html.tables import (
    Cell,
    described,
    estimate_cell,
    measures_of,
    overview_rows,
    percentile_rows,
)
from harness.analysis.plots.words import estimate_text, headline, missing_texts, share_text
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory

_FIGURE_NAMES = {
    "ecdf": "Share of writes visible after a time",
    "latency-over-run": "Latency over the run",
}
_OVERVIEW = ("p50", "p90", "p95", "p99")
_WITHOUT_RUN = ("emulator", "endpoints", "regions")  # of the target: shown apart, or addresses of one moment


def write_report(run: RunDirectory, summary: Mapping[str, Any], samples: pd.DataFrame) -> Path:
    """Write `report.html` into the run directory; returns where it is.

    Raises:
        DamagedRun: the manifest cannot be read.
    """
    page = run_page(read_json(run.manifest), summary, samples, run.path.name, run.files())
    return write_page(run.report, page)


def run_page(
    manifest: Mapping[str, Any],
    summary: Mapping[str, Any],
    samples: pd.DataFrame,
    name: str,
    files: Sequence[str] = (),
) -> str:
    """The page of a run called `name`, with links to the `files` beside it."""
    pairs = [pair for pair in summary["pairs"] if not pair["control"]]
    gates = summary["gates"]
    return render(
        "run.html.j2",
        {
            "name": name,
            "manifest": manifest,
            "summary": summary,
            "invalid": summary["verdict"] != "VALID",
            "failed": [gate for gate in gates if gate["status"] == "fail"],
            "passed": sum(gate["status"] == "pass" for gate in gates),
            "unknown": [gate["name"] for gate in gates if gate["status"] == "n/a"],
            "pairs": [_pair(number, pair, summary, samples) for number, pair in enumerate(pairs, 1)],
            "overview_names": _OVERVIEW,
            "overview": overview_rows(pairs, _OVERVIEW),
            "contest": _contest(summary.get("contest")),
            "everywhere": [_everywhere(entry) for entry in summary.get("everywhere", ())],
            "asymmetry": [_asymmetry(entry) for entry in summary.get("asymmetry", ())],
            "controls": [
                (
                    pair,
                    estimate_cell(pair["latency_ms"].get("p50")),
                    estimate_cell(pair["latency_ms"].get("p99")),
                )
                for pair in summary["pairs"]
                if pair.get("control") and pair.get("since") != "acknowledgement"
            ],
            "writes": [
                (entry["from"], *(estimate_cell(entry["latency_ms"].get(name)) for name in ("p50", "p99")))
                for entry in summary.get("writes", ())
            ],
            "configuration": _configuration(manifest),
            "started": _instant(manifest),
            "command": _command(manifest),
            "files": files,
        },
    )


def sentence(pair: Mapping[str, Any]) -> str:
    """What a person came for: the highest percentile up to p99 that the samples carry, with its interval."""
    found = headline(pair["latency_ms"])
    if found is None:
        return f"Too few writes became visible in {pair['to']} for any percentile"
    name, estimate = found
    since = " of the acknowledgement" if pair.get("since") == "acknowledgement" else ""
    return (
        f"{share_text(name)} of writes were visible in {pair['to']} within {estimate_text(estimate)}{since}"
    )


def _pair(
    number: int, pair: Mapping[str, Any], summary: Mapping[str, Any], samples: pd.DataFrame
) -> dict[str, Any]:
    reads = "" if not pair.get("read") else f", {pair['read']} reads"
    return {
        "id": f"pair-{number}",
        "title": f"{pair['from']} → {pair['to']}{reads}",
        "sentence": sentence(pair),
        "summary": pair,
        "n": pair["outcomes"]["planned"],
        "remarks": missing_texts(pair["latency_ms"], list(pair["latency_ms"])),
        "measures": measures_of(pair),
        "rows": percentile_rows(pair),
        "figures": _figures(f"f{number}", pair, summary, samples) if pair["headline"] else [],
        "torn": _torn(pair.get("torn_window")),
        "witness": _witness(pair.get("witness")),
    }


def _witness(witness: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """CloudWatch's statistics beside the same ones of ours; without rows where one of both is lacking."""
    if witness is None:
        return None
    theirs, ours = witness["cloudwatch_ms"], witness["ours_ms"]
    names = (("mean", "average"), ("minimum", "minimum"), ("maximum", "maximum")) if theirs and ours else ()
    return {
        "summary": witness,
        "rows": [(own, theirs[name], ours["model"][own], ours["hard"][own]) for own, name in names],
    }


def _torn(torn: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How long transactions were visible in part."""
    if torn is None or torn["certainly_torn"] is None:
        return None
    windows = [(name, estimate_cell(torn["window_ms"][name])) for name in ("p50", "p99")]
    return {"items": torn["items"], "share": torn["certainly_torn"], "windows": windows}


def _contest(contest: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Two Regions that wrote the same items."""
    if contest is None:
        return None
    return {
        "summary": contest,
        "offset": None if contest["offset_ms"] is None else abs(contest["offset_ms"]),
        "shares": [
            (label, contest[key])
            for label, key in (
                (f"{contest['first']} survives", "first_survives"),
                (f"{contest['second']} survives", "second_survives"),
                ("Lost updates", "lost_updates"),
            )
        ],
        "agreement": [(name, estimate_cell(found)) for name, found in contest["agreement_ms"].items()],
    }


def _figures(
    prefix: str, pair: Mapping[str, Any], summary: Mapping[str, Any], samples: pd.DataFrame
) -> list[tuple[str, Markup]]:
    """(heading, inline SVG) of every figure of a pair."""
    found = []
    for name, draw in figures_of(pair).items():
        heading = _FIGURE_NAMES.get(name, name.replace("-", " ").capitalize())
        title = f"{heading}: {pair['from']} → {pair['to']}, {summary['label']}, {summary['verdict']}. "
        figure = draw(samples, summary, (pair["from"], pair["to"]))
        found.append((heading, inline_svg(figure, f"{prefix}-{name}", f"{title}{sentence(pair)}.")))
    return found


def _everywhere(entry: Mapping[str, Any]) -> dict[str, Any]:
    estimates = [(name, estimate_cell(found)) for name, found in entry["latency_ms"].items()]
    return {"from": entry["from"], "replicas": entry["replicas"], "estimates": estimates}


def _asymmetry(entry: Mapping[str, Any]) -> dict[str, Any]:
    cells = [
        (name, Cell("n/a") if found["value"] is None else estimate_cell(found), found["verdict"])
        for name, found in entry["difference_ms"].items()
    ]
    return {"between": entry["between"], "cells": cells}


def _configuration(manifest: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of settings: (heading, (name, value) …)."""
    config, target = manifest["config"], manifest["target"]
    paths = [
        f"{source} → {', '.join(group)}"
        for source, group in zip(config["sources"], config["replicas"], strict=True)
    ]
    emulator = target.get("emulator") or {}
    shown = {key: value for key, value in target.items() if key not in _WITHOUT_RUN}
    shown |= {"lag": emulator.get("lag"), "round trips in ms": emulator.get("rtt_ms")}
    shown["endpoints"] = target.get("endpoints") if target["kind"] == "endpoint" else None
    return [
        ("Regions", [("pairs", "; ".join(paths)), ("control", "yes" if config.get("control") else "no")]),
        ("Writes", described(config["workload"])),
        ("Polls", described(config["polling"])),
        ("Target", described(shown)),
        *(
            [("Tags", [(str(k), str(v)) for k, v in manifest["tags"].items()])]
            if manifest.get("tags")
            else []
        ),
    ]


def _command(manifest: Mapping[str, Any]) -> str | None:
    """The command line that measures this again, its seed included."""
    argv = [str(word) for word in manifest.get("argv", ())]
    if not argv:
        return None
    seeded = any(word.split("=")[0] == "--seed" for word in argv)
    seed = manifest["config"]["workload"].get("seed")
    return shlex.join(argv if seeded or seed is None else [*argv, "--seed", str(seed)])


def _instant(manifest: Mapping[str, Any]) -> str:
    started = datetime.datetime.fromtimestamp(manifest["started"]["wall_ns"] / 1e9, datetime.UTC)
    return f"{started:%Y-%m-%d %H:%M:%S} UTC"
