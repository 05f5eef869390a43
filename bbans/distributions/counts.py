"""Codecs of integers: mixtures, counts, bits and ranges, with arrays of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans.distributions.family import (
    Shape,
    as_ends,
    as_shape,
    as_trials,
    as_weights,
    blame_weights,
    component_shape,
    fixed_located,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
    joint_shape,
    to_fixed,
)
from bbans.errors import SymbolError
from bbans.message._values import ValueArrays

__all__ = [
    "Bernoulli",
    "BetaBinomial",
    "Binomial",
    "Geometric",
    "Mixture",
    "Poisson",
    "UniformRange",
]


def _expect(form: tuple[int, ...], value: ArrayLike) -> ArrayLike:
    if np.shape(value) != form:
        raise SymbolError(f"expected values of shape {form}, not {np.shape(value)}")
    return value


class UniformRange:
    """Integers `low` .. `high`, all equally likely.

    Parameters
    ----------
    low, high : int
        Of 64 bits with sign, ``low <= high``.
    shape : int or tuple of int, optional
        Shape of the value; by default one int.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If there is no such range; from `push`, if a value is outside; from `pop`, if
        `dtype` does not hold one.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), UniformRange(-9, 9, 2)
    >>> codec.push(message, [-5, 7])
    >>> codec.pop(message)
    array([-5,  7])
    """

    def __init__(
        self,
        low: int,
        high: int,
        shape: int | tuple[int, ...] = (),
        dtype: DTypeLike = np.int64,
    ) -> None:
        (self._low, self._high), self._dtype = as_ends(low, high), dtype
        self._form = np.empty(shape, np.bool_).shape

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_range(self._low, self._high, _expect(self._form, value))

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_range(self._low, self._high, self._form, dtype=self._dtype)


class Mixture:
    """Integers under mixtures of K components of one shape.

    Parameters
    ----------
    shape : Shape
        Of each component, standardised; of a posterior one with ``leak=False``.
    weights : array_like, shape (..., K), or None
        Of integers, which sum to 1 .. 2**28 over the components; or of floats that
        sum to about 1. None: all alike.
    location, scale : array_like of float, shape (..., K)
        As in `Located`. K is 1 to 64.
    low, high : int, optional
        The support; its ends take the mass of what lies beyond, as in discretised
        logistic mixtures. Without them every integer of 64 bits can be coded.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        outside the support, or has no mass.
    ModelError
        If `shape` is none, or if weights do not sum to that.

    Notes
    -----
    docs/maths.md, section 11. The three arrays are broadcast; the shape of the value
    is that of the leading axes. With K = 1 this is `Located` on a bounded support.

    Examples
    --------
    >>> from bbans import Message, Shape
    >>> codec = Mixture(Shape.logistic(), [0.7, 0.3], [20.5, 90.0], 8.0, 0, 255)
    >>> message = Message()
    >>> codec.push(message, 21)
    >>> codec.pop(message)
    21
    """

    def __init__(
        self,
        shape: Shape,
        weights: ArrayLike | None,
        location: ArrayLike,
        scale: ArrayLike,
        low: int | None = None,
        high: int | None = None,
        dtype: DTypeLike = np.int64,
    ) -> None:
        self._shape, self._dtype = as_shape(shape), dtype
        self._low, self._high = as_ends(low, high)
        self._weights = None if weights is None else as_weights(weights)
        self._location, self._scale = fixed_located(location, scale)
        parts = [self._location, self._scale]
        if self._weights is not None:
            parts.append(self._weights)
        self._form = component_shape(*parts)[:-1]
        if self._weights is not None and self._weights.ndim:
            blame_weights(self._weights)

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_mixture(
            self._shape,
            self._weights,
            self._location,
            self._scale,
            _expect(self._form, value),
            low=self._low,
            high=self._high,
        )

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_mixture(
            self._shape,
            self._weights,
            self._location,
            self._scale,
            low=self._low,
            high=self._high,
            dtype=self._dtype,
        )


class Geometric:
    """Integers v >= 0 with P(V >= v) = exp(-v / scale).

    Parameters
    ----------
    scale : array_like of float
        ``-1 / log(1 - p)`` for a probability p of stopping; or the int32 array that
        `fixed_scales` returns. Its shape is that of the value.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        no integer from 0 on.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Geometric([3.0, 80.0])
    >>> codec.push(message, [1, 96])
    >>> codec.pop(message)
    array([ 1, 96])
    """

    def __init__(self, scale: ArrayLike, dtype: DTypeLike = np.int64) -> None:
        self._scale, self._dtype = to_fixed(scale, fixed_scales), dtype

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_geometric(self._scale, _expect(self._scale.shape, value))

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_geometric(self._scale, dtype=self._dtype)


class Bernoulli:
    """Bits, each with a probability of its own.

    Parameters
    ----------
    one : array_like of float
        Probability of 1, or the uint32 array that `fixed_probabilities` returns; the
        last 4 bits of that are dropped. Its shape is that of the value.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        not 0 or 1.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Bernoulli([0.1, 0.9])
    >>> codec.push(message, [0, 1])
    >>> codec.pop(message)
    array([0, 1], dtype=uint32)
    """

    def __init__(self, one: ArrayLike) -> None:
        self._ones = np.asarray(np.maximum(to_fixed(one, fixed_probabilities) >> 4, 1))

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push bits; a refused push changes nothing."""
        message.push_bernoulli(self._ones, 28, _expect(self._ones.shape, value))

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or a uint32 array."""
        bits = message.pop_bernoulli(self._ones, 28)
        return bits if self._ones.shape else int(bits)


class Binomial:
    """Numbers of successes in so many trials.

    Parameters
    ----------
    trials : array_like of int
        Up to ``2**18 - 1``.
    probability : array_like of float
        Of success; or the uint32 array that `fixed_probabilities` returns. Broadcast,
        the shape of both is that of the value.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        not 0 .. trials.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Binomial([20, 500], 0.3)
    >>> codec.push(message, [4, 160])
    >>> codec.pop(message)
    array([  4, 160])
    """

    def __init__(
        self,
        trials: ArrayLike,
        probability: ArrayLike,
        dtype: DTypeLike = np.int64,
    ) -> None:
        self._trials, self._dtype = as_trials(trials), dtype
        self._probability = to_fixed(probability, fixed_probabilities)
        self._form = joint_shape(self._trials, self._probability)

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_binomial(
            self._trials, self._probability, _expect(self._form, value)
        )

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_binomial(self._trials, self._probability, dtype=self._dtype)


class BetaBinomial:
    """Numbers of successes whose probability is Beta(alpha, beta).

    Parameters
    ----------
    trials : array_like of int
        Up to 4095.
    alpha, beta : array_like of float
        Up to 65536; or the uint32 array that `fixed_rates` returns. Broadcast, the
        shape of all three is that of the value.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        not 0 .. trials.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), BetaBinomial(255, [0.5, 2.0], 2.0)
    >>> codec.push(message, [0, 131])
    >>> codec.pop(message)
    array([  0, 131])
    """

    def __init__(
        self,
        trials: ArrayLike,
        alpha: ArrayLike,
        beta: ArrayLike,
        dtype: DTypeLike = np.int64,
    ) -> None:
        self._trials, self._dtype = as_trials(trials), dtype
        self._alpha = to_fixed(alpha, fixed_rates)
        self._beta = to_fixed(beta, fixed_rates)
        self._form = joint_shape(self._trials, self._alpha, self._beta)

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_beta_binomial(
            self._trials, self._alpha, self._beta, _expect(self._form, value)
        )

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_beta_binomial(
            self._trials, self._alpha, self._beta, dtype=self._dtype
        )


class Poisson:
    """Poisson values.

    Parameters
    ----------
    mean : array_like of float
        Up to 65536; or the uint32 array that `fixed_rates` returns. Its shape is that
        of the value.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        no integer from 0 on.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Poisson([0.5, 20])
    >>> codec.push(message, [0, 23])
    >>> codec.pop(message)
    array([ 0, 23])
    """

    def __init__(self, mean: ArrayLike, dtype: DTypeLike = np.int64) -> None:
        self._mean, self._dtype = to_fixed(mean, fixed_rates), dtype

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        message.push_poisson(self._mean, _expect(self._mean.shape, value))

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_poisson(self._mean, dtype=self._dtype)
