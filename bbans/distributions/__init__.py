"""Laws of integers: objects that messages and range coders code by."""

from bbans.distributions.base import Distribution
from bbans.distributions.categorical import (
    Bernoulli,
    Categorical,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.distributions.counts import BetaBinomial, Binomial, Geometric, Poisson
from bbans.distributions.family import Family
from bbans.distributions.fixed_point import (
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
)
from bbans.distributions.location_scale import (
    Gaussian,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    StudentT,
)
from bbans.distributions.multivariate import Multivariate
from bbans.distributions.table import Table, quantise

__all__ = [
    "Bernoulli",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Distribution",
    "Family",
    "Gaussian",
    "Geometric",
    "Laplace",
    "LocationScale",
    "Logistic",
    "Mixture",
    "Multivariate",
    "Poisson",
    "StudentT",
    "Table",
    "Uniform",
    "UniformRange",
    "Weighted",
    "fixed_locations",
    "fixed_probabilities",
    "fixed_rates",
    "fixed_scales",
    "quantise",
]
