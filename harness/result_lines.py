"""Results in words: estimates, shares and costs, and the lines that stand under a run's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.units import NS_PER_MS, format_count, format_duration, format_range_ms


def format_estimate(estimate: Mapping[str, Any]) -> str:
    """One percentile with its interval, or what it lacks."""
    if "value" not in estimate:
        return f"n/a (needs {format_count(estimate['needs'])})"
    if estimate["value"] is None:
        return f"not seen by the deadline (n {format_count(estimate['n'])})"
    value = _ms(estimate["value"])
    if estimate["method"] == "too short for an interval":
        return f"{value} ({estimate['method']})"
    high = "∞" if estimate["high"] is None else _ms(estimate["high"])
    return f"{value} [{_ms(estimate['low'])}, {high}]"


def format_share(share: Mapping[str, Any]) -> str:
    """A share with its interval."""
    return f"{share['value']:.1%} [{share['low']:.1%}, {share['high']:.1%}]"


def cost_line(summary: Mapping[str, Any]) -> str:
    cost = summary["cost"]
    prefix = "cost at AWS would be" if summary["simulated"] else "cost"
    return f"{prefix} {format_usd(cost['usd'])} ({cost['basis']}; transfer not included)"


def format_usd(usd: float | None) -> str:
    """US dollars with as many digits as matter."""
    if usd is None:
        return "unknown"
    return f"{usd:.2f} USD" if usd >= 0.1 else f"{usd:.2g} USD"


def control_line(pair: Mapping[str, Any], invalid: bool) -> str:
    """What the instrument says of a Region in which every write is visible at once: its own error."""
    p50, p99 = (format_estimate(pair["latency_ms"][name]) for name in ("p50", "p99"))
    mark = " (INVALID)" if invalid else ""
    return f"control{mark}: {pair['from']} watched by itself: p50 {p50}, p99 {p99} (must be ≈ 0)"


def pair_lines(pair: Mapping[str, Any]) -> list[str]:
    """What stands under the table of a Region pair."""
    outcomes, resolution, rtt = pair["outcomes"], pair["resolution_ms"], pair["rtt_ms"]
    counts = ", ".join(
        f"{format_count(count)} {name.replace('_', ' ')}"
        for name, count in outcomes.items()
        if count or name in ("planned", "visible", "lost")
    )
    lines = [
        f"samples     n = {format_count(outcomes['visible'])}; {counts}",
        f"resolution  model bracket {_ms(resolution['model_width_p50'])}, "
        f"hard bracket {_ms(resolution['hard_width_p50'])} wide (median)",
        f"round trip  min {_ms(rtt['min'])}, p50 {_ms(rtt['p50'])}, p99 {_ms(rtt['p99'])}; "
        f"{pair['requests_per_sample']:.1f} requests and {pair['read_units_per_sample']:.1f} read units per sample",
    ]
    lines += [line for note in _NOTES if (line := note(pair))]
    if pair["flags"]:
        flags = ", ".join(f"{format_count(n)} {name.replace('_', ' ')}" for name, n in pair["flags"].items())
        lines.append(f"flags       {flags}")
    return lines


def _wait_note(pair: Mapping[str, Any]) -> str | None:
    """Shares visible after a wait; those where nothing happens yet, or any more, are left out."""
    telling = [entry for entry in pair.get("t_visibility", ()) if 0.005 < entry["value"] < 0.99999]
    if not telling:
        return None
    return "wait        " + ", ".join(
        f"{_ms(entry['wait_ms'])}: {entry['value']:.1%}"
        + ("" if entry["low"] is None else f" [{entry['low']:.1%}, {entry['high']:.1%}]")
        for entry in telling
    )


def _order_note(pair: Mapping[str, Any]) -> str | None:
    """How many writes were overtaken by a later one, and how sure it is that none is lost."""
    overtaken, losses = pair.get("overtaken"), pair.get("loss_rate")
    if not overtaken or not losses:
        return None
    return (
        f"order       {format_count(overtaken['certainly'])} of {format_count(overtaken['n'])} writes "
        f"became visible after a later one; loss rate {losses['value']:.2%} [0 %, {losses['high']:.2%}]"
        if losses["low"] == 0
        else f"losses      loss rate {losses['value']:.2%} [{losses['low']:.2%}, {losses['high']:.2%}]"
    )


def _flap_note(pair: Mapping[str, Any]) -> str | None:
    """How often eventually consistent reads took back what they had shown."""
    flaps = pair["flaps"]
    if flaps is None or flaps["share"] is None:
        return None
    share = flaps["share"]
    return (
        f"flaps       {format_count(flaps['samples'])} of {format_count(share['n'])} writes were missing again after "
        f"they had been seen: {share['value']:.2%} [{share['low']:.2%}, {share['high']:.2%}]"
    )


def _skipped_note(pair: Mapping[str, Any]) -> str | None:
    """How many versions of items were never shown."""
    skipped = pair["skipped_versions"]
    if skipped is None:
        return None
    return (
        f"versions    {format_share(skipped)} of {format_count(skipped['n'])} were replaced by a later one before any "
        "read showed them"
    )


def _torn_note(pair: Mapping[str, Any]) -> str | None:
    """How long transactions were visible in part."""
    torn = pair["torn_window"]
    if torn is None or torn["certainly_torn"] is None:
        return None
    share, window = torn["certainly_torn"], torn["window_ms"]
    return (
        f"torn        {share['value']:.1%} [{share['low']:.1%}, {share['high']:.1%}] of {format_count(share['n'])} "
        f"transactions of {torn['items']} items were visible in part; for p50 {format_estimate(window['p50'])}, "
        f"p99 {format_estimate(window['p99'])}"
    )


def run_lines(summary: Mapping[str, Any]) -> list[str]:
    """What concerns several pairs at once: visible everywhere, and one direction against the other."""
    mark = "" if summary["verdict"] == "VALID" else " (INVALID)"
    lines = [
        f"strong reads{mark}: round trip in {pair['to']} min {_ms(pair['rtt_ms']['min'])}, "
        f"p50 {_ms(pair['rtt_ms']['p50'])}, p99 {_ms(pair['rtt_ms']['p99'])}"
        for pair in summary["pairs"]
        if pair["since"] == "acknowledgement" and pair["read"] == "strong"
    ]
    lines += [
        f"writes{mark}: acknowledged in {entry['from']} within "
        + ", ".join(f"{name} {format_estimate(entry['latency_ms'][name])}" for name in ("p50", "p99"))
        for entry in summary["writes"]
    ]
    for entry in summary.get("everywhere", ()):
        estimates = ", ".join(f"{name} {format_estimate(e)}" for name, e in entry["latency_ms"].items())
        lines.append(
            f"everywhere{mark}: {entry['from']} → all of {', '.join(entry['replicas'])}: {estimates}"
        )
    if contest := summary.get("contest"):
        lines.append(contest_line(contest, mark))
    for entry in summary.get("asymmetry", ()):
        a, b = entry["between"]
        median = entry["difference_ms"]["p50"]
        if median["value"] is None or median["low"] is None:
            size = median["verdict"]
        else:
            size = (
                f"{_ms(median['value'])} [{_ms(median['low'])}, {_ms(median['high'])}], {median['verdict']}"
            )
        lines.append(f"asymmetry{mark}: p50 of {b} → {a} minus {a} → {b}: {size}")
    return lines


def contest_line(contest: Mapping[str, Any], mark: str) -> str:
    """Whose writes survived, how many were lost, and until when the Regions disagreed."""
    if contest["second_survives"] is None:
        return f"contest{mark}: no item's survivor is known"
    survives, lost = (format_share(contest[name]) for name in ("second_survives", "lost_updates"))
    when = f"{_ms(abs(contest['offset_ms']))} {'later' if contest['offset_ms'] >= 0 else 'earlier'}"
    return (
        f"contest{mark}: of {format_count(contest['lost_updates']['n'])} items written in {contest['first']} and "
        f"{when} in {contest['second']}, the latter's write survived in {survives}; "
        f"lost without the other Region having seen it {lost}; both show the survivor after "
        f"p50 {format_estimate(contest['agreement_ms']['p50'])}"
    )


def _path_note(pair: Mapping[str, Any]) -> str | None:
    """What distance alone costs; None where a Region's place is not known."""
    rtt, over = pair["rtt_ms"], pair.get("latency_over_fibre_floor_ms")
    if rtt.get("over_fibre_floor") is None:
        return None
    text = (
        f"distance    {rtt['distance_km']:,.0f} km, {_ms(rtt['fibre_floor'])} there and back for light in fibre; "
        f"round trip {_ms(rtt['over_fibre_floor'])} above"
    )
    if over and "p50" in over:
        text += f", latency p50 {_ms(over['p50'])} above half"
    return text


def _witness_note(pair: Mapping[str, Any]) -> str | None:
    """What CloudWatch says of the same minutes."""
    witness = pair.get("witness")
    if witness is None:
        return None
    line = f"witness     {witness['finding']}"
    theirs, ours = witness["cloudwatch_ms"], witness["ours_ms"]
    if theirs is None or ours is None:
        return line
    extremes = (
        f"{name} {_ms(theirs[name])} (ours {format_range_ms(**ours['model'][name])})"
        for name in ("minimum", "maximum")
    )
    return f"{line}\n            its {', '.join(extremes)}"


_NOTES = (_wait_note, _order_note, _path_note, _flap_note, _torn_note, _skipped_note, _witness_note)


def _ms(value: float | None) -> str:
    return "–" if value is None else format_duration(value * NS_PER_MS)
