"""Hidden Markov models as estimators of scikit-learn, called as those of hmmlearn.

An estimator's `freeze` is the model that compresses: docs/guide/scikit_learn.md.
"""

from bbans.sklearn.categorical_hmm import CategoricalHMM
from bbans.sklearn.gaussian_hmm import GaussianHMM
from bbans.sklearn.poisson_hmm import PoissonHMM

__all__ = ["CategoricalHMM", "GaussianHMM", "PoissonHMM"]
