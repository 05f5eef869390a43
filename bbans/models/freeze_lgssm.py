"""Freezing linear Gaussian state space models: from floats to fixed point, once.

docs/maths.md, "Linear Gaussian state space models".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer
from bbans._lib import lib
from bbans.distributions.fixed_gaussian import (
    ROUNDING,
    deviation_of,
    fixed_covariance,
    fixed_matrix,
    fixed_offset,
    fixed_scales,
    solve,
    variances_of,
)
from bbans.errors import ModelError
from bbans.frozen.lgssm import LAYOUT, FrozenLGSSM, noise_family
from bbans.models._start_length import start_length

__all__ = ["frozen_lgssm"]

_Floats = NDArray[np.float64]


class _Model(Protocol):
    """What is frozen: an `LGSSM`, which see."""

    @property
    def n_latents(self) -> int: ...
    @property
    def n_observed(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
    def parameters(self) -> Mapping[str, _Floats]: ...
    def at(self, t: int) -> Mapping[str, _Floats]: ...
    def gains(self, length: int) -> Any: ...


class _Noise(NamedTuple):
    """A family: of scale 1 its standard deviation, and mean and variance of
    -log2 of the density."""

    deviation: float
    bits: float
    variance: float


_LOG2E = math.log2(math.e)
_NOISES = {
    "gaussian": _Noise(1.0, 0.5 * math.log2(2 * math.pi * math.e), 0.5 * _LOG2E**2),
    "logistic": _Noise(
        math.pi / math.sqrt(3.0), 2 * _LOG2E, (4 - math.pi**2 / 3) * _LOG2E**2
    ),
    "laplace": _Noise(math.sqrt(2.0), math.log2(2 * math.e), _LOG2E**2),
}


def frozen_lgssm(
    model: _Model,
    *,
    noise: str = "gaussian",
    bits: ArrayLike = 1,
    max_steps: int = 4096,
) -> FrozenLGSSM:
    """Freeze a float model; see `LGSSM.freeze`."""
    noise_family(noise)  # refuses other names
    law = _NOISES[noise]
    n, p = model.n_latents, model.n_observed
    least = as_array(bits, "bits", ModelError)
    if least.dtype.kind not in "iu" or least.shape not in ((), (n,)):
        raise ModelError(f"bits must be an integer, or {n} of them, not {bits!r}")
    if not ((least >= 0) & (least <= 23)).all():
        raise ModelError(f"bits must be 0 to 23, not {bits!r}")
    max_steps = as_integer(max_steps, "max_steps", 1)
    grid = 4.0 ** np.broadcast_to(least, (n,)) + ROUNDING
    last_step = model.at(model.n_steps)
    _check_detectable(last_step["transition"], last_step["observation"])
    rows = _rows(model, law.deviation, grid, max_steps)
    last = rows[-1]
    start = 40 + math.ceil(
        sum(
            max(math.log2(deviation_of(s)) + _NOISES["gaussian"].bits, 0.0)
            for s in (*last["final_scale"], *last["back_scale"])
        )
    )
    content = sum(
        max(math.log2(deviation_of(s, law.deviation) / law.deviation) + law.bits, 0.02)
        for s in last["predict_scale"]
    )
    return FrozenLGSSM(
        n,
        p,
        np.array([np.concatenate((r["move_offset"], r["emit_offset"])) for r in rows]),
        np.array([np.concatenate([r[f].ravel() for f, *_ in LAYOUT]) for r in rows]),
        noise=noise,
        start_bits=min(start, lib.BBANS_START_MAX),
        start_length=start_length(content, p * law.variance, start + 6.0),
    )


def _check_detectable(A: _Floats, C: _Floats) -> None:
    """Refuse a state that grows and that no observation ever sees (Hautus' test).

    Raises
    ------
    ModelError
        If there is one: its variance has no bound.
    """
    for growth in np.linalg.eigvals(A):
        if abs(growth) > 1 + 1e-9:
            both = np.vstack((A - growth * np.eye(len(A)), C))
            sizes = np.linalg.svd(both, compute_uv=False)
            if sizes[-1] <= 1e-12 * sizes[0]:
                raise ModelError(
                    f"a state that grows by {abs(growth):.4g} at each step is not "
                    "observed: its variance has no bound; observe it, or make "
                    "transition stable"
                )


def _basis(posterior: _Floats, noise: _Floats, grid: _Floats) -> _Floats:
    """The basis in which both covariances are diagonal and at least `grid`."""
    root = np.linalg.cholesky(posterior)
    half = np.linalg.solve(root, noise)
    white = np.linalg.solve(root, half.T)
    sizes, turn = np.linalg.eigh((white + white.T) / 2)
    if sizes[0] < 1e-12 * max(1.0, sizes[-1]):
        raise ModelError(
            "next to what is known of the states, the transition noise is 10^12 times "
            "smaller in one direction than in another: give transition_cov more "
            "variance there, or observation_cov more"
        )
    basis: _Floats = root @ turn * np.sqrt(np.minimum(sizes, 1.0) / grid)
    return basis


def _near(a: _Floats, b: _Floats) -> bool:
    scale = np.sqrt(np.diag(b))
    return bool(np.abs((a - b) / scale / scale[:, None]).max() < 1e-4)


def _rows(
    model: _Model, deviation: float, grid: _Floats, max_steps: int
) -> list[dict[str, NDArray[Any]]]:
    """The integers of every step.

    Gains have converged at step `steady`; from there on the basis is the last one,
    and row steady + 1, from that basis to itself, serves all steps after.
    """
    own, n, p = model.n_steps, model.n_latents, model.n_observed
    gains = model.gains(own + 20_000)
    P, V = gains.filtered, gains.posterior
    steady = len(P) - 1
    while steady > max(own - 1, 1) and (
        _near(P[steady - 1], P[-1]) and _near(V[steady - 1], V[-1])
    ):
        steady -= 1
    steady = max(1, own - 1, min(steady, own - 1 + max_steps))
    bases = [
        _basis(
            V[min(t, len(V) - 1)],
            model.at(t)["transition_cov"]
            if t > 0
            else model.parameters()["initial_cov"],
            grid,
        )
        for t in range(steady)
    ]
    final = _basis(V[-1], model.at(own)["transition_cov"], grid)
    bases += [final, final]
    rows: list[dict[str, NDArray[Any]]] = []
    exact = []
    for t, basis in enumerate(bases):
        at = model.at(t)
        inverse = np.linalg.inv(basis)
        cov, offset = at["transition_cov"], at["transition_offset"]
        A = np.zeros((n, n))
        if t == 0:
            cov = model.parameters()["initial_cov"]
            offset = model.parameters()["initial_mean"]
        else:
            A = inverse @ at["transition"] @ bases[t - 1]
        row: dict[str, NDArray[Any]] = {}
        row["move_offset"] = fixed_offset(inverse @ offset)
        row["emit_offset"] = fixed_offset(at["observation_offset"])
        row["move"], A = fixed_matrix(A)
        row["emit"], C = fixed_matrix(at["observation"] @ basis)
        row["move_scale"] = fixed_scales(np.diag(inverse @ cov @ inverse.T))
        Q = np.diag(variances_of(row["move_scale"]))
        i = min(t, len(P) - 1)
        own_noise = at["observation_cov"] + np.eye(p) * ROUNDING
        extra = _extra_noise(own_noise, gains.innovation[i])
        row["emit_lower"], row["emit_scale"], R = fixed_covariance(
            own_noise + extra, deviation
        )
        rows.append(row)
        exact.append(_Exact(A, C, Q, R, extra))
    _add_gains(rows, exact, deviation)
    return rows


class _Exact(NamedTuple):
    """A step's model as its integers have it, and the noise that it has beyond the
    float model's."""

    transition: _Floats
    observation: _Floats
    transition_cov: _Floats
    observation_cov: _Floats
    extra: _Floats


def _extra_noise(noise: _Floats, innovation: _Floats) -> _Floats:
    """What P(x | z) needs besides its noise, rounding included, for a Gaussian Q to
    come near its posterior: docs/maths.md, "Linear Gaussian state space models"."""
    # Variance that the past and the other dimensions leave to C z.
    left = 1.0 / np.diag(np.linalg.inv(innovation))
    left -= 1.0 / np.diag(np.linalg.inv(noise))
    least = np.minimum(0.07 * np.cbrt(np.maximum(left, 0.0)), 0.25) + ROUNDING
    units = np.sqrt(np.outer(least, least))
    sizes, axes = np.linalg.eigh(noise / units)
    extra: _Floats = axes * np.maximum(1.0 - sizes, 0.0) @ axes.T * units
    return extra


def _add_gains(
    rows: list[dict[str, NDArray[Any]]],
    exact: list[_Exact],
    deviation: float,
) -> None:
    """Run the covariances of the rounded model, the last step until it is steady."""
    last = len(rows) - 1
    eye = np.eye(len(exact[0].transition))
    P = exact[0].transition_cov
    rows[0]["back"] = np.zeros_like(rows[0]["move"])
    rows[0]["back_scale"] = np.zeros_like(rows[0]["move_scale"])
    for t in range(last + 20_000):
        row, (_, C, _, R, extra) = rows[min(t, last)], exact[min(t, last)]
        after, (A, _, Q, _, _) = rows[min(t + 1, last)], exact[min(t + 1, last)]
        innovation = C @ P @ C.T + R
        K = solve(innovation, C @ P).T
        rest = eye - K @ C
        filtered = rest @ P @ rest.T + K @ R @ K.T
        ahead = A @ filtered @ A.T + Q
        ahead = (ahead + ahead.T) / 2
        done = t > last and bool(np.abs(ahead - P).max() <= 1e-12 * np.abs(P).max())
        if t <= last or done or t == last + 19_999:
            J = solve(ahead, A @ filtered).T
            rest = eye - J @ A
            V = rest @ filtered @ rest.T + J @ Q @ J.T
            row["gain"] = fixed_matrix(K)[0]
            row["predict_lower"], row["predict_scale"], _ = fixed_covariance(
                innovation - extra, deviation
            )
            row["final_lower"], row["final_scale"], _ = fixed_covariance(filtered)
            after["back"] = fixed_matrix(J)[0]
            after["back_scale"] = fixed_scales(np.diag(V))
        P = ahead
        if done:
            break
