"""`bbans.plot.blocks`: a container of bytes, block by block."""

from __future__ import annotations

import numpy as np

import bbans
from bbans import plot

from . import plot_rate, style

BLOCK = 2000


def data() -> bytes:
    """Text with noise in the middle, in short blocks."""
    text = plot_rate.data()
    noise = np.random.default_rng(0).bytes(2 * BLOCK)
    return bbans.compress(text[:8000] + noise + text[8000:], block_size=BLOCK)


def draw(blob: bytes) -> str:
    """A bar for each block."""
    figure, axes = style.figure(2.6)
    plot.blocks(blob, ax=axes)
    return style.svg(figure, "Bits per element of each block")
