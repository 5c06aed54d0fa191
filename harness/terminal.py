"""Results as text for people: the percentile table, the verdict and what stands behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.result_lines import control_line, cost_line, format_estimate, pair_lines, run_lines

PLAIN_WIDTH = 150
_ROWS = (
    ("{latency}", "latency_ms"),
    ("  hard bracket", "hard_latency_ms"),
    ("time to visibility", "time_to_visibility_ms"),
    ("schedule-corrected", "schedule_corrected_ms"),
    ("stable latency", "stable_latency_ms"),
)
_LATENCY = {"commit": "replication latency", "acknowledgement": "since acknowledged"}
_SINCE = {
    "commit": "replication latency: commit to visible, from the model bracket (assumes symmetric round trips); "
    "hard bracket: the same, assuming nothing. ",
    "acknowledgement": "since acknowledged: until visible, from the model bracket (assumes symmetric round trips), "
    "negative where visible before; hard bracket: commit to visible, assuming nothing. ",
}
_EXPLANATION = (
    "time to visibility: acknowledged to first answer that shows it, as a client here sees it; "
    "schedule-corrected: the same from when the write was due. [ ] is a 95 % interval."
)
_STABLE = (
    "stable latency: as the first, but until no eventually consistent read missed the write any more; the other rows "
    "are of the first read that showed it."
)


_WATCHED = {
    "new": "new items",
    "update": "updates of items",
    "delete": "deletes of items",
    "contested": "items written in both Regions",
}


class _SafeConsole(Console):
    """A console on which texts are only texts: no markup, no emoji, and no control characters of theirs."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; those of its texts that would move the cursor are made visible."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in segment.text)
                yield Segment(text, segment.style)


def make_console(file: IO[str] | None = None) -> Console:
    """stdout, or `file`, wide enough for a table where it is not a terminal."""
    console = _SafeConsole(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """The whole result of a run: a table per Region pair, then the verdict and the cost."""
    invalid = summary["verdict"] != "VALID"
    if found := summary["strong_reads"]:
        console.print(found["finding"], style="bold red" if found["stale_reads"] else "bold", markup=False)
        console.print()
    for pair in summary["pairs"]:
        if _has_table(pair):
            console.print(_pair_table(summary, pair, invalid))
            console.print(Text("\n".join(pair_lines(pair))))
            console.print()
    controls = [
        control_line(pair, invalid)
        for pair in summary["pairs"]
        if pair["control"] and pair["since"] == "commit"
    ]
    if controls:
        console.print("\n".join(controls), markup=False)
        console.print()
    for line in run_lines(summary):
        console.print(line, markup=False)
    console.print(Text(_SINCE[summary["pairs"][0]["since"]] + _EXPLANATION, style="dim"))
    if any(pair["stable_latency_ms"] for pair in summary["pairs"]):
        console.print(Text(_STABLE, style="dim"))
    for meaning in dict.fromkeys(
        pair["witness"]["meaning"] for pair in summary["pairs"] if "witness" in pair
    ):
        console.print(f"witness: {meaning}", style="dim", markup=False)
    polled = summary["settings"]
    line = (
        f"{_WATCHED[polled['keys']]}, polled with {polled['poll_with']} on the {polled['schedule']} schedule"
    )
    console.print(line, style="dim", markup=False)
    if polled["lag"]:
        console.print(f"simulated lag: {polled['lag']}", style="dim", markup=False)
    console.print(f"estimator: {summary['estimator']}", style="dim", markup=False)
    console.print(cost_line(summary), markup=False)
    _print_verdict(console, summary)


def _has_table(pair: Mapping[str, Any]) -> bool:
    """Strongly consistent reads of a strongly consistent table have nothing to wait for: their finding is enough."""
    return bool(pair["headline"] or (pair["since"] == "commit" and not pair["control"]))


def _pair_table(summary: Mapping[str, Any], pair: Mapping[str, Any], invalid: bool) -> Table:
    title = (
        f"{pair['from']} → {pair['to']}   {pair['read']} reads   {summary['label']}   {summary['verdict']}"
    )
    table = Table(title=title, title_style="bold red" if invalid else "bold", title_justify="left")
    labels = [label.format(latency=_LATENCY[pair["since"]]) for label, key in _ROWS if pair[key] is not None]
    table.add_column("", no_wrap=True, min_width=max(map(len, labels)))
    names = list(pair["latency_ms"])
    for name in names:
        table.add_column(name if not invalid else f"{name} (INVALID)", justify="right", no_wrap=True)
    for label, key in _ROWS:
        if pair[key] is None:
            continue
        cells = [format_estimate(pair[key][name]) for name in names]
        table.add_row(
            label.format(latency=_LATENCY[pair["since"]]),
            *(cell.replace(" [", "\n[").replace(" (", "\n(") for cell in cells),
        )
    return table


def _print_verdict(console: Console, summary: Mapping[str, Any]) -> None:
    gates = summary["gates"]
    failed = [gate for gate in gates if gate["status"] == "fail"]
    open_gates = [gate["name"] for gate in gates if gate["status"] == "n/a"]
    passed = sum(gate["status"] == "pass" for gate in gates)
    verdict = f"{summary['verdict']}: {passed} of {len(gates)} gates passed"
    if open_gates:
        verdict += f", not evaluated: {', '.join(open_gates)}"
    console.print(verdict, style="bold red" if failed else "bold green", markup=False)
    for gate in failed:
        line = f"  {gate['name']}: {gate['value']} (must be {gate['threshold']}). {gate['remedy']}"
        console.print(line, style="red", markup=False)
