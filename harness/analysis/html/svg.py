"""matplotlib's figures as parts of a page."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from harness.analysis.plots import style

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LONG = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LEFT_OUT = (f"{_SVG}metadata", f"{_SVG}style")  # the style is a rule for every element, of the page too
_INHERITED = "stroke-linejoin:round;stroke-linecap:butt"  # what that style said


def inline_svg(figure: Figure, prefix: str, title: str) -> Markup:
    """The figure as an `<svg>` element named `title`, its ids prefixed so that several can share a page."""
    root = ElementTree.fromstring(_drawn(figure))  # matplotlib's own
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _LEFT_OUT]:
            parent.remove(child)
    used = _references(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = {
            name.replace(_HREF, "href"): _attribute(name, value, prefix)
            for name, value in element.attrib.items()
            if name != "id" or value in used  # others may repeat
        }
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    heading = ElementTree.Element("title", id=f"{prefix}-title")
    heading.text = title
    root.insert(0, heading)
    root.attrib |= {"role": "img", "aria-labelledby": f"{prefix}-title", "style": _INHERITED}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # escaped by the serializer


def _drawn(figure: Figure) -> str:
    drawn = io.StringIO()
    with mpl.rc_context(style.STYLE):
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


def _references(root: ElementTree.Element) -> set[str]:
    """The ids that something in the figure refers to."""
    values = [(name, value) for element in root.iter() for name, value in element.attrib.items()]
    found = {value.removeprefix("#") for name, value in values if name == _HREF}
    return found.union(*(_REFERENCE.findall(value) for _, value in values))


def _attribute(name: str, value: str, prefix: str) -> str:
    """The value with references renamed like the ids, and coordinates to a hundredth of a point."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == _HREF:
        return f"#{prefix}-{value.removeprefix('#')}"
    if name in ("d", "x", "y"):
        return _LONG.sub(lambda number: f"{float(number[0]):.2f}", value)
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
