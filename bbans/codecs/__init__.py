"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.categorical import Categorical, Uniform, Weighted
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.gaussian import LGSSMStateSpace, Multivariate
from bbans.codecs.hmm import HMMStateSpace
from bbans.codecs.iconoclasm import Iconoclasm, PredictiveModel, StateSpaceModel
from bbans.codecs.located import Gaussian, Laplace, Located, Logistic, StudentT

__all__ = [
    "BitsBack",
    "Categorical",
    "Codec",
    "Gaussian",
    "HMMStateSpace",
    "Iconoclasm",
    "LGSSMStateSpace",
    "Laplace",
    "Located",
    "Logistic",
    "Multivariate",
    "PredictiveModel",
    "Repeat",
    "Serial",
    "StateSpaceModel",
    "StudentT",
    "Uniform",
    "Weighted",
]
