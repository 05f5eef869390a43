"""Models in integers, ready to code."""

from bbans.frozen.alphabet import Alphabet
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.base import FrozenModel
from bbans.frozen.c_header import c_header
from bbans.frozen.contexts import Contexts
from bbans.frozen.hmm import FrozenHMM
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.frozen.model_file import default_model, load_model
from bbans.frozen.network import FrozenNetwork, NetworkNode

__all__ = [
    "Alphabet",
    "Contexts",
    "FrozenARHMM",
    "FrozenHMM",
    "FrozenLGSSM",
    "FrozenModel",
    "FrozenNetwork",
    "NetworkNode",
    "c_header",
    "default_model",
    "load_model",
]
