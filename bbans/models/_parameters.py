"""Parameters of models of symbols, checked in one way, and their priors."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_real, as_reals
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS

__all__ = [
    "MAX_STATES",
    "PSEUDO_COUNTS",
    "Floats",
    "Parameters",
    "PseudoCounts",
    "as_concentration",
    "as_distributions",
    "as_pseudo_counts",
    "check_size",
    "cumulative",
    "log2_prior",
    "logs",
    "normalised",
    "random_emission",
]

MAX_STATES = 4096
PSEUDO_COUNTS = (0.1, 0.1, 0.01)

Floats: TypeAlias = NDArray[np.float64]
Parameters: TypeAlias = tuple[Floats, Floats, Floats]  # initial, transition, emission
PseudoCounts: TypeAlias = float | tuple[float, float, float]


def check_size(K: int, M: int) -> None:
    """Refuse more states or symbols than a model has."""
    if not (1 <= K <= MAX_STATES and 1 <= M <= MAX_SYMBOLS):
        raise ModelError(
            f"a model has 1 to {MAX_STATES} states and 1 to {MAX_SYMBOLS} symbols, "
            f"not {K} and {M}"
        )


def as_distributions(values: ArrayLike, name: str, ndim: int) -> Floats:
    """Return a read-only copy with rows that sum to 1, or say which does not."""
    array = as_reals(values, name).copy()
    if array.ndim != ndim or array.size == 0:
        raise ModelError(f"{name} must have {ndim} axes, not shape {array.shape}")
    rows = array.reshape(-1, array.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        total = rows.sum(axis=1)
    # A comparison with NaN is false, so this refuses it too.
    good = (rows >= 0).all(axis=1) & (np.abs(total - 1) <= 1e-6)
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        where = name if ndim == 1 else f"{name} row {k}"
        raise ModelError(
            f"{where} must be finite, >= 0 and sum to 1; its least value is "
            f"{rows[k].min()}, its sum {total[k]}"
        )
    # Rows that are right stay as they are, to the last bit.
    off = np.abs(total - 1) > 1e-12
    rows[off] /= total[off, np.newaxis]
    array.setflags(write=False)
    return array


def normalised(counts: Floats, previous: Floats) -> Floats:
    """Rows divided by their sums; a row without counts is the previous one."""
    total = counts.sum(axis=-1, keepdims=True)
    alive = total > 1e-290  # below, the quotient would lose digits
    return np.where(alive, counts / np.where(alive, total, 1.0), previous)


def cumulative(p: Floats) -> Floats:
    """The edges of each row, which end in exactly 1."""
    edges = np.cumsum(p, axis=-1)
    quotient: Floats = edges / edges[..., -1:]
    return quotient


def logs(p: Floats) -> Floats:
    """The logarithms of probabilities, -inf of 0."""
    with np.errstate(divide="ignore"):
        return np.log(p)


def random_emission(rng: np.random.Generator, K: int, frequencies: Floats) -> Floats:
    """Emissions at random: the symbols' frequencies, each times an exponential
    variate."""
    noise = rng.standard_exponential((K, frequencies.size))
    emission: Floats = noise * (frequencies + 1.0)
    emission /= emission.sum(axis=1, keepdims=True)
    return emission


def log2_prior(
    parameters: Parameters, pseudo_counts: tuple[float | Floats, ...]
) -> float:
    """Sum of ``pseudo_count * log2(parameter)``, over the initial states and
    transitions that the model has. Symbols may have a pseudo-count each."""
    initial, transition, emission = parameters
    kept = (initial[initial > 0], transition[transition > 0], emission)
    with np.errstate(divide="ignore"):
        return sum(
            float((c * np.log2(p)).sum())
            for p, c in zip(kept, pseudo_counts, strict=True)
            if np.all(c > 0)
        )


def as_concentration(value: Any) -> float:
    """The parameter of a symmetric Dirichlet distribution.

    Raises
    ------
    ModelError
        If it is none.
    """
    concentration = as_real(value, "concentration")
    if not 0 < concentration < math.inf:
        raise ModelError(f"concentration must be above 0, not {value}")
    return concentration


def as_pseudo_counts(value: PseudoCounts) -> tuple[float, ...]:
    """Pseudo-counts of initial states, transitions and emissions."""
    counts = as_reals(value, "pseudo_count")
    if counts.shape not in ((), (3,)):
        raise ModelError(f"pseudo_count must be one number or three, not {value}")
    counts = np.broadcast_to(counts, 3)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ModelError(f"pseudo_count must be finite and >= 0, not {value}")
    return tuple(counts.tolist())
