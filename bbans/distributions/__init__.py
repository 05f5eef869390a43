"""Laws of integers: objects that messages and range coders code by."""

from bbans.distributions import categorical, counts, location_scale
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import *
from bbans.distributions.counts import *
from bbans.distributions.custom import Custom
from bbans.distributions.family import Family
from bbans.distributions.fixed_point import (
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
)
from bbans.distributions.location_scale import *
from bbans.distributions.multivariate import Multivariate
from bbans.distributions.ragged import Ragged, RaggedTable
from bbans.distributions.table import Table, quantise

__all__ = [
    "Custom",
    "Distribution",
    "Family",
    "Multivariate",
    "Ragged",
    "RaggedTable",
    "Table",
    "fixed_locations",
    "fixed_probabilities",
    "fixed_rates",
    "fixed_scales",
    "quantise",
]
__all__ += categorical.__all__
__all__ += counts.__all__
__all__ += location_scale.__all__
