"""Float models: training and analysis.  Coding needs their frozen tables."""

from bbans.models.em import Statistics
from bbans.models.hmm import HMM, Iteration
from bbans.models.lgssm import LGSSM

__all__ = ["HMM", "LGSSM", "Iteration", "Statistics"]
