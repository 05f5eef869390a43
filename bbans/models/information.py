"""What sequences hold under frozen models, in floating point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.fixed_gaussian import matrix_of
from bbans.distributions.location_scale import Gaussian, Laplace, Logistic
from bbans.distributions.table import edges_of
from bbans.errors import ModelError
from bbans.frozen.arhmm import UNIT, FrozenARHMM
from bbans.frozen.base import FrozenModel
from bbans.frozen.factorial_hmm import FrozenFactorialHMM
from bbans.frozen.gaussian_hmm import FrozenGaussianHMM
from bbans.frozen.hierarchical_hmm import FrozenHierarchicalHMM
from bbans.frozen.hmm import FrozenHMM
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.message.message import Message
from bbans.models import em
from bbans.models._vectors import log_cells
from bbans.models.factorial_hmm import FactorialHMM
from bbans.models.hierarchical_hmm import HierarchicalHMM
from bbans.models.hmm import HMM, states_of

__all__ = ["information_content"]


def information_content(x: Any, frozen: FrozenModel) -> float:
    """Compute -log2 P(x) in bits under a frozen model's integers.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What the model encodes.
    frozen : FrozenModel
        A hidden Markov model, also of several levels or chains, autoregressive or of
        vectors, or a linear Gaussian model.

    Raises
    ------
    SymbolError
        If the model cannot code x.
    ModelError
        If `frozen` is no such model: float models have a method of this name.

    Notes
    -----
    For a linear Gaussian model P(x) is the product of the predictive distributions that
    mode "predictive" codes with. IconoCLaSM comes near it with Gaussian noise of a
    deviation of 1/2 or more (docs/maths.md, "Linear Gaussian state space models").
    """
    if isinstance(frozen, FrozenLGSSM):
        return _of_lgssm(x, frozen)
    if isinstance(frozen, FrozenGaussianHMM):
        return _of_gaussian_hmm(x, frozen)
    if isinstance(frozen, FrozenARHMM):
        return _of_arhmm(x, frozen)
    if isinstance(frozen, FrozenHMM):
        return HMM.from_frozen(frozen).information_content(x)
    if isinstance(frozen, FrozenFactorialHMM):
        return FactorialHMM.from_frozen(frozen).information_content(x)
    if isinstance(frozen, FrozenHierarchicalHMM):
        return HierarchicalHMM.from_frozen(frozen).information_content(x)
    raise ModelError(f"frozen must be a frozen model, not {type(frozen).__name__}")


def _of_arhmm(x: Any, frozen: FrozenARHMM) -> float:
    """With the masses of contexts as they are rounded."""
    indices = frozen.alphabet.encode(x)
    if indices.size == 0:
        return 0.0
    M = frozen.n_symbols
    longest = frozen.contexts.find([indices], M)
    terms, number = np.unique(longest * M + indices, return_inverse=True)
    likelihood = np.empty((frozen.n_states, terms.size))
    cdf = edges_of(frozen.emission)
    for at, (context, symbol) in enumerate(zip(terms // M, terms % M, strict=True)):
        x = int(symbol)
        low, high = frozen.edges(int(context), cdf[:, x : x + 2], x).T
        likelihood[:, at] = (high - low) / UNIT
    states = states_of(frozen)
    return em.expect(
        em.batches([number.astype(np.int32)], terms.size),
        (states.initial, states.transition, likelihood),
        counting=False,
    ).bits


def _of_gaussian_hmm(x: Any, frozen: FrozenGaussianHMM) -> float:
    """With the masses of Gaussians at its locations, without their leaks."""
    values = frozen._observations(x).reshape(-1, frozen.n_channels).astype(np.float64)
    if not len(values):
        return 0.0
    sigma = 2.0 ** (frozen.scale / 256)
    rows = np.empty((len(values), frozen.n_states))
    for k, mean in enumerate(frozen.location / 2.0**16):
        white = values - mean
        if frozen.lower is not None:
            lower = np.eye(frozen.n_channels) + matrix_of(frozen.lower[k])
            white = np.linalg.solve(lower, white.T).T
        rows[:, k] = log_cells(white, sigma[k])
    top = rows.max(axis=1)
    states = (frozen.initial, frozen.transition)
    found = em.expect(
        [em.Batch.of([(0, np.arange(len(rows), dtype=np.int32))])],
        (*(mass / 2.0**frozen.prec for mass in states), np.exp(rows.T - top)),
        counting=False,
    )
    return found.bits - float(top.sum()) / math.log(2)


_LAWS = {"gaussian": Gaussian, "logistic": Logistic, "laplace": Laplace}
_VALUE_MAX, _LOCATION_MAX = 2.0**31, 2.0**30  # where the filter in integers cuts
_HEAD = 1 << 47


def _of_lgssm(x: Any, frozen: FrozenLGSSM) -> float:
    """What pushing the sequence under its predictive distributions adds.

    The filter runs in floats here: its means are those in integers, but for their
    rounding to 2^-16.
    """
    exact = frozen._observations(x).reshape(-1, frozen.n_observed)
    values = np.clip(exact.astype(np.float64), -_VALUE_MAX, _VALUE_MAX)
    used = np.minimum(np.arange(len(values)), frozen.n_steps - 1)
    lower = np.zeros((frozen.n_steps, *2 * values.shape[1:]))
    scale = np.ones((frozen.n_steps, values.shape[1]))
    expected = np.empty(values.shape)
    filtered = np.zeros(frozen.n_latents)
    for t, row in enumerate(used.tolist()):
        if t == row:
            step = frozen.step(t)
            A, C, K = matrix_of(step.move), matrix_of(step.emit), matrix_of(step.gain)
            b, d = step.move_offset / 2.0**16, step.emit_offset / 2.0**16
            lower[t] = matrix_of(step.predict_lower)
            scale[t] = 2.0 ** (step.predict_scale / 256)
        predicted = _cut(A @ filtered + b)
        expected[t] = _cut(C @ predicted + d)
        filtered = _cut(predicted + K @ (values[t] - expected[t]))
    location = expected
    for i in range(values.shape[1]):  # each given those before it
        moved = values[:, :i] - location[:, :i]
        location[:, i] += np.einsum("tj,tj->t", lower[used, i, :i], moved)
        location[:, i] = _cut(location[:, i])
    if exact.size == 0:
        return 0.0
    # A lane for each value, with a head of middling length: pushes then waste next to
    # nothing, and cannot fail.
    message = Message.from_state(np.full(exact.size, _HEAD, np.uint64), [])
    start = message.bits
    _LAWS[frozen.noise](location, scale[used]).push(message, exact)
    return message.bits - start


def _cut(location: NDArray[np.float64]) -> NDArray[np.float64]:
    cut: NDArray[np.float64] = np.minimum(
        np.maximum(location, -_LOCATION_MAX), _LOCATION_MAX
    )
    return cut
