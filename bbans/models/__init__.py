"""Float models: training and analysis.  Coding needs their frozen tables."""

from bbans.frozen.contexts import Contexts
from bbans.models._training import Iteration
from bbans.models.arhmm import ARHMM
from bbans.models.base import FloatModel
from bbans.models.context_mixer import ContextMixer
from bbans.models.convert import (
    from_dynamax,
    from_hmmlearn,
    from_pomegranate,
    to_dynamax,
    to_hmmlearn,
    to_pomegranate,
)
from bbans.models.deep_ssm import DeepSSM
from bbans.models.em import Statistics
from bbans.models.factorial_hmm import FactorialHMM
from bbans.models.gaussian_hmm import GaussianHMM
from bbans.models.hierarchical_hmm import HierarchicalHMM
from bbans.models.hmm import HMM
from bbans.models.information import information_content
from bbans.models.latent_tree import LatentTree
from bbans.models.lgssm import LGSSM
from bbans.models.multivariate_gaussian_hmm import (
    MultivariateGaussianHMM,
    VectorStatistics,
)
from bbans.models.poisson_hmm import PoissonHMM
from bbans.models.topology import Topology
from bbans.models.vae import VAE

__all__ = [
    "ARHMM",
    "HMM",
    "LGSSM",
    "VAE",
    "ContextMixer",
    "Contexts",
    "DeepSSM",
    "FactorialHMM",
    "FloatModel",
    "GaussianHMM",
    "HierarchicalHMM",
    "Iteration",
    "LatentTree",
    "MultivariateGaussianHMM",
    "PoissonHMM",
    "Statistics",
    "Topology",
    "VectorStatistics",
    "from_dynamax",
    "from_hmmlearn",
    "from_pomegranate",
    "information_content",
    "to_dynamax",
    "to_hmmlearn",
    "to_pomegranate",
]
