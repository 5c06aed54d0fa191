"""The tables of experiments on conflicts and on order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from harness.result_lines import format_estimate, format_share
from harness.units import NS_PER_MS, format_count, format_duration


def lab_tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """Contested items, and the order of writes, a row per condition; none where that was not looked for."""
    if summary["contests"]:
        headings: tuple[str, ...] = (
            "condition",
            "commits apart",
            "n",
            "first survives",
            "second survives",
            "lost updates",
            "agree, p50",
        )
        rows = [
            (
                row["condition"], _apart(row), format_count(row["n"]),
                *(_share(row[name]) for name in ("first_survives", "second_survives", "lost_updates")),
                format_estimate(row["agreement_ms"]["p50"]),
            )
            for row in summary["contests"]
        ]  # fmt: skip
        yield _lab_table(f"contested items   {summary['label']}", headings, rows, summary["contests"])
    if summary["order"]:
        headings = ("condition", "from → to", "overtaken", "torn", "torn for, p50", "versions never shown")
        cells = [_order_cells(row) for row in summary["order"]]
        yield _lab_table(f"order of writes   {summary['label']}", headings, cells, summary["order"])


def _lab_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], entries: Sequence[Mapping[str, Any]]
) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in (*headings, "verdict"):
        table.add_column(
            heading, justify="left" if heading in ("condition", "from → to", "verdict") else "right"
        )
    for cells, entry in zip(rows, entries, strict=True):
        two_lines = (cell.replace(" [", "\n[") for cell in cells)
        table.add_row(*two_lines, entry["verdict"], style=None if entry["verdict"] == "VALID" else "red")
    return table


def _order_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    torn = row["torn_window"]
    return (
        row["condition"].replace(", ", ",\n"),
        f"{row['from']} →\n{row['to']}",
        _share(row["overtaken"]),
        _share(torn and torn["certainly_torn"]),
        "–" if torn is None else format_estimate(torn["window_ms"]["p50"]),
        _share(row["skipped_versions"]),
    )


def _share(share: Mapping[str, Any] | None) -> str:
    return "–" if share is None else format_share(share)


def _apart(row: Mapping[str, Any]) -> str:
    return "–" if row["offset_ms"] is None else format_duration(row["offset_ms"] * NS_PER_MS)
