"""Freezing hidden Markov models: the one step from float masses to integers.

docs/maths.md, "From float masses to tables".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_reals
from bbans.distributions.table import PREC_DEFAULT, quantise
from bbans.errors import ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.contexts import Contexts
from bbans.frozen.hmm import FrozenHMM
from bbans.models._start_length import start_length

__all__ = ["SHORT_BITS", "frozen_arhmm", "frozen_hmm", "step_bits"]

_Floats = NDArray[np.float64]

# Bits more than a schedule starts from, for shortest fractions that happen to be short
# (docs/maths.md, "A sequence as one message").
SHORT_BITS = 6
_START_BITS = 40 + SHORT_BITS
_OCCUPANCY_STEPS = 256


def frozen_hmm(
    initial: ArrayLike,
    transition: ArrayLike,
    emission: ArrayLike,
    *,
    prec: int = PREC_DEFAULT,
    alphabet: Alphabet | None = None,
) -> FrozenHMM:
    """Freeze float masses; each row is quantised by `quantise`.

    Parameters
    ----------
    initial, transition, emission : array_like of float
        Shapes (K,), (K, K) and (K, M); rows of any sum.
    prec : int
        Precision r in bits, 1 to 28.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for.

    Raises
    ------
    ModelError
        If shapes do not agree, or a row has no distribution.
    """
    masses = _quantised(initial, transition, emission, prec)
    probabilities = (mass / 2.0**prec for mass in masses)
    return FrozenHMM(
        *masses,
        prec=prec,
        start_length=start_length(*step_bits(*probabilities), _START_BITS),
        alphabet=alphabet,
    )


def frozen_arhmm(
    initial: ArrayLike,
    transition: ArrayLike,
    emission: ArrayLike,
    contexts: Contexts,
    *,
    bits: ArrayLike,
    prec: int = PREC_DEFAULT,
    alphabet: Alphabet | None = None,
) -> FrozenARHMM:
    """The same, with contexts.

    Parameters
    ----------
    bits : array_like of float
        ``-log2 P(x_t | x_1 .. x_t-1)`` of symbols drawn from the model: how many of
        them start a message.
    """
    costs = as_reals(bits, "bits")
    return FrozenARHMM(
        *_quantised(initial, transition, emission, prec),
        contexts,
        prec=prec,
        start_length=start_length(float(costs.mean()), float(costs.var()), _START_BITS),
        alphabet=alphabet,
    )


def _quantised(
    initial: ArrayLike, transition: ArrayLike, emission: ArrayLike, prec: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    start, steps, emissions = (
        quantise(rows, prec) for rows in (initial, transition, emission)
    )
    if start.ndim != 1 or emissions.ndim != 2 or steps.shape != 2 * start.shape:
        raise ModelError(
            "shapes must be (K,), (K, K) and (K, M), not "
            f"{start.shape}, {steps.shape} and {emissions.shape}"
        )
    if emissions.shape[0] != start.size:
        raise ModelError(f"emission must have {start.size} rows")
    return start, steps, emissions


def step_bits(
    initial: _Floats, transition: _Floats, emission: _Floats
) -> tuple[float, float]:
    """Mean and variance of -log2 P(x_t | z_t-1)."""
    state, occupancy = initial, np.zeros_like(initial)
    for _ in range(_OCCUPANCY_STEPS):
        occupancy += state / _OCCUPANCY_STEPS
        state = state @ transition
    step = transition @ emission  # P(x_t | z_t-1)
    bits = -np.log2(step)
    mean = float(occupancy @ (step * bits).sum(axis=1))
    return mean, float(occupancy @ (step * bits**2).sum(axis=1)) - mean**2
