"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.categorical import Categorical, Uniform, Weighted
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.hmm import HMMStateSpace
from bbans.codecs.iconoclasm import Iconoclasm, PredictiveModel, StateSpaceModel

__all__ = [
    "BitsBack",
    "Categorical",
    "Codec",
    "HMMStateSpace",
    "Iconoclasm",
    "PredictiveModel",
    "Repeat",
    "Serial",
    "StateSpaceModel",
    "Uniform",
    "Weighted",
]
