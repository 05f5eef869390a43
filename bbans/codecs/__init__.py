"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.iconoclasm import (
    AutoregressiveModel,
    Iconoclasm,
    PredictiveModel,
    StateSpaceModel,
)
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
from bbans.frozen.hmm_steps import ARHMMStateSpace, HMMStateSpace
from bbans.frozen.lgssm_steps import LGSSMStateSpace

__all__ = [
    "ARHMMStateSpace",
    "AutoregressiveModel",
    "Bernoulli",
    "BetaBinomial",
    "Binomial",
    "BitsBack",
    "Categorical",
    "Codec",
    "Gaussian",
    "Geometric",
    "HMMStateSpace",
    "Iconoclasm",
    "LGSSMStateSpace",
    "Laplace",
    "Located",
    "Logistic",
    "Mixture",
    "Multivariate",
    "Poisson",
    "PredictiveModel",
    "Repeat",
    "Serial",
    "StateSpaceModel",
    "StudentT",
    "Uniform",
    "UniformRange",
    "Weighted",
]
