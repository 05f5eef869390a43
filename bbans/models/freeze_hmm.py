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

_DIGITS = 5  # of masses in AR-HMMs


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
    """The same, with contexts, and masses of few digits.

    Parameters
    ----------
    bits : array_like of float
        ``-log2 P(x_t | z_t-1, x_1 .. x_t-1)`` of symbols drawn from the model: how many
        of them start a message.
    """
    costs = as_reals(bits, "bits")
    start, steps, emissions = _quantised(initial, transition, emission, prec)
    return FrozenARHMM(
        _rounded(start),
        _rounded(steps),
        _rounded(emissions),
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


def _rounded(masses: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Masses of `_DIGITS` binary digits, but for the largest of each row.

    Such rows take half the bytes in a packed model file. What a state does not know to
    3 % costs it 3e-4 bits for each symbol that contexts leave to it.
    """
    rows = masses.reshape(-1, masses.shape[-1]).astype(np.int64)
    order = np.argsort(rows, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    excess = np.maximum(np.frexp(rows)[1] - _DIGITS, 0)
    rounded = np.where(excess == 0, rows, 0)
    # From small masses to large ones, sums of masses are rounded down: what they lose
    # is always less than a unit of the last, and goes to the next.
    carry = np.zeros((rows.shape[0], 1), np.int64)
    for digits in range(1, int(excess.max()) + 1):
        sums = np.cumsum(np.where(excess == digits, rows, 0), axis=1) + carry
        rounded += np.diff(sums >> digits << digits, axis=1, prepend=0)
        carry = sums[:, -1:] & ((1 << digits) - 1)
    rounded[:, -1:] += carry
    found = np.empty(masses.shape, np.uint32)
    np.put_along_axis(found.reshape(rows.shape), order, rounded.astype(np.uint32), 1)
    return found


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
