"""Charts as SVG without scripts, drawn by Vega-Lite: what they show is given, how it looks is said here, once.

Colours are variables of the page's style sheet, so that one drawing serves light, dark and paper. Each chart is drawn
twice, for wide and narrow screens: letters of a drawing that is scaled down can't be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from openclaw.errors import Unavailable

INSTALL = "install it: pip install 'openclaw[html]'"
VERSION = "5.20"  # of Vega-Lite
WIDE, NARROW = 540, 330  # pixels
WHOLE = "~s"  # the format of counts: 950, 12k, 4.5M
LABELS = {WIDE: 9, NARROW: 5}  # of a time axis, at most
UNUSED = ("role", "aria-hidden", "pointer-events", "class", "cursor", "font-family", "opacity")
SVG = "http://www.w3.org/2000/svg"
BLUE, AMBER, GREEN, ROSE, VIOLET, SKY, STONE, PALE = range(8)  # the colours of page.css
CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": "var(--dim)", "labelFontSize": 11, "gridColor": "var(--grid)", "domainColor": "var(--grid)",
             "ticks": False, "labelPadding": 6, "title": None},
    "legend": {"disable": True},
    "text": {"color": "var(--ink)", "fontSize": 11},
}  # fmt: skip


class Part(NamedTuple):
    """A piece of a chart: where it stands, its colour, how large it is, and all that in words. The first is lowest."""

    at: str
    colour: int
    value: float
    said: str


def columns(parts: Sequence[Part], bins: Sequence[str], format: str) -> str:
    """Stacked columns, one for each of `bins`."""
    mark = {"type": "bar", "width": {"band": 0.82}}
    return _drawn(parts, lambda width: _over_time(parts, bins, format, width, mark))


def line(parts: Sequence[Part], bins: Sequence[str], format: str, most: float | None = None) -> str:
    """A line through points; `most`: the end of its axis."""
    mark = {"type": "line", "point": {"size": 26}, "strokeWidth": 2}
    return _drawn(parts, lambda width: _over_time(parts, bins, format, width, mark, most))


def bars(parts: Sequence[Part], format: str, beside: bool = False, most: float | None = None) -> str:
    """Horizontal bars in the order in which they come; the parts of one stacked, or one beside the other."""
    names = list(dict.fromkeys(part.at for part in parts))
    kinds = len({part.colour for part in parts})

    def spec(width: int) -> dict[str, Any]:
        encoding: dict[str, Any] = {
            "y": {"field": "at", "type": "ordinal", "scale": {"domain": names, "paddingInner": 0.28},
                  "axis": {"labelLimit": width // 3, "labelColor": "var(--ink)", "labelFontSize": 12, "domain": False}},
            "x": _amounts(parts, format, most),
            **_painted(),
        }  # fmt: skip
        if beside:
            encoding["yOffset"] = {"field": "colour", "type": "ordinal"}
        each = 15 * kinds + 12 if beside else 27
        return {"height": each * len(names) + 24, "mark": {"type": "bar"}, "encoding": encoding}

    return _drawn(parts, spec)


def _over_time(
    parts: Sequence[Part], bins: Sequence[str], format: str, width: int, mark: dict[str, Any], most: float | None = None
) -> dict[str, Any]:
    """The last of the bins has its label, and every nth before it."""
    step = -(-len(bins) // LABELS[width])
    encoding = {
        "x": {"field": "at", "type": "ordinal", "scale": {"domain": list(bins)},
              "axis": {"values": list(bins[::-1][::step][::-1]), "labelAngle": 0, "labelOverlap": "greedy"}},
        "y": _amounts(parts, format, most),
        **_painted(),
    }  # fmt: skip
    if mark["type"] == "line":
        del encoding["order"]  # it would be the order of its points
    return {"height": 190, "mark": mark, "encoding": encoding}


def _amounts(parts: Sequence[Part], format: str, most: float | None = None) -> dict[str, Any]:
    """The axis of values: from nothing, also where there is nothing above it."""
    scale: dict[str, Any] = {"domainMin": 0, "nice": True}
    if most is not None or not any(part.value for part in parts):
        scale["domainMax"] = most or 1
    axis: dict[str, Any] = {"format": format, "tickCount": 4, "domain": False, "labelFlush": True}
    if format == WHOLE:
        axis["tickMinStep"] = 1
    return {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}


def _painted() -> dict[str, Any]:
    """Colours by number; what a reader is told about a piece."""
    paint = {"domain": list(range(8)), "range": [f"var(--c{i})" for i in range(8)]}
    return {
        "color": {"field": "colour", "type": "nominal", "scale": paint},
        "order": {"field": "rank", "type": "quantitative"},
        "description": {"field": "said", "type": "nominal"},
    }


def _drawn(parts: Sequence[Part], spec: Callable[[int], dict[str, Any]]) -> str:
    """Both drawings. Unavailable where the library is missing."""
    try:
        import vl_convert  # brings a browser's engine: half a second, and only the page needs it
    except ModuleNotFoundError as error:
        raise Unavailable("the page's charts need vl-convert, which is missing", INSTALL, code="no_package") from error
    made = []
    for width, name in ((WIDE, "wide"), (NARROW, "narrow")):
        whole = spec(width) | {
            "width": width, "autosize": {"type": "fit", "contains": "padding"}, "config": CONFIG, "padding": 2,
            "data": {"values": [part._asdict() | {"rank": rank} for rank, part in enumerate(parts)]},
        }  # fmt: skip
        made.append(_trimmed(vl_convert.vegalite_to_svg(whole, vl_version=VERSION, allowed_base_urls=[]), name))
    return "".join(made)


def _trimmed(svg: str, name: str) -> str:
    """As part of a page: sized by it, with tooltips, without what only an editor of charts needs."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    root.attrib = {"class": name, "viewBox": root.attrib["viewBox"], "role": "img"}
    for element in root.iter():
        said, role = element.attrib.pop("aria-label", ""), element.attrib.pop("aria-roledescription", "")
        if said and role not in ("axis", "legend", "group mark container", "bar mark container"):
            ElementTree.SubElement(element, f"{{{SVG}}}title").text = said
        if element is not root:
            for key in UNUSED:
                element.attrib.pop(key, None)
        for key in ("d", "transform", "x2", "y2"):
            if key in element.attrib:
                element.attrib[key] = re.sub(r"(\.\d)\d+", r"\1", element.attrib[key])
    return ElementTree.tostring(root, "unicode")
