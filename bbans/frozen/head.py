"""Heads: how the integers that a network puts out become distributions.

docs/maths.md, "Heads".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_instance, as_integer
from bbans._lib import check, lib, pointer
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Bernoulli, Weighted
from bbans.distributions.counts import BetaBinomial
from bbans.distributions.family import Family
from bbans.distributions.location_scale import Gaussian, Mixture
from bbans.errors import ModelError
from bbans.frozen.lgssm import NOISES, noise_family

__all__ = ["Head", "as_head", "coarse", "latents_law"]

LAWS = {
    "bernoulli": int(lib.BBANS_HEAD_BERNOULLI),
    "categorical": int(lib.BBANS_HEAD_CATEGORICAL),
    "mixture": int(lib.BBANS_HEAD_MIXTURE),
    "beta_binomial": int(lib.BBANS_HEAD_BETA_BINOMIAL),
}
"""The laws of an observation's integers, by name."""

NUMBERS = 6  # of a head in a model file

_Integers = NDArray[Any]


class Head(NamedTuple):
    """The law of the `width` integers of an observation, given a network's outputs.

    Made by `bernoulli`, `categorical`, `mixture` or `beta_binomial`.

    Attributes
    ----------
    law : {"bernoulli", "categorical", "mixture", "beta_binomial"}
    width : int
        Integers of an observation.
    low, high : int
        What an integer may be.
    components : int
        Of a mixture, else 0.
    family : {"gaussian", "logistic", "laplace"}
        The shape of a mixture's components, else "gaussian".

    Examples
    --------
    >>> import numpy as np
    >>> Head.bernoulli(2).distribution(np.array([0, 128]))
    Bernoulli(one=[0.5, 0.666667])
    """

    law: str
    width: int
    low: int
    high: int
    components: int = 0
    family: str = "gaussian"

    @classmethod
    def bernoulli(cls, width: int) -> Head:
        """Return the head of bits.

        Its outputs are a logit each: the log2 of the odds of a 1, in 1/128.

        Raises
        ------
        ModelError
            If `width` is out of range.
        """
        return cls("bernoulli", _width(width), 0, 1)

    @classmethod
    def categorical(cls, width: int, categories: int) -> Head:
        """Return the head of integers below `categories`.

        Its outputs are a logit for each category: the log2 of its weight, in 1/128.

        Raises
        ------
        ModelError
            If `width` is out of range, or `categories` is not 2 to 256.
        """
        most = int(lib.BBANS_CATEGORIES_MAX)
        categories = as_integer(categories, "categories", 2, most)
        return cls("categorical", _width(width), 0, categories - 1)

    @classmethod
    def mixture(
        cls,
        width: int,
        components: int,
        low: int,
        high: int,
        family: str = "logistic",
    ) -> Head:
        """Return the head of integers `low` .. `high` under mixtures.

        Its outputs are for each integer the logits of the weights, as of
        `categorical`, then locations in 2^-16, then scales in 1/256 of log2.

        Raises
        ------
        ModelError
            If `width` is out of range, `components` is not 1 to 64, the range is none
            of 32 bits, or `family` is not "gaussian", "logistic" or "laplace".
        """
        least, most = -(2**31), 2**31 - 1
        low = as_integer(low, "low", least, most - 1)
        high = as_integer(high, "high", low + 1, most)
        most = int(lib.BBANS_COMPONENTS_MAX)
        components = as_integer(components, "components", 1, most)
        noise_family(family)  # refuses other names
        return cls("mixture", _width(width), low, high, components, family)

    @classmethod
    def beta_binomial(cls, width: int, trials: int) -> Head:
        """Return the head of integers 0 .. `trials`.

        Its outputs are for each integer the log2 of alpha and of beta, in 1/128.

        Raises
        ------
        ModelError
            If `width` is out of range, or `trials` is not 1 to 4095.
        """
        trials = as_integer(trials, "trials", 1, lib.BBANS_BETA_TRIALS_MAX)
        return cls("beta_binomial", _width(width), 0, trials)

    @property
    def outputs(self) -> int:
        """How many numbers of a network it takes."""
        each = {"categorical": self.high + 1, "beta_binomial": 2}
        return self.width * each.get(self.law, max(3 * self.components, 1))

    def distribution(self, outputs: _Integers) -> Distribution:
        """Return the law of observations, shape (..., width), or (...) if that is 1.

        Parameters
        ----------
        outputs : ndarray of int32, shape (..., outputs)

        Raises
        ------
        ModelError
            If they are no integers, or not as many.
        """
        outputs = as_array(outputs, "outputs", ModelError)
        if outputs.dtype.kind not in "iu" or outputs.shape[-1:] != (self.outputs,):
            raise ModelError(
                f"outputs must be integers of shape (.., {self.outputs}), not "
                f"{outputs.dtype} of shape {outputs.shape}"
            )
        values = () if self.width == 1 else (self.width,)
        rows = outputs.reshape(*outputs.shape[:-1], *values, -1)
        if self.law == "bernoulli":
            return Bernoulli(_fixed(lib.bbans_logits_to_probabilities, rows[..., 0]))
        if self.law == "categorical":
            return Weighted(_weights(rows), copy=False)
        if self.law == "beta_binomial":
            rates = _fixed(lib.bbans_logs_to_rates, rows)
            trials = np.full((), self.high)
            return BetaBinomial(trials, rates[..., 0], rates[..., 1], copy=False)
        kinds = rows.reshape(*rows.shape[:-1], 3, self.components)
        return Mixture(
            getattr(Family, self.family)(),
            _weights(kinds[..., 0, :]),
            kinds[..., 1, :].astype(np.int64),
            _scales(kinds[..., 2, :]),
            self.low,
            self.high,
            copy=False,
        )

    # ---- in model files

    def numbers(self) -> tuple[int, ...]:
        """What a model file has of it: docs/format.md, "Model file"."""
        family = noise_family(self.family)
        numbers = self.width, LAWS[self.law], self.low, self.high, self.components
        return *(n % 2**32 for n in numbers), family

    @classmethod
    def of_numbers(cls, numbers: tuple[int, ...]) -> Head:
        """The head of these numbers.

        Raises
        ------
        ModelError
            If they are of none.
        """
        width, law, *ends, components, family = numbers
        low, high = (n - (n >> 31 << 32) for n in ends)
        names = {number: name for name, number in LAWS.items()}
        families = {number: name for name, number in NOISES.items()}
        if law not in names or family not in families:
            raise ModelError("a head has a law that this release does not know")
        if names[law] == "mixture":
            return cls.mixture(width, components, low, high, families[family])
        if names[law] == "bernoulli":
            head = cls.bernoulli(width)
        elif names[law] == "categorical":
            head = cls.categorical(width, high + 1)
        else:
            head = cls.beta_binomial(width, high)
        if head.numbers() != numbers:
            raise ModelError(f"a head of law {names[law]} has other numbers")
        return head


