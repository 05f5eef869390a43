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
from bbans.frozen.hmm_steps import ARHMMStateSpace, HMMStateSpace
from bbans.frozen.lgssm_steps import LGSSMStateSpace

__all__ = [
    "ARHMMStateSpace",
    "AutoregressiveModel",
    "BitsBack",
    "Codec",
    "HMMStateSpace",
    "Iconoclasm",
    "LGSSMStateSpace",
    "PredictiveModel",
    "Repeat",
    "Serial",
    "StateSpaceModel",
]
