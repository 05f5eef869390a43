"""Numbers of things: Poisson, geometric, binomial and such values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans._lib import ffi, lib, pointer
from bbans.distributions.base import Distribution
from bbans.distributions.fixed_point import (
    PROBABILITIES,
    RATES,
    SCALES,
    as_trials,
    c_array,
)
from bbans.errors import SymbolError

__all__ = ["BetaBinomial", "Binomial", "Geometric", "NegativeBinomial", "Poisson"]


class _Counts(Distribution):
    """Integers from 0 on."""

    def _reason(self, value: int, at: int) -> str:
        return "it is not an integer from 0 on"


class _Successes(Distribution):
    """Integers up to a number of trials."""

    def _reason(self, value: int, at: int) -> str:
        return f"it is not 0 to {self._arrays[0].flat[at]}, the number of trials"


class Poisson(_Counts):
    """Poisson values.

    Parameters
    ----------
    mean : array_like of float
        Up to 65536; or the uint32 array that `fixed_rates` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point; from `push`, if a value is no integer from 0 on.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Poisson([0.5, 20])
    >>> message.push(law, [0, 23])
    >>> message.pop(law)
    array([ 0, 23])
    """

    def __init__(
        self, mean: ArrayLike, dtype: DTypeLike = np.int64, *, copy: bool = True
    ) -> None:
        super().__init__(RATES.parameter("mean", mean, copy), dtype=dtype)

    def _init(self, c: Any, mean: Any) -> Any:
        return lib.bbans_distribution_init_poisson(c, mean)

    def _mode(self, mean: Any) -> Any:
        return mean >> 16


class Geometric(_Counts):
    """Integers v >= 0 with P(V >= v) = exp(-v / scale).

    Parameters
    ----------
    scale : array_like of float
        ``-1 / log(1 - p)`` for a probability p of stopping; or the int32 array that
        `fixed_scales` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point; from `push`, if a value is no integer from 0 on.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Geometric([3.0, 80.0])
    >>> message.push(law, [1, 96])
    >>> message.pop(law)
    array([ 1, 96])
    """

    def __init__(
        self, scale: ArrayLike, dtype: DTypeLike = np.int64, *, copy: bool = True
    ) -> None:
        super().__init__(SCALES.parameter("scale", scale, copy), dtype=dtype)

    def _init(self, c: Any, scale: Any) -> Any:
        return lib.bbans_distribution_init_geometric(c, scale)

    def _mode(self, scale: Any) -> Any:
        return 0


class NegativeBinomial(_Counts):
    """Numbers of failures before a number of successes, which need not be whole.

    Poisson values whose mean is spread, as counts mostly are: the variance is the mean
    over the probability.

    Parameters
    ----------
    successes : array_like of float
        r > 0, up to 65536; or the uint32 array that `fixed_rates` returns. The mean is
        ``r (1 - p) / p``.
    probability : array_like of float
        p, of success; or the uint32 array that `fixed_probabilities` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point, or if shapes do not fit; from `push` and `pop`, if the law is
        too wide; from `push`, if a value is no integer from 0 on.

    Notes
    -----
    Values within some 6 to 16 deviations of the mean, and 12 / p beyond, may be 4121,
    and the variance is below 65536: the mean is at most 156 for one success, 790 for
    10, 7500 for 1000. docs/maths.md, "Mixtures, counts and ranges".

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), NegativeBinomial(1.5, [0.5, 0.05])
    >>> message.push(law, [0, 31])
    >>> message.pop(law)
    array([ 0, 31])
    """

    def __init__(
        self,
        successes: ArrayLike,
        probability: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        super().__init__(
            RATES.parameter("successes", successes, copy),
            PROBABILITIES.parameter("probability", probability, copy),
            dtype=dtype,
        )

    def _init(self, c: Any, successes: Any, probability: Any) -> Any:
        return lib.bbans_distribution_init_negative_binomial(c, successes, probability)

    def _mode(self, successes: Any, probability: Any) -> Any:
        # floor((r - 1) (1 - p) / p), or 0: below 2^64.
        more = np.maximum(successes, 1 << 16).astype(np.uint64) - (1 << 16)
        p = probability.astype(np.uint64)
        return more * ((1 << 32) - p) // (p << 16)

    def _check(self) -> None:
        super()._check()
        values = np.zeros(
            self.shape, np.int64
        )  # C codes it, unless the law is too wide
        n, at = ffi.new("size_t *"), ffi.new("size_t *")
        if lib.bbans_distribution_list(
            self._c, *c_array(values), values.size, ffi.NULL, 0, n, at
        ):
            successes, probability = (
                np.broadcast_to(parameter.real(), self.shape).flat[at[0]]
                for parameter in self._parameters
            )
            raise SymbolError(
                f"{successes:g} successes of probability {probability:g} at position "
                f"{at[0]} are too wide a law: 12 to 16 deviations and 12 / "
                f"{probability:g} must be below 4121, the variance below 65536"
            )


class Binomial(_Successes):
    """Numbers of successes in a number of trials.

    Parameters
    ----------
    trials : array_like of int
        Up to ``2**18 - 1``.
    probability : array_like of float
        Of success; or the uint32 array that `fixed_probabilities` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        not 0 .. trials.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Binomial([20, 500], 0.3)
    >>> message.push(law, [4, 160])
    >>> message.pop(law)
    array([  4, 160])
    """

    def __init__(
        self,
        trials: ArrayLike,
        probability: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        super().__init__(
            as_trials(trials, lib.BBANS_TRIALS_MAX, copy),
            PROBABILITIES.parameter("probability", probability, copy),
            dtype=dtype,
        )

    def _init(self, c: Any, trials: Any, probability: Any) -> Any:
        numbers = pointer(self._arrays[0])
        return lib.bbans_distribution_init_binomial(c, numbers, probability)

    def _mode(self, trials: Any, probability: Any) -> Any:
        return (trials.astype(np.uint64) + 1) * probability >> 32


class BetaBinomial(_Successes):
    """Numbers of successes whose probability is Beta(alpha, beta).

    Parameters
    ----------
    trials : array_like of int
        Up to 4095.
    alpha, beta : array_like of float
        Up to 65536; or the uint32 array that `fixed_rates` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        not 0 .. trials.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), BetaBinomial(255, [0.5, 2.0], 2.0)
    >>> message.push(law, [0, 131])
    >>> message.pop(law)
    array([  0, 131])
    """

    def __init__(
        self,
        trials: ArrayLike,
        alpha: ArrayLike,
        beta: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        super().__init__(
            as_trials(trials, lib.BBANS_BETA_TRIALS_MAX, copy),
            RATES.parameter("alpha", alpha, copy),
            RATES.parameter("beta", beta, copy),
            dtype=dtype,
        )

    def _init(self, c: Any, trials: Any, alpha: Any, beta: Any) -> Any:
        numbers = pointer(self._arrays[0])
        return lib.bbans_distribution_init_beta_binomial(c, numbers, alpha, beta)

    def _mode(self, trials: Any, *rates: Any) -> Any:
        alpha, beta = (rate.astype(np.uint64) for rate in rates)
        total = alpha + beta
        return (2 * trials * alpha + total) // (2 * total)  # the mean: below 2^46
