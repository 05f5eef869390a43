"""What becomes of a message whose receiver adds in another order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Patch

from bbans import HMM, BbansError, Message
from bbans.codecs import Iconoclasm
from bbans.distributions import Categorical, Table, Weighted

from . import style

N_STATES, N_SYMBOLS, LENGTH = 64, 64, 300
BITS = 20  # of the weights that posteriors are rounded to


class Steps:
    """A hidden Markov model whose filter computes in one type of number.

    Its sums over states are taken in the order of `states`: what a compiler, a library
    or a processor chooses.
    """

    def __init__(self, model: HMM, dtype: type, states: np.ndarray) -> None:
        masses = [model.initial, model.transition, model.emission]
        self._prior, self._next, self._emission = map(Table.from_masses, masses)
        scale = 1 if dtype is np.float32 else 1 << 15
        self._initial, self._transition, self._likelihood = (
            (each * scale).astype(dtype) for each in masses
        )
        self._states = states

    def prior(self, z: int | None) -> Categorical:
        """P(z_t | z_t-1)."""
        return Categorical(self._prior) if z is None else Categorical(self._next, z)

    def likelihood(self, z: int) -> Categorical:
        """P(x_t | z_t)."""
        return Categorical(self._emission, z)

    def update(self, belief: np.ndarray | None, x: int) -> np.ndarray:
        """The forward message after x_t."""
        predicted = self._initial
        if belief is not None:
            products = belief[:, None] * self._transition
            predicted = np.cumsum(products[self._states], axis=0)[-1]
        return self._scaled(predicted * self._likelihood[:, x])

    def posterior(self, belief: np.ndarray, z_next: int | None) -> Weighted:
        """Q(z_t | x_1 .. x_t, z_t+1), rounded to integers."""
        if z_next is not None:
            belief = self._scaled(belief * self._transition[:, z_next])
        if belief.dtype == np.float32:
            belief = np.rint(belief * np.float32(1 << BITS))
        return Weighted(belief.astype(np.int64))

    def _scaled(self, weights: np.ndarray) -> np.ndarray:
        """Weights of a sum of 1, or of integers below 2^BITS."""
        total = np.cumsum(weights[self._states])[-1]
        if weights.dtype == np.float32:
            return weights / total
        return weights >> max(0, int(total).bit_length() - BITS)


class Data(NamedTuple):
    """For each receiver, which symbols are decoded right."""

    right: dict[str, np.ndarray]


def data() -> Data:
    """Code a sequence, and decode it in the same and in reverse order of sums."""
    model = HMM.random(N_STATES, N_SYMBOLS, seed=0)
    x = model.sample(LENGTH, seed=1)[0].tolist()
    order, right = np.arange(N_STATES), {}
    for dtype, name in ((np.float32, "floats"), (np.int64, "integers")):
        message = Message.seeded(np.random.default_rng(0).bytes(20), lanes=1)
        Iconoclasm(Steps(model, dtype, order), LENGTH).push(message, x)
        for states, which in ((order, "same order"), (order[::-1], "reverse order")):
            codec = Iconoclasm(Steps(model, dtype, states), LENGTH)
            right[f"{name}, {which}"] = matches(codec, message.copy(), x)
    return Data(right)


def matches(codec: Any, message: Message, x: list[int]) -> np.ndarray:
    """Which symbols of what a codec pops are right; none, if it refuses."""
    try:
        return np.equal(codec.pop(message), x)
    except BbansError:
        return np.zeros(len(x), bool)


def draw(decoded: Data) -> str:
    """A row for each receiver, coloured by what is right."""
    figure, axes = style.figure(2.2)
    names = [*decoded.right]
    for row, right in enumerate(decoded.right.values()):
        changes = np.flatnonzero(np.diff(right)) + 1
        edges = [0, *changes.tolist(), LENGTH]
        for start, stop in pairwise(edges):
            colour = style.BLUE if right[start] else style.ORANGE
            axes.barh(row, stop - start, 0.72, start, color=colour, linewidth=0)
    axes.set(
        yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5),
        xlim=(-2, LENGTH + 2), xlabel="symbols, in order of decoding",
    )  # fmt: skip
    axes.set_yticklabels(names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    handles = [
        Patch(color=style.BLUE, label="decoded right"),
        Patch(color=style.ORANGE, label="wrong"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return style.svg(figure, "Symbols that a receiver decodes right")
