"""Models in integers, ready to code."""

from bbans.frozen.alphabet import Alphabet
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.base import FrozenModel
from bbans.frozen.c_header import c_header
from bbans.frozen.context_mixer import FrozenContextMixer
from bbans.frozen.contexts import Contexts
from bbans.frozen.deep_ssm import FrozenDeepSSM
from bbans.frozen.factorial_hmm import FrozenFactorialHMM
from bbans.frozen.gaussian_hmm import FrozenGaussianHMM
from bbans.frozen.head import Head
from bbans.frozen.hierarchical_hmm import FrozenHierarchicalHMM
from bbans.frozen.hmm import FrozenHMM
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.frozen.model_file import (
    default_model,
    load_model,
    shipped_model,
    text_model,
)
from bbans.frozen.network import FrozenNetwork, NetworkNode
from bbans.frozen.tree import FrozenTree
from bbans.frozen.vae import FrozenVAE

__all__ = [
    "Alphabet",
    "Contexts",
    "FrozenARHMM",
    "FrozenContextMixer",
    "FrozenDeepSSM",
    "FrozenFactorialHMM",
    "FrozenGaussianHMM",
    "FrozenHMM",
    "FrozenHierarchicalHMM",
    "FrozenLGSSM",
    "FrozenModel",
    "FrozenNetwork",
    "FrozenTree",
    "FrozenVAE",
    "Head",
    "NetworkNode",
    "c_header",
    "default_model",
    "load_model",
    "shipped_model",
    "text_model",
]
