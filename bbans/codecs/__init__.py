"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.base import Codec
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.compose import Repeat, Serial
from bbans.codecs.iconoclasm import Iconoclasm
from bbans.codecs.state_space import PredictiveModel, SequenceModel, StateSpaceModel

__all__ = [
    "BitsBack",
    "Codec",
    "Iconoclasm",
    "PredictiveModel",
    "Repeat",
    "SequenceModel",
    "Serial",
    "StateSpaceModel",
]
