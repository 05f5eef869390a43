"""`bbans.plot.bits`: by what a message grows, and the information content."""

from __future__ import annotations

import bbans
from bbans import plot

from . import style


def data() -> bytes:
    """A line of text."""
    return b"All happy families are alike; each unhappy one is unhappy in its own way."


def draw(text: bytes) -> str:
    """The steps and the gap between the two."""
    figure, axes = style.figure(2.8)
    plot.bits(text, bbans.default_model(), ax=axes)
    axes.tick_params(axis="x", labelsize=7)
    return style.svg(figure, "Growth of a message against the information content")
