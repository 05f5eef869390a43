"""How all pictures look: colours, fonts, sizes, and SVG for light and dark pages."""

from __future__ import annotations

import html
import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = [
    "BACK",
    "BLUE",
    "COLOURS",
    "FAINT",
    "GREEN",
    "GRID",
    "INK",
    "ORANGE",
    "PURPLE",
    "figure",
    "look",
    "style_sheet",
    "svg",
]

# The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which readers
# with any kind of colour blindness can tell apart. Pictures use the first of each pair;
# browsers that show a dark page replace it by the second.
INK = "#1f2328"  # lines and text
FAINT = "#5c636b"  # what matters less
GRID = "#d5d9de"
BACK = "#fefefe"  # the page
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#00805e"
PURPLE = "#a8518a"
DARK = {
    INK: "#e4e6e9", FAINT: "#a3aab3", GRID: "#41464d", BACK: "#131416",
    BLUE: "#56b4e9", ORANGE: "#f29559", GREEN: "#3fc79a", PURPLE: "#e59fcb",
}  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)

_LOOK = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "bbans",  # the same file each time
    "text.color": INK,
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.0,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def look() -> AbstractContextManager[None]:
    """The settings of matplotlib under which pictures are drawn."""
    return mpl.rc_context(_LOOK)


def figure(
    height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure of the width of a page, and its axes as of `Figure.subplots`."""
    made = Figure(figsize=(7.4, height), layout="constrained")
    return made, made.subplots(rows, columns, **options)


def svg(drawn: Figure, title: str) -> str:
    """The figure as SVG, for light and dark pages."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    drawn.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue()
    text = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 sans-serif", text)
    head = f"<title>{html.escape(title)}</title><style>{style_sheet()}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda found: found[1] + head, text, count=1)


def style_sheet() -> str:
    """The rules that replace colours where the page is dark."""
    rules = [
        f'[style*="{what}: {light}"],[{what}="{light}"]{{{what}:{dark}!important}}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    ]
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"
