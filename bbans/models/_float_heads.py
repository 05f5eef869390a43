"""Heads in floats: what a network in floats says of observations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.frozen.head import Head
from bbans.networks.units import Units, log_rate, log_weight, logit, mixture

__all__ = ["observation_bits", "units_of"]

_Floats = NDArray[np.float64]
_LEAST = 2.0**-28  # of a mass: the slot that every bin has

_erfc = np.vectorize(math.erfc, otypes=[float])
_lgamma = np.vectorize(math.lgamma, otypes=[float])


def units_of(head: Head, step: float) -> Units:
    """Of the outputs of a likelihood, when integers of an observation count steps."""
    if head.law == "mixture":
        return mixture(head.components, step)
    return {"bernoulli": logit, "categorical": log_weight, "beta_binomial": log_rate}[
        head.law
    ]()


def observation_bits(
    head: Head, outputs: _Floats, x: NDArray[Any], step: float
) -> _Floats:
    """-log2 P(x) of observations, shape (...).

    Parameters
    ----------
    head : Head
    outputs : ndarray of float, shape (..., outputs)
        Natural logarithms, and locations, of what `units_of` says.
    x : ndarray of int, shape (..., width)
    step : float
        Of which the integers are multiples.
    """
    rows = outputs.reshape(*outputs.shape[:-1], head.width, -1)
    if head.law == "bernoulli":
        odds = np.where(x == 1, rows[..., 0], -rows[..., 0])
        nats = np.logaddexp(0.0, -odds)
    elif head.law == "categorical":
        nats = -np.take_along_axis(_normalised(rows), x[..., None], -1)[..., 0]
    elif head.law == "beta_binomial":
        nats = -_beta_binomial(head.high, x, *np.moveaxis(np.exp(rows), -1, 0))
    else:
        kinds = rows.reshape(*rows.shape[:-1], 3, head.components)
        weight, location, log_scale = np.moveaxis(kinds, -2, 0)
        mass = _mixture(head, location, log_scale, x[..., None], step)
        total = (np.exp(_normalised(weight)) * mass).sum(axis=-1)
        nats = -np.log(np.maximum(total, _LEAST))
    bits: _Floats = nats.sum(axis=-1) / math.log(2)
    return bits


def _normalised(logs: _Floats) -> _Floats:
    moved = logs - logs.max(axis=-1, keepdims=True)
    normal: _Floats = moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))
    return normal


def _beta_binomial(n: int, x: _Floats, alpha: _Floats, beta: _Floats) -> _Floats:
    def log_beta(a: _Floats, b: _Floats) -> _Floats:
        logs: _Floats = _lgamma(a) + _lgamma(b) - _lgamma(a + b)
        return logs

    choices = -log_beta(x + 1, n - x + 1) - math.log(n + 1)
    return choices + log_beta(x + alpha, n - x + beta) - log_beta(alpha, beta)


def _mixture(
    head: Head, location: _Floats, log_scale: _Floats, x: NDArray[Any], step: float
) -> _Floats:
    """The mass of a value under each component; the ends of the range take what lies
    beyond."""
    scale = np.exp(log_scale)
    below = np.where(x == head.low, -np.inf, ((x - 0.5) * step - location) / scale)
    above = np.where(x == head.high, np.inf, ((x + 0.5) * step - location) / scale)
    # By symmetry on the side where masses below are small, and exact.
    turn = below + above > 0
    below, above = np.where(turn, -above, below), np.where(turn, -below, above)
    return _below(head.family, above) - _below(head.family, below)


def _below(family: str, t: _Floats) -> _Floats:
    """P(T < t) of a family, exact where t < 0."""
    if family == "gaussian":
        found: _Floats = _erfc(-t / math.sqrt(2.0)) / 2
        return found
    tail = np.exp(-np.abs(t))
    tail = tail / 2 if family == "laplace" else tail / (1 + tail)
    return np.where(t < 0, tail, 1 - tail)
