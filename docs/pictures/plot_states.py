"""`bbans.plot.trellis` and `posterior`: the states of a small model of text."""

from __future__ import annotations

from bbans import HMM, plot
from bbans.frozen import FrozenHMM

from . import plot_rate, style

LENGTH = 24


def data() -> tuple[bytes, FrozenHMM]:
    """A text, and a model of its letters."""
    text = plot_rate.data()
    return text[:3000], HMM.fit(text, 6, n_iter=30, seed=0, progress=False).freeze()


def draw(run: tuple[bytes, FrozenHMM]) -> str:
    """The path that bits back has drawn, above the posterior given all of the text."""
    text, model = run
    figure, (above, below) = style.figure(4.4, 2)
    plot.trellis(text, model, length=LENGTH, ax=above)
    plot.posterior(text[:LENGTH], model, given="all", ax=below)
    figure.axes[-1].remove()  # the scale, which is an image
    return style.svg(figure, "Trellis with the sampled path, and posteriors of states")
