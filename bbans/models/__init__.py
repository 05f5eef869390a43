"""Float models: training and analysis.  Coding needs their frozen tables."""

from .hmm import HMM, Iteration

__all__ = ["HMM", "Iteration"]