def as_head(head: Any) -> Head:
    """A head as it is.

    Raises
    ------
    ModelError
        If it is none, or not as its methods make them.
    """
    head = as_instance(head, Head, "head", "a Head, as of Head.bernoulli")
    if head.law not in LAWS or Head.of_numbers(head.numbers()) != head:
        raise ModelError(f"head must be as Head.bernoulli makes it, not {head!r}")
    made: Head = head
    return made


def latents_law(outputs: _Integers, *, leak: bool, shift: int = 0) -> Gaussian:
    """The law of latents, shape (..., n).

    Parameters
    ----------
    outputs : ndarray of int32, shape (..., 2 n)
        Locations in 2^-16 of a grid step, then scales in 1/256 of log2.
    leak : bool
        Of a prior, not of a posterior.
    shift : int
        Latents are on a grid that is coarser by ``2**shift``.
    """
    location, scale = np.split(outputs, 2, axis=-1)
    return Gaussian(
        coarse(location.astype(np.int64), shift),
        _scales(_scales(scale) - 256 * shift),
        leak=leak,
        copy=False,
    )


def coarse(values: _Integers, shift: int) -> _Integers:
    """Integers on a grid that is coarser by ``2**shift``, halves rounded up."""
    return (values + ((1 << shift) >> 1)) >> shift


def _width(width: int) -> int:
    return as_integer(width, "width", 1, lib.BBANS_VALUES_MAX)


def _scales(scale: _Integers) -> _Integers:
    kept = np.clip(scale, lib.BBANS_SCALE_MIN, lib.BBANS_SCALE_MAX)
    return kept.astype(np.int32)


def _fixed(function: Any, logits: _Integers) -> _Integers:
    """What a function of C makes of each."""
    given = np.require(logits, np.int32, ["C", "A"])
    out = np.empty(given.shape, np.uint32)
    check(function(pointer(given, "int32_t[]"), out.size, pointer(out)))
    return out


def _weights(logits: _Integers) -> _Integers:
    """Of the symbols along the last axis."""
    n = logits.shape[-1]

    def rows(given: Any, size: int, out: Any) -> int:
        return int(lib.bbans_logits_to_weights(given, size // n, n, out))

    return _fixed(rows, logits)
