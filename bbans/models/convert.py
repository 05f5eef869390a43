"""Hidden Markov models of other libraries as models here, and back.

The other library's objects are read by their attributes; it is imported only to make
some.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from bbans._arguments import as_instance, as_real, as_reals
from bbans.errors import ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.models._parameters import Floats
from bbans.models.gaussian_hmm import GaussianHMM
from bbans.models.hmm import HMM
from bbans.models.multivariate_gaussian_hmm import MultivariateGaussianHMM
from bbans.models.poisson_hmm import PoissonHMM

__all__ = [
    "from_dynamax",
    "from_hmmlearn",
    "from_pomegranate",
    "to_dynamax",
    "to_hmmlearn",
    "to_pomegranate",
]

Model: TypeAlias = HMM | MultivariateGaussianHMM

_ROUNDED = 1e-4  # how far from 1 the sum of a row of float32 may be
_WIDE = 9  # deviations on either side of a mean that an integer model has room for
_LEAST_DEVIATION = 0.25  # of a GaussianHMM


class _Parts(NamedTuple):
    """A model in the terms that the libraries share."""

    initial: Floats
    transition: Floats
    # One of these.
    probabilities: Floats | None = None  # (K, M)
    rates: Floats | None = None  # (K, D)
    gaussians: tuple[Floats, Floats] | None = None  # (K, D) and (K, D, D)


def from_hmmlearn(
    model: Any,
    *,
    alphabet: Alphabet | str | ArrayLike | None = None,
    low: int | None = None,
    high: int | None = None,
    step: float = 1.0,
) -> Model:
    """Return the model that hmmlearn's has been trained to be.

    Parameters
    ----------
    model : hmmlearn.hmm.CategoricalHMM, PoissonHMM or GaussianHMM
        Or an estimator of `bbans.sklearn`, or any object with ``startprob_``,
        ``transmat_`` and ``emissionprob_``, ``lambdas_`` or ``means_`` and
        ``covars_``.
    alphabet : Alphabet, str or array_like of int, optional
        Of a categorical model: what its categories stand for, as for `HMM`. By
        default the integers 0 .. M-1.
    low, high : int, optional
        The integers of a model of one feature, as for `GaussianHMM` and `PoissonHMM`.
        By default all that are less than 9 deviations from the states' means.
    step : float
        Of Gaussians: the model is one of the integers nearest to X / step.

    Returns
    -------
    HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM
        The last for Gaussians of several features.

    Raises
    ------
    ModelError
        If parameters are missing or no model, or there is no such model here.
    """
    for name, what in (
        ("n_trials", "counts of several trials"),
        ("weights_", "mixtures"),
    ):
        if hasattr(model, name):
            raise ModelError(
                f"there is no HMM here whose states emit {what}: {_kind(model)}"
            )
    initial, transition = _taken(model, "startprob_"), _taken(model, "transmat_")
    if hasattr(model, "emissionprob_"):
        parts = _Parts(initial, transition, _taken(model, "emissionprob_"))
    elif hasattr(model, "lambdas_"):
        parts = _Parts(initial, transition, rates=_taken(model, "lambdas_"))
    elif hasattr(model, "means_"):
        means, covariances = _taken(model, "means_"), _taken(model, "covars_")
        if means.ndim == 2 and len(covariances) == means.size:
            # hmmlearn 0.3 repeats those of a spherical model for each feature.
            covariances = covariances[:: means.shape[1]]
        parts = _Parts(initial, transition, gaussians=(means, covariances))
    else:
        raise ModelError(
            f"{_kind(model)} has no emissionprob_, lambdas_ or means_: train it, or "
            "set them, first"
        )
    return _model(parts, alphabet, low, high, step)


def to_hmmlearn(model: Model) -> Any:
    """Return hmmlearn's model with the same parameters.

    Parameters
    ----------
    model : HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM
        Of any other HMM the categories are the alphabet's indices:
        ``model.alphabet.encode(x)``.

    Returns
    -------
    hmmlearn.hmm.CategoricalHMM, PoissonHMM or GaussianHMM
        `fit` goes on from its parameters. Its Gaussians have densities, and its counts
        no greatest one, where models here have masses of integers.

    Raises
    ------
    ModelError
        If there is no such model there.
    ImportError
        If hmmlearn is not installed.
    """
    parts = _parts(model, "to_hmmlearn")
    hmm = _library("hmmlearn.hmm", "to_hmmlearn")
    K = parts.initial.size
    if parts.probabilities is not None:
        made = hmm.CategoricalHMM(K, init_params="")
        made.n_features = parts.probabilities.shape[1]
        made.emissionprob_ = parts.probabilities.copy()
    elif parts.rates is not None:
        made = hmm.PoissonHMM(K, init_params="")
        made.n_features = parts.rates.shape[1]
        made.lambdas_ = parts.rates.copy()
    else:
        assert parts.gaussians is not None
        means, covariances = parts.gaussians
        made = hmm.GaussianHMM(K, "full", init_params="")
        made.n_features = means.shape[1]
        made.means_ = means.copy()
        made.covars_ = covariances
    made.startprob_ = parts.initial.copy()
    made.transmat_ = parts.transition.copy()
    return made


def from_dynamax(
    params: Any,
    *,
    alphabet: Alphabet | str | ArrayLike | None = None,
    low: int | None = None,
    high: int | None = None,
    step: float = 1.0,
) -> Model:
    """Return the model of dynamax's parameters.

    Parameters
    ----------
    params : dynamax parameters, or a tuple that has them
        Of a CategoricalHMM, a PoissonHMM or a GaussianHMM, also a diagonal or
        spherical one or one of shared covariance: what ``initialize`` and ``fit_em``
        return, or ``(hmm, params)``. Rows that float32 has rounded are divided by
        their sums.
    alphabet, low, high, step
        As for `from_hmmlearn`.

    Returns
    -------
    HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM

    Raises
    ------
    ModelError
        If parameters are missing or no model, or there is no such model here.
    """
    if not hasattr(params, "initial") and isinstance(params, (tuple, list)):
        params = next((item for item in params if hasattr(item, "initial")), params)
    initial = _taken(params, "initial.probs")
    transition = _taken(params, "transitions.transition_matrix")
    emissions = getattr(params, "emissions", None)
    if hasattr(emissions, "rates"):
        rates = _taken(params, "emissions.rates")
        parts = _Parts(initial, transition, rates=rates)
    elif hasattr(emissions, "means"):
        means = _taken(params, "emissions.means")
        K, D = means.shape
        if hasattr(emissions, "covs"):
            covariances = _taken(params, "emissions.covs")
        elif hasattr(emissions, "cov"):
            covariances = np.broadcast_to(_taken(params, "emissions.cov"), (K, D, D))
        elif hasattr(emissions, "scales"):
            scales = _taken(params, "emissions.scales")
            covariances = scales[:, None, None] ** 2 * np.eye(D)
        else:
            scales = _taken(params, "emissions.scale_diags")
            covariances = scales[:, :, None] ** 2 * np.eye(D)
        parts = _Parts(initial, transition, gaussians=(means, covariances))
    else:
        probabilities = _taken(params, "emissions.probs")
        if probabilities.ndim != 3 or probabilities.shape[1] != 1:
            raise ModelError(
                "params.emissions.probs must have shape (K, 1, M), one category at a "
                f"time, not {probabilities.shape}"
            )
        parts = _Parts(initial, transition, probabilities[:, 0])
    return _model(parts, alphabet, low, high, step)


def to_dynamax(model: Model) -> tuple[Any, Any, Any]:
    """Return dynamax's model with the same parameters.

    Parameters
    ----------
    model : HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM
        As for `to_hmmlearn`.

    Returns
    -------
    hmm : dynamax CategoricalHMM, PoissonHMM or GaussianHMM
    params, props
        As its ``initialize`` returns them: exactly the same in JAX's float64, rounded
        in its float32.

    Raises
    ------
    ModelError
        If there is no such model there.
    ImportError
        If dynamax is not installed.
    """
    parts = _parts(model, "to_dynamax")
    library = _library("dynamax.hidden_markov_model", "to_dynamax")
    as_jax = _library("jax.numpy", "to_dynamax").asarray
    K = parts.initial.size
    if parts.probabilities is not None:
        hmm = library.CategoricalHMM(K, 1, parts.probabilities.shape[1])
        emissions = {"emission_probs": parts.probabilities[:, None]}
    elif parts.rates is not None:
        hmm = library.PoissonHMM(K, parts.rates.shape[1])
        emissions = {"emission_rates": parts.rates}
    else:
        assert parts.gaussians is not None
        means, covariances = parts.gaussians
        hmm = library.GaussianHMM(K, means.shape[1])
        emissions = {"emission_means": means, "emission_covariances": covariances}
    params, props = hmm.initialize(
        initial_probs=as_jax(parts.initial),
        transition_matrix=as_jax(parts.transition),
        **{name: as_jax(value) for name, value in emissions.items()},
    )
    return hmm, params, props


def from_pomegranate(
    model: Any,
    *,
    alphabet: Alphabet | str | ArrayLike | None = None,
    low: int | None = None,
    high: int | None = None,
    step: float = 1.0,
) -> Model:
    """Return the model of pomegranate's DenseHMM.

    Parameters
    ----------
    model : pomegranate.hmm.DenseHMM
        Of pomegranate 1, with all distributions Categorical or Poisson of one feature,
        or Normal. Chances to end are left out, and each row of transitions is divided
        by its sum: the model is one of what follows while the sequence goes on.
    alphabet, low, high, step
        As for `from_hmmlearn`.

    Returns
    -------
    HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM

    Raises
    ------
    ModelError
        If parameters are missing or no model, or there is no such model here.
    """
    if hasattr(model, "_edge_idx_starts"):
        raise ModelError("a SparseHMM has no matrix of transitions: make it a DenseHMM")
    initial = np.exp(_taken(model, "starts"))
    transition = np.exp(_taken(model, "edges"))
    with np.errstate(invalid="ignore"):  # a state that always ends: said by its row
        transition /= transition.sum(axis=-1, keepdims=True)
    states = list(getattr(model, "distributions", None) or [])
    names = sorted({_kind(state) for state in states})
    if names == ["Categorical"]:
        rows = [_taken(state, "probs") for state in states]
        if any(row.ndim != 2 or row.shape[0] != 1 for row in rows):
            raise ModelError(
                "the distributions must be of one category at a time, probs of shape "
                f"(1, M), not {rows[0].shape}"
            )
        parts = _Parts(initial, transition, _rows(rows, "probs")[:, 0])
    elif names == ["Poisson"]:
        rates = _rows([_taken(state, "lambdas") for state in states], "lambdas")
        parts = _Parts(initial, transition, rates=rates)
    elif names == ["Normal"]:
        means = _rows([_taken(state, "means") for state in states], "means")
        covariances = _rows([_covariance(state) for state in states], "covs")
        parts = _Parts(initial, transition, gaussians=(means, covariances))
    else:
        raise ModelError(
            "the distributions must all be Categorical, Poisson or Normal, not "
            f"{', '.join(names) or 'none'}"
        )
    return _model(parts, alphabet, low, high, step)


def to_pomegranate(model: Model) -> Any:
    """Return pomegranate's DenseHMM with the same parameters.

    Parameters
    ----------
    model : HMM, PoissonHMM, GaussianHMM or MultivariateGaussianHMM
        As for `to_hmmlearn`.

    Returns
    -------
    pomegranate.hmm.DenseHMM
        In torch's default dtype, so exactly the same only if that is float64. Its
        ``ends`` are 1 for all states, so that ``log_probability`` is ln P(x) of
        sequences of any given length.

    Raises
    ------
    ModelError
        If there is no such model there.
    ImportError
        If pomegranate is not installed.
    """
    parts = _parts(model, "to_pomegranate")
    laws = _library("pomegranate.distributions", "to_pomegranate")
    hmm = _library("pomegranate.hmm", "to_pomegranate")
    torch = _library("torch", "to_pomegranate")
    as_tensor = partial(torch.tensor, dtype=torch.get_default_dtype())
    K = parts.initial.size
    if parts.probabilities is not None:
        states = [
            laws.Categorical(as_tensor(row)) for row in parts.probabilities[:, None]
        ]
    elif parts.rates is not None:
        states = [laws.Poisson(as_tensor(row)) for row in parts.rates]
    else:
        assert parts.gaussians is not None
        states = [
            laws.Normal(as_tensor(mean), as_tensor(covariance))
            for mean, covariance in zip(*parts.gaussians, strict=True)
        ]
    return hmm.DenseHMM(
        states,
        edges=as_tensor(parts.transition),
        starts=as_tensor(parts.initial),
        ends=as_tensor(np.ones(K)),
    )


# ---- what they share


def _model(
    parts: _Parts,
    alphabet: Alphabet | str | ArrayLike | None,
    low: int | None,
    high: int | None,
    step: float,
) -> Model:
    """The model of these parts."""
    step = as_real(step, "step")
    if not 0 < step < math.inf:
        raise ModelError(f"step must be above 0 and finite, not {step}")
    if parts.gaussians is None and step != 1:
        raise ModelError("step is of Gaussians: these are integers already")
    chain = _normalised(parts.initial), _normalised(parts.transition)
    if parts.probabilities is not None:
        _unused("a categorical model: its integers are `alphabet`", low=low, high=high)
        return HMM(*chain, _normalised(parts.probabilities), alphabet=alphabet)
    _unused("a model of numbers: give `low` or `high`", alphabet=alphabet)
    if parts.rates is not None:
        rates = _one_feature(parts.rates)
        _unused("a Poisson model, whose integers start at 0", low=low)
        top = float(rates.max(initial=0.0))
        top += _WIDE * math.sqrt(top) + _WIDE
        return PoissonHMM(*chain, rates, math.ceil(top) if high is None else high)
    assert parts.gaussians is not None
    means, covariances = parts.gaussians[0] / step, parts.gaussians[1] / step**2
    if means.ndim != 2 or means.shape[1] != 1:
        _unused("a model of several features, of all integers", low=low, high=high)
        return MultivariateGaussianHMM(*chain, means, covariances)
    deviations = np.sqrt(covariances.reshape(means.size))
    if (deviations < _LEAST_DEVIATION).any():
        state = int(deviations.argmin())
        raise ModelError(
            f"state {state} has a deviation of {deviations[state]:.3g} integers, and "
            f"the least is {_LEAST_DEVIATION}: give a finer `step`"
        )
    lows, highs = means[:, 0] - _WIDE * deviations, means[:, 0] + _WIDE * deviations
    return GaussianHMM(
        *chain,
        means[:, 0],
        deviations,
        math.floor(lows.min()) if low is None else low,
        math.ceil(highs.max()) if high is None else high,
    )


def _parts(model: Model, function: str) -> _Parts:
    """The parts of a model here."""
    as_instance(
        model, (HMM, MultivariateGaussianHMM), "model", f"an HMM for {function}"
    )
    chain = model.initial, model.transition
    if isinstance(model, MultivariateGaussianHMM):
        return _Parts(*chain, gaussians=(model.means, model.covariances))
    if isinstance(model, PoissonHMM):
        return _Parts(*chain, rates=model.rates[:, None])
    if isinstance(model, GaussianHMM):
        covariances = model.deviations[:, None, None] ** 2
        return _Parts(*chain, gaussians=(model.means[:, None], covariances))
    return _Parts(*chain, model.emission)


def _taken(model: Any, path: str) -> Floats:
    """An attribute, or one of an attribute, as an array."""
    value = model
    for name in path.split("."):
        value = getattr(value, name, None)
        if value is None:
            raise ModelError(
                f"{_kind(model)} has no {path}: train it, or set it, first"
            )
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu()
    return as_reals(np.asarray(value), path)


def _covariance(state: Any) -> Floats:
    """Of pomegranate's Normal, of any of its types, as a matrix."""
    covariance = _taken(state, "covs")
    D = _taken(state, "means").size
    return covariance if covariance.ndim == 2 else covariance * np.eye(D)


def _normalised(rows: Floats) -> Floats:
    """Rows of float32 sum to 1 in float64; what is wrong is left for the model."""
    total = rows.sum(axis=-1, keepdims=True)
    rounded = np.abs(total - 1) < _ROUNDED
    return rows / np.where(rounded & (np.abs(total - 1) > 1e-12), total, 1.0)


def _one_feature(rates: Floats) -> Floats:
    if rates.ndim != 2 or rates.shape[1] != 1:
        raise ModelError(
            f"rates must have shape (K, 1), not {rates.shape}: a PoissonHMM has one "
            "feature"
        )
    return rates[:, 0]


def _rows(rows: Iterable[Floats], name: str) -> Floats:
    """A state's array after the other."""
    rows = list(rows)
    if len({row.shape for row in rows}) != 1:
        raise ModelError(f"{name} must be of one shape for all states")
    return np.stack(rows)


def _unused(of: str, **given: Any) -> None:
    """Refuse an argument that another kind of model has."""
    for name, value in given.items():
        if value is not None:
            raise ModelError(f"leave `{name}` out for {of}")


def _kind(model: Any) -> str:
    return type(model).__name__


def _library(name: str, function: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f"{function} needs {package}: pip install {package}"
        ) from error
