"""`bbans.plot.rate`: the same text by what learns as it goes, and under a model."""

from __future__ import annotations

from pathlib import Path

import bbans
from bbans import plot

from . import style

LENGTH = 12_000


def data() -> bytes:
    """Prose: the pages on the method."""
    pages = sorted((Path(__file__).parents[1] / "concepts").glob("*.md"))
    return b"".join(page.read_bytes() for page in pages)[:LENGTH]


def draw(text: bytes) -> str:
    """Two curves, each with its mean so far."""
    figure, axes = style.figure(2.6)
    plot.rate(text, bbans.default_model(), label="English HMM", window=150, ax=axes)
    plot.rate(text, label="without a model", window=150, ax=axes)
    return style.svg(figure, "Bits per symbol over the position")
