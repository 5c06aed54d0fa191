"""Faults as they are written: KIND[:OPTION…]=WINDOW.

An option is known by its form, so their order does not matter:
    us-west-2                a Region; several may be named
    us-west-2/eu-west-1      a link, from and to
    reads, writes, tables    the operations concerned, or one by its name: PutItem
    30% or 0.3               how many of them
    200ms                    a duration
    after, before            strike once the operation has taken effect, or in place of it (before, the default)
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from harness.emulator.faults.fault import Fault
from harness.emulator.faults.kinds import GROUPS, KINDS, OPERATIONS, Kind
from harness.errors import UsageError
from harness.units import FOREVER_NS, parse_positive_duration_ns, parse_window_ns

_FORM = "KIND[:OPTION…]=WINDOW, for example throttle:us-west-2:reads:30%=2s-4s"
_SHARE = re.compile(r"[0-9]*\.?[0-9]+%?")
_DURATION = re.compile(r"[0-9]+(\.[0-9]+)?[a-zµ]+")
_NAMES = {
    "region": "a Region",
    "link": "a link FROM/TO",
    "operation": "operations such as reads, writes or PutItem",
    "share": "a share such as 30%",
    "time": "a duration such as 200ms",
    "after": "before or after",
}


def parse_faults(texts: Sequence[str], regions: Sequence[str]) -> tuple[Fault, ...]:
    """Read faults; one text may hold several, separated by blanks.

    Raises:
        UsageError: as `parse_fault`.
    """
    return tuple(parse_fault(fault, regions) for text in texts for fault in text.split())


def spelled(kind: str, text: str) -> str:
    """A fault of this kind from its older spelling [WHERE=]WINDOW."""
    return f"{kind}{':' if '=' in text else '='}{text}"


def parse_fault(text: str, regions: Sequence[str]) -> Fault:
    """Read one fault of a world of these Regions.

    Raises:
        UsageError: it is not of that form, takes no such option, or names a Region that is not emulated.
    """
    head, equals, window = text.rpartition("=")
    name, *options = head.split(":")
    if not equals:
        raise UsageError(f"fault {text!r} is not {_FORM}")
    kind = _kind(text, name)
    given = _options(text, kind, options, regions)
    try:
        start_ns, end_ns = parse_window_ns(window)
    except UsageError as error:
        raise UsageError(f"fault {text!r}: {error}") from None
    if name == "table-deleted" and end_ns != FOREVER_NS:
        raise UsageError(f"fault {text!r}: a deleted table does not come back; write its window as 2s-")
    return Fault(text, kind, start_ns, end_ns, **given)


def _kind(text: str, name: str) -> Kind:
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"kinds are {', '.join(KINDS)}"
        raise UsageError(f"fault {text!r}: there is no kind {name!r}; {hint}")
    return KINDS[name]


def _options(text: str, kind: Kind, options: Sequence[str], regions: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {"time_ns": kind.time_ns}
    seen: set[str] = set()
    for option in options:
        form = _form(option, regions)
        if form is None or form not in kind.takes:
            raise UsageError(_refusal(text, kind, option, form, regions))
        if form in seen and form not in ("region", "operation"):
            raise UsageError(f"fault {text!r} names {_NAMES[form]} twice")
        seen.add(form)
        _take(text, given, form, option, regions)
    for form in kind.needs - seen:
        raise UsageError(f"fault {text!r}: {kind.name} needs {_NAMES[form]}")
    return given


def _form(option: str, regions: Sequence[str]) -> str | None:
    """What an option is, by its form."""
    if option in regions:
        return "region"
    if option in GROUPS or option in OPERATIONS:
        return "operation"
    if option in ("before", "after"):
        return "after"
    if "/" in option:
        return "link"
    if _SHARE.fullmatch(option):
        return "share"
    return "time" if _DURATION.fullmatch(option) else None


def _take(text: str, given: dict[str, Any], form: str, option: str, regions: Sequence[str]) -> None:
    if form == "region":
        given["regions"] = (*given.get("regions", ()), option)
    elif form == "operation":
        given["operations"] = (*given.get("operations", ()), option)
    elif form == "after":
        given["after"] = option == "after"
    elif form == "link":
        given["link"] = _link(text, option, regions)
    elif form == "share":
        given["share"] = _share(text, option)
    else:
        given["time_ns"] = parse_positive_duration_ns(option)


def _link(text: str, option: str, regions: Sequence[str]) -> tuple[str, str]:
    ends = option.split("/")
    for end in ends:
        if end not in regions:
            raise UsageError(f"fault {text!r} names Region {end!r}; emulated are {', '.join(regions)}")
    if len(ends) != 2 or ends[0] == ends[1]:
        raise UsageError(f"fault {text!r}: {option!r} is not a link FROM/TO between two Regions")
    return ends[0], ends[1]


def _share(text: str, option: str) -> float:
    share = float(option.removesuffix("%")) / (100 if option.endswith("%") else 1)
    if not 0 < share <= 1:
        raise UsageError(f"fault {text!r}: {option!r} is not a share above 0 and up to 1 (or 100%)")
    return share


def _refusal(text: str, kind: Kind, option: str, form: str | None, regions: Sequence[str]) -> str:
    takes = ", ".join(name for known, name in _NAMES.items() if known in kind.takes)
    if form is not None:
        return f"fault {text!r}: {kind.name} takes no {_NAMES[form].removeprefix('a ')}; it takes {takes}"
    return (
        f"fault {text!r}: {option!r} is nothing that {kind.name} takes; it takes {takes}; "
        f"emulated Regions are {', '.join(regions)}"
    )
