"""Time per item over the size of the work, and what the algorithms say.

growth.json has the rows of ``python benchmarks/growth.py --json growth.json``: times
are measured once, not when the site is built.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from . import style

Series = dict[tuple[str, str], tuple[list[int], list[float]]]

# Of each panel: the axis, its label, the exponent of the algorithm, and what is drawn.
PANELS = [
    ("states", "hidden states K", 2, ["HMM, encode", "HMM, decode", "EM, fit"]),
    ("latents", "latents of an LGSSM", 2, ["LGSSM, encode", "LGSSM, decode"]),
    ("components", "components of a mixture", 1, ["mixture, push", "mixture, pop"]),
    ("steps", "length of the sequence", 0, ["HMM, encode", "HMM, decode", "EM, fit"]),
    ("lanes", "lanes of the message", 0, ["one table, push", "one table, pop"]),
    ("sequences", "sequences side by side", 0, ["own model, push"]),
]


def data() -> Series:
    """Sizes and nanoseconds per item, by work and axis."""
    rows = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    found: Series = {}
    for row in rows:
        measured = re.fullmatch(r"(.+), (\w+) (\d+)", row["what"])
        if measured is not None:
            work, axis, size = measured.groups()
            sizes, values = found.setdefault((work, axis), ([], []))
            sizes.append(int(size))
            values.append(row["value"])
    return found


def draw(found: Series) -> str:
    """Six panels, each with the slope of the algorithm behind it."""
    figure, rows = style.figure(4.6, 2, 3)
    for ax, (axis, label, exponent, works) in zip(rows.flat, PANELS, strict=True):
        _panel(ax, found, axis, exponent, works)
        ax.set_xlabel(label)
    for row in rows:
        row[0].set_ylabel("ns per symbol or step")
    return style.svg(figure, "How time per item grows with the size of the work")


def _panel(ax: Any, found: Series, axis: str, exponent: int, works: list[str]) -> None:
    for work, colour in zip(works, style.COLOURS, strict=False):
        sizes, values = found[work, axis]
        ax.loglog(sizes, values, "o-", color=colour, label=work, markersize=3)
    sizes, values = found[works[0], axis]
    guide = [values[-1] * (size / sizes[-1]) ** exponent for size in sizes]
    ax.loglog(sizes, guide, "--", color=style.FAINT, linewidth=0.9, zorder=1)
    low, high = ax.get_ylim()
    ax.set_ylim(low / 1.5, high * 6)  # room for the legend
    ax.grid(visible=True)
    ax.legend(fontsize=7.5, loc="upper left")
    ax.minorticks_off()
