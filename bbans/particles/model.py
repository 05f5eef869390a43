"""What a particle filter needs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._lib import lib
from bbans.distributions.base import Distribution
from bbans.errors import ModelError

__all__ = ["ParticleModel", "check_methods", "law_of", "size_of"]

Integers = NDArray[Any]


class ParticleModel(Protocol):
    """A state space model as laws of its states and observations, for n particles.

    A state is a vector of d integers, an observation one of p. Arrays of both are
    int64, of shape (d, n) and (p, n), a column for each particle, so ``a, b = z`` takes
    a state of two apart. A method returns one `Distribution` for all: of that shape, or
    of one that is broadcast to it, as (n,) for d = 1 or () for one law everywhere.

    States and observations are under any laws, those of observations of one kind. If
    they are of symbols (`Weighted`, `Categorical`, `Bernoulli`, `Uniform`), or of a
    location and a scale (`Gaussian`, `Logistic`, `Laplace`, `StudentT`,
    `LocationScale`), x_t is coded under their mean over the particles; else a particle
    is chosen by bits back in each step, and start-up is log2 n bits instead of 0.

    Notes
    -----
    *Laws have to be the same on both sides*, on whatever machine. Parameters that are
    floats are rounded alike everywhere, but floats that other programs computed, as
    ``exp`` or a matrix product, may differ. Integers do not: give locations as int64 in
    units of ``2**-16`` and scales as int32 in units of ``log2`` / 256, or weights, and
    compute them by integer arithmetic.

    *Leaks.* Particles are drawn from `prior` and `proposal`: give these ``leak=False``,
    or one in 1e5 of them lies far out. What is coded by or weighed with needs a leak:
    `likelihood`, `lookahead`, and `prior` too where there is a proposal.

    Examples
    --------
    A random walk, seen through noise:

    >>> import numpy as np
    >>> from bbans.distributions import Gaussian
    >>> from bbans.particles import ParticleFilter
    >>> STEP, NOISE = np.full(1, 256, np.int32), np.full(1, 512, np.int32)  # 2 and 4
    >>> class Walk:
    ...     latents = observed = 1
    ...     def prior(self, z):
    ...         if z is None:
    ...             return Gaussian(0, 20, leak=False)
    ...         return Gaussian(z << 16, STEP, leak=False)
    ...     def likelihood(self, z):
    ...         return Gaussian(z << 16, NOISE)
    >>> coder = ParticleFilter(Walk(), 64)
    >>> data = coder.encode([3, 1, 6, 4, 8, 9, 7])
    >>> coder.decode(data, 7)
    array([3, 1, 6, 4, 8, 9, 7])
    """

    latents: int
    """d, by default 1."""
    observed: int
    """p, by default 1."""

    def prior(self, z: Integers | None) -> Distribution:
        """Law of the next states, given states (d, n); of the first ones for None."""

    def likelihood(self, z: Integers) -> Distribution:
        """Law of observations (p, n), given states (d, n)."""

    # An adapted filter asks for two more, which a bootstrap filter needs not:
    #
    #   lookahead(z) -> law of observations (p, n), given states of the step before, or
    #                   None before the first: P(x_t | z_t-1), or what is near it
    #   proposal(z, x) -> law of states (d, n), given those before and x (p,)
    #
    # `ProposalFilter` asks for `proposal` alone.


def check_methods(model: Any, names: Sequence[str]) -> None:
    """That a model has these methods.

    Raises
    ------
    ModelError
        If it lacks one.
    """
    for name in names:
        if not callable(getattr(model, name, None)):
            raise ModelError(
                f"{type(model).__name__} has no method {name}: see ParticleModel"
            )


def size_of(model: Any, name: str) -> int:
    """How many integers make a state or an observation: its attribute, or 1.

    Raises
    ------
    ModelError
        If it is no such number.
    """
    most = int(lib.BBANS_DIMENSIONS_MAX)
    return as_integer(getattr(model, name, 1), name, 1, most)


def law_of(model: Any, name: str, *arrays: Any) -> Distribution:
    """The law that a method of a model returns.

    Raises
    ------
    ModelError
        If it is none.
    """
    made = getattr(model, name)(*arrays)
    if not isinstance(made, Distribution):
        raise ModelError(
            f"{name} must return a Distribution, not {type(made).__name__}"
        )
    return made
