"""From a template and values to the text of a page."""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.analysis.plots.words import setting_text
from harness.records.whole import written_whole
from harness.units import NS_PER_MS, format_count, format_duration, format_range_ms


def render(template: str, values: Mapping[str, Any]) -> str:
    """The page; every value is escaped unless it is `Markup`."""
    script = _own("sort.js")
    shared = {"css": _own("page.css"), "script": script, "script_hash": _sha256(script)}
    return _environment().get_template(template).render(**shared, **values)


def write_page(path: Path, page: str) -> Path:
    """Write a page whole or not at all; returns where it is."""
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.analysis.html"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ms": _ms,
        "range_ms": lambda bracket: format_range_ms(**bracket),
        "setting_ms": setting_text,
        "count": format_count,
        "share": format_share,
        "words": lambda name: str(name).replace("_", " "),
    }
    return environment


def _own(name: str) -> Markup:
    """A file of ours that stands in the page as it is."""
    text = (resources.files("harness.analysis.html") / "templates" / name).read_text(encoding="utf-8")
    return Markup(text)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _ms(value: float | None) -> str:
    return "–" if value is None else format_duration(value * NS_PER_MS)


def format_share(value: float | None) -> str:
    """A share between 0 and 1 as a percentage, with the digits that tell it from 0 and from 100."""
    if value is None:
        return "–"
    percent = 100 * value
    if percent in (0, 100):
        return f"{percent:.0f} %"
    apart = min(percent, 100 - percent)
    digits = 1 if apart >= 1 else max(2, math.ceil(-math.log10(apart)))
    return f"{percent:.{digits}f} %"
