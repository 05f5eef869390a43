"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.iconoclasm import Iconoclasm
from bbans.codecs.state_space import PredictiveModel, SequenceModel, StateSpaceModel
from bbans.distributions.categorical import Categorical, Uniform, Weighted
from bbans.distributions.counts import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Geometric,
    Mixture,
    Poisson,
    UniformRange,
)
from bbans.distributions.location_scale import (
    Gaussian,
    Laplace,
    Located,
    Logistic,
    StudentT,
)
from bbans.distributions.multivariate import Multivariate

__all__ = [
    "Bernoulli",
    "BetaBinomial",
    "Binomial",
    "BitsBack",
    "Categorical",
    "Codec",
    "Gaussian",
    "Geometric",
    "Iconoclasm",
    "Laplace",
    "Located",
    "Logistic",
    "Mixture",
    "Multivariate",
    "Poisson",
    "PredictiveModel",
    "Repeat",
    "SequenceModel",
    "Serial",
    "StateSpaceModel",
    "StudentT",
    "Uniform",
    "UniformRange",
    "Weighted",
]
