"""Float models: training and analysis.  Coding needs their frozen tables."""

from bbans.models.em import Statistics
from bbans.models.hmm import HMM, Iteration

__all__ = ["HMM", "Iteration", "Statistics"]
