"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.categorical import Categorical, Uniform, Weighted
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.discrete import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Geometric,
    Mixture,
    Poisson,
    UniformRange,
)
from bbans.codecs.gaussian import LGSSMStateSpace, Multivariate
from bbans.codecs.hmm import ARHMMStateSpace, HMMStateSpace
from bbans.codecs.iconoclasm import (
    AutoregressiveModel,
    Iconoclasm,
    PredictiveModel,
    StateSpaceModel,
)
from bbans.codecs.located import Gaussian, Laplace, Located, Logistic, StudentT

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
