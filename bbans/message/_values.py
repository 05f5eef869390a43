"""Mixtures, counts and ranges to and from a message, as arrays of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_array, no_value, not_integers
from bbans._lib import check, ffi, lib, pointer
from bbans.distributions.family import (
    as_ends,
    as_shape,
    as_trials,
    as_weights,
    blame_weights,
    component_shape,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
    joint_shape,
    located_parameters,
    parameters,
    spread,
)
from bbans.errors import ModelError, SymbolError
from bbans.message._message import ArrayCoder

__all__ = ["ValueArrays"]

Shape = int | tuple[int, ...]
_TYPES = {
    np.dtype(kind + str(size)): code
    for kind, sign in (("u", 1), ("i", -1))
    for size, code in ((1, sign), (2, 2 * sign), (4, 4 * sign), (8, 8 * sign))
} | {np.dtype("f4"): 104, np.dtype("f8"): 108}

LOCATION = "a location is not between -2**46 and 2**46"
SCALE = "a scale is not from 2**-12 to 2**47"
RATE = "is not from 0 to 65536"


def _integers(values: ArrayLike) -> NDArray[Any]:
    array = as_array(values, "values")
    if array.size == 0:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind not in "iu":
        raise not_integers("values", array)
    if array.dtype == np.uint64:
        if int(array.max()) >> 63:
            raise SymbolError("a value is not below 2**63")
        array = array.astype(np.int64)
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])


def _arguments(*arrays: NDArray[Any]) -> list[Any]:
    """Pointers and types for C; the pointers keep the arrays."""
    return [
        part
        for array in arrays
        for part in (pointer(array, "char[]"), _TYPES[array.dtype])
    ]


def _law(name: str, *given: Any) -> Any:
    """A distribution of C; it points to the arrays whose pointers are given."""
    law = ffi.new("bbans_distribution *")
    check(getattr(lib, "bbans_distribution_init_" + name)(law, *given))
    return law


class ValueArrays(ArrayCoder):
    """What pushes and pops integers under the distributions of section 11.

    Parameters are broadcast to the shape of the values. Numbers, Python's and numpy's,
    lists and float arrays are plain numbers, rounded to fixed point exactly alike on
    every machine. Integer arrays of the type that the `fixed_*` function returns are
    fixed point already, and others are refused; locations and scales are both the one
    or both the other.
    """

    __slots__ = ()

    def _push_values(
        self,
        name: str,
        given: list[Any],
        values: NDArray[Any],
        cause: str,
        weights: NDArray[Any] | None = None,
        leakless: bool = False,
    ) -> None:
        try:
            self._push(_law(name, *given), values, cause, leakless)
        except ModelError as error:
            if error.status == lib.BBANS_ERR_TOTAL and weights is not None:
                blame_weights(weights)
            raise

    def _pop_values(
        self,
        name: str,
        given: list[Any],
        form: tuple[int, ...],
        dtype: DTypeLike,
        out: Any,
        apart: tuple[NDArray[Any], ...],
        cause: str,
        weights: NDArray[Any] | None = None,
    ) -> Any:
        array: NDArray[Any] = np.empty(form, dtype)
        if out is not None:
            try:
                array = np.asarray(memoryview(out))
            except (TypeError, ValueError):
                raise SymbolError("out must be an array of integers") from None
        if (
            array.dtype.kind not in "iu"
            or not array.dtype.isnative
            or array.dtype == np.uint64
            or not array.flags.carray
        ):
            raise SymbolError(
                "out must be a writable, contiguous, aligned array of integers, not of "
                "uint64"
            )
        if array.shape != form:
            raise SymbolError(f"out has shape {array.shape}, not {form}")
        if any(np.may_share_memory(array, other) for other in apart):
            raise SymbolError("out overlaps the parameters")
        status = self._pop(_law(name, *given), array)
        if status == lib.BBANS_ERR_SYMBOL:
            self._refuse_empty()
            raise no_value(cause, status)
        if status == lib.BBANS_ERR_TOTAL and weights is not None:
            blame_weights(weights)
        check(status)
        return out if out is not None else array if form else int(array[()])

    # ---- a range

    def push_range(self, low: int, high: int, values: ArrayLike) -> None:
        """Push integers `low` .. `high`, all equally likely.

        Parameters
        ----------
        low, high : int
            Of 64 bits with sign, ``low <= high``.
        values : array_like of int

        Raises
        ------
        SymbolError
            If a value is outside; the message is unchanged.
        """
        low, high = as_ends(low, high)
        array = _integers(values)
        cause = f"a value is outside {low} .. {high}"
        self._push_values("range", [low, high], array, cause)

    def pop_range(
        self,
        low: int,
        high: int,
        shape: Shape = (),
        *,
        dtype: DTypeLike = np.int64,
        out: Any = None,
    ) -> Any:
        """Pop an array of integers; inverse of `push_range`."""
        low, high = as_ends(low, high)
        form = np.shape(out) if out is not None else np.empty(shape, np.bool_).shape
        cause = f"a value is one of {low} .. {high}"
        return self._pop_values("range", [low, high], form, dtype, out, (), cause)

    # ---- mixtures

    def push_mixture(
        self,
        shape: Any,
        weights: ArrayLike | None,
        location: ArrayLike,
        scale: ArrayLike,
        values: ArrayLike,
        *,
        low: int | None = None,
        high: int | None = None,
    ) -> None:
        """Push integers under mixtures of K components of one shape.

        Parameters
        ----------
        shape : Shape
        weights : array_like, shape (..., K), or None
            Of integers, which sum to 1 .. 2**28 over the components; or of floats
            that sum to about 1, as in `push_probabilities`. None: all alike.
        location, scale : array_like, shape (..., K)
            As in `push_located`. K is 1 to 64.
        values : array_like of int, shape (...)
        low, high : int, optional
            The support; its ends take the mass of what lies beyond. Without them
            every integer of 64 bits can be coded.

        Raises
        ------
        ModelError
            If weights are no such integers or probabilities.
        SymbolError
            If another parameter or a value is out of range, or if a value has no mass,
            for want of a leak; the message is unchanged.
        """
        low, high = as_ends(low, high)
        array = _integers(values)
        parts, _, given = _mixture(shape, weights, location, scale, array.shape)
        cause = f"{LOCATION}, {SCALE}, or a value is outside {low} .. {high}"
        inside = bool(((low <= array) & (array <= high)).all())
        self._push_values(
            "mixture", [*given, low, high], array, cause,
            None if weights is None else parts[0], inside and not shape.leak,
        )  # fmt: skip

    def pop_mixture(
        self,
        shape: Any,
        weights: ArrayLike | None,
        location: ArrayLike,
        scale: ArrayLike,
        *,
        low: int | None = None,
        high: int | None = None,
        dtype: DTypeLike = np.int64,
        out: Any = None,
    ) -> Any:
        """Pop integers; inverse of `push_mixture`."""
        low, high = as_ends(low, high)
        parts, form, given = _mixture(shape, weights, location, scale)
        cause = f"{LOCATION}, {SCALE}"
        return self._pop_values(
            "mixture", [*given, low, high], form, dtype, out, parts, cause,
            None if weights is None else parts[0],
        )  # fmt: skip

    # ---- counts

    def push_geometric(self, scale: ArrayLike, values: ArrayLike) -> None:
        """Push integers v >= 0 with P(V >= v) = exp(-v / scale).

        Parameters
        ----------
        scale : array_like
            As in `push_located`.
        values : array_like of int

        Raises
        ------
        SymbolError
            If a scale or a value is out of range; the message is unchanged.
        """
        self._push_counts("geometric", (("scale", scale, fixed_scales),), values)

    def pop_geometric(
        self, scale: ArrayLike, *, dtype: DTypeLike = np.int64, out: Any = None
    ) -> Any:
        """Pop integers; inverse of `push_geometric`."""
        return self._pop_counts(
            "geometric", (("scale", scale, fixed_scales),), dtype, out
        )

    def push_binomial(
        self, trials: ArrayLike, probability: ArrayLike, values: ArrayLike
    ) -> None:
        """Push numbers of successes.

        Parameters
        ----------
        trials : array_like of int
            Up to ``2**18 - 1``; values are 0 .. trials.
        probability : array_like
            Of success, or what `fixed_probabilities` returns.
        values : array_like of int

        Raises
        ------
        SymbolError
            If a parameter or a value is out of range; the message is unchanged.
        """
        given = _binomial(trials, probability)
        self._push_counts("binomial", given, values)

    def pop_binomial(
        self,
        trials: ArrayLike,
        probability: ArrayLike,
        *,
        dtype: DTypeLike = np.int64,
        out: Any = None,
    ) -> Any:
        """Pop numbers of successes; inverse of `push_binomial`."""
        given = _binomial(trials, probability)
        return self._pop_counts("binomial", given, dtype, out)

    def push_beta_binomial(
        self,
        trials: ArrayLike,
        alpha: ArrayLike,
        beta: ArrayLike,
        values: ArrayLike,
    ) -> None:
        """Push numbers of successes, whose probability is Beta(alpha, beta).

        Parameters
        ----------
        trials : array_like of int
            Up to 4095; values are 0 .. trials.
        alpha, beta : array_like
            From 0 to 65536, or what `fixed_rates` returns.
        values : array_like of int

        Raises
        ------
        SymbolError
            If a parameter or a value is out of range; the message is unchanged.
        """
        given = _beta_binomial(trials, alpha, beta)
        self._push_counts("beta_binomial", given, values)

    def pop_beta_binomial(
        self,
        trials: ArrayLike,
        alpha: ArrayLike,
        beta: ArrayLike,
        *,
        dtype: DTypeLike = np.int64,
        out: Any = None,
    ) -> Any:
        """Pop numbers of successes; inverse of `push_beta_binomial`."""
        given = _beta_binomial(trials, alpha, beta)
        return self._pop_counts("beta_binomial", given, dtype, out)

    def push_poisson(self, mean: ArrayLike, values: ArrayLike) -> None:
        """Push Poisson values.

        Parameters
        ----------
        mean : array_like
            From 0 to 65536, or what `fixed_rates` returns.
        values : array_like of int
            0 or more.

        Raises
        ------
        SymbolError
            If a mean or a value is out of range; the message is unchanged.
        """
        self._push_counts("poisson", (("mean", mean, fixed_rates),), values)

    def pop_poisson(
        self, mean: ArrayLike, *, dtype: DTypeLike = np.int64, out: Any = None
    ) -> Any:
        """Pop integers; inverse of `push_poisson`."""
        return self._pop_counts("poisson", (("mean", mean, fixed_rates),), dtype, out)

    def _push_counts(self, name: str, given: Any, values: ArrayLike) -> None:
        array = _integers(values)
        _, _, arguments, cause = _counts(given, array.shape)
        self._push_values(name, arguments, array, cause)

    def _pop_counts(self, name: str, given: Any, dtype: DTypeLike, out: Any) -> Any:
        parts, form, arguments, cause = _counts(given)
        return self._pop_values(name, arguments, form, dtype, out, parts, cause)


def _mixture(
    shape: Any,
    weights: ArrayLike | None,
    location: ArrayLike,
    scale: ArrayLike,
    form: tuple[int, ...] | None = None,
) -> tuple[tuple[NDArray[Any], ...], tuple[int, ...], list[Any]]:
    parts = [*located_parameters(location, scale)]
    if weights is not None:
        parts.insert(0, as_weights(weights))
    whole = component_shape(*parts)
    if form is not None:
        whole = (*form, whole[-1])
    whole_parts = tuple(spread(part, whole) for part in parts)
    given = _arguments(*whole_parts)
    if weights is None:
        given = [ffi.NULL, 0, *given]
    c_shape = ffi.cast("bbans_shape *", as_shape(shape)._address)
    return whole_parts, whole[:-1], [c_shape, whole[-1], *given]


def _binomial(trials: ArrayLike, probability: ArrayLike) -> Any:
    return ("trials", trials, None), ("probability", probability, fixed_probabilities)


def _beta_binomial(trials: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Any:
    rates = (("alpha", alpha, fixed_rates), ("beta", beta, fixed_rates))
    return (("trials", trials, None), *rates)


_CAUSES = {
    "scale": SCALE,
    "trials": "there are too many trials",
    "probability": "a probability is not from 0 to 1",
    "alpha": "alpha " + RATE,
    "beta": "beta " + RATE,
    "mean": "a mean " + RATE,
}


def _counts(
    given: Any, form: tuple[int, ...] | None = None
) -> tuple[tuple[NDArray[Any], ...], tuple[int, ...], list[Any], str]:
    parts = [
        as_trials(values) if fix is None else parameters(values, fix)
        for _, values, fix in given
    ]
    whole = joint_shape(*parts) if form is None else form
    whole_parts = tuple(spread(part, whole) for part in parts)
    arguments: list[Any] = []
    for part, (_, _, fix) in zip(whole_parts, given, strict=True):
        # C takes trials as uint32 alone.
        arguments += [pointer(part)] if fix is None else _arguments(part)
    causes = [_CAUSES[what] for what, _, _ in given]
    cause = ", ".join([*causes, "or a value is outside"])
    return whole_parts, whole, arguments, cause
