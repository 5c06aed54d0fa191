"""The table at the campaign's end: whoever performs a run reports it here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ALL = "all"
_HEAD = ("fault", "runs", "VALID", "INVALID", "other", "writes accounted", "violations")


@dataclass(slots=True)
class _Row:
    runs: int = 0
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    planned: int = 0
    accounted: int = 0
    violations: int = 0


_ROWS: dict[str, _Row] = defaultdict(_Row)
_NOTES: list[str] = []


def report_case(
    fault: str | Iterable[str], verdict: str, planned: int, accounted: int, violations: int = 0
) -> None:
    """One run under a fault (or several): its verdict (VALID, INVALID, or why there is none), how many writes ×
    replicas were planned and how many of them ended as exactly one outcome, and how many promises it broke."""
    faults = [fault] if isinstance(fault, str) else sorted(set(fault))
    for name in (*faults, ALL):
        row = _ROWS[name]
        row.runs += 1
        row.verdicts[verdict if verdict in ("VALID", "INVALID") else "other"] += 1
        row.planned += planned
        row.accounted += accounted
        row.violations += violations


def note(line: str) -> None:
    """A line below the table."""
    if line not in _NOTES:
        _NOTES.append(line)


def table() -> Iterator[str]:
    """The lines of the table, faults in alphabetical order; none where nothing was reported."""
    if not _ROWS:
        return
    names = [*sorted(_ROWS.keys() - {ALL}), ALL]
    cells = [_HEAD, *(_cells(name, _ROWS[name]) for name in names)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEAD))]
    for row in cells:
        first, *others = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join((row[0].ljust(len(first)), *others))
    yield f"{len(names) - 1} faults; a run under several is in each of their rows, and once in the last"
    yield from _NOTES


def _cells(name: str, row: _Row) -> tuple[str, ...]:
    verdicts = (row.verdicts[verdict] for verdict in ("VALID", "INVALID", "other"))
    accounted = f"{row.accounted:,} of {row.planned:,}"
    return (name, f"{row.runs:,}", *(f"{count:,}" for count in verdicts), accounted, f"{row.violations:,}")
