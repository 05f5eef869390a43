"""What a distribution is: a law of integers, with arrays of parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_array, empty_message, no_value, not_integers
from bbans._lib import check, lib, pointer
from bbans.distributions._law import Law
from bbans.distributions.fixed_point import (
    FixedPoint,
    Parameter,
    as_shape,
    broadcast,
    c_array,
    joint_shape,
)
from bbans.errors import ModelError, SymbolError

__all__ = ["Distribution"]

_DTYPES = {np.dtype(name) for name in ["i1", "u1", "i2", "u2", "i4", "u4", "i8"]}
_STATE = "shape", "dtype", "_row", "_parameters"  # what a copy needs of a Law
_SHOWN = 6  # numbers of an array in a repr


class Distribution(Law, ABC):
    """A law of integers: one for each value of an array.

    Every coder takes every distribution: ``message.push(distribution, values)`` and
    ``message.pop(distribution, shape)``, where its parameters are broadcast to the
    values. A distribution is a codec as well, of values of the shape of its parameters:
    for `RangeEncoder.encode`, and for codecs made of codecs.

    Attributes
    ----------
    shape : tuple of int
        Of a value as a codec: that of the parameters together.
    dtype : dtype
        Of popped arrays. A single value is popped as an int.

    Notes
    -----
    A distribution does not change: it copies its parameters, and rounds and checks them
    once. Those that take ``copy=False`` then read arrays of numpy where they are,
    whenever they code: nobody may write to them meanwhile, floats are rounded each
    time, and what is out of range is refused by `push` and `pop`. That is quicker for
    long arrays that are coded once.

    A subclass passes its parameters to `__init__`, fills the struct of C in `_init`,
    says in `_reason` why a value is refused, and in `_mode` which are likely.
    """

    _noun = "value"
    _row_axes = 0
    """Axes at the end of the parameters that values lack, as that of weights."""

    def __init__(
        self, *parameters: Parameter, dtype: DTypeLike, shape: Any = None
    ) -> None:
        whole = joint_shape(*[parameter.array for parameter in parameters])
        cut = len(whole) - self._row_axes
        self._parameters, self._row = parameters, whole[cut:]
        self.shape: tuple[int, ...] = whole[:cut]
        self.dtype = np.dtype(dtype)
        if self.dtype not in _DTYPES:
            raise ModelError(
                f"dtype must be a type of integers, of less than 64 bits if it has no "
                f"sign, not {self.dtype}"
            )
        if shape is not None:
            self.shape = as_shape(shape)
            self._check_fit(whole[:cut], self.shape)
        self._link()

    @abstractmethod
    def _init(self, c: Any, *arrays: Any) -> Any:
        """Fill the struct of C, given each parameter as a pointer and a type."""

    @abstractmethod
    def _reason(self, value: int, at: int) -> str:
        """Why the value at this position is refused, if not for its parameters."""

    @abstractmethod
    def _mode(self, *arrays: Any) -> Any:
        """The mode, given each parameter in fixed point."""

    def _given(self) -> dict[str, Any]:
        """The arguments that make this distribution, as `repr` shows them."""
        return {p.name: p.real() for p in self._parameters}

    def _link(self) -> None:
        self._arrays = tuple(
            broadcast(p.array, self.shape + self._row) for p in self._parameters
        )
        check(self._init(self._c, *map(c_array, self._arrays)))

    @staticmethod
    def _check_fit(given: tuple[int, ...], shape: tuple[int, ...]) -> None:
        try:
            fits = given in ((), shape) or np.broadcast_shapes(given, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise SymbolError(
                f"parameters of shape {given} do not fit values of {shape}"
            )

    def broadcast(self, shape: int | tuple[int, ...]) -> Distribution:
        """Return the distribution of values of this shape, as coders use it.

        Raises
        ------
        SymbolError
            If the parameters do not fit them.
        """
        shape = as_shape(shape)
        if shape == self.shape:
            return self
        self._check_fit(self.shape, shape)
        whole = self._like()
        whole.shape = shape
        if self._parameters:  # else the struct is that of any number of values
            whole._link()
        return whole

    def _row_at(self, k: int) -> Distribution:
        """The distribution of row k of the values."""
        row = self._like()
        row.shape = self.shape[1:]
        row._parameters = tuple(
            parameter._replace(array=array[k])
            for parameter, array in zip(self._parameters, self._arrays, strict=True)
        )
        if row._parameters:
            row._link()
        return row

    # ---- as a codec: push and pop are those of Law

    def _fitting(self, value: ArrayLike) -> NDArray[Any]:
        """Values that were given, if they have this shape.

        Raises
        ------
        SymbolError
            If they have not.
        """
        array = as_array(value, f"{self._noun}s")
        if array.shape != self.shape:
            raise SymbolError(
                f"expected {self._noun}s of shape {self.shape}, not {array.shape}"
            )
        return array

    def mode(self) -> Any:
        """Return the most likely value, or one near it.

        Returns
        -------
        int or ndarray
            As `pop`: an int, or an array of `shape` and `dtype`. The same on every
            machine.

        Raises
        ------
        SymbolError, ModelError
            If parameters that were not copied are out of range.

        Notes
        -----
        Of a location-scale family the location, halves rounded up; of a mixture that
        of the component of the greatest weight; of a beta-binomial the mean.
        """
        self._check()
        modes = self._mode(
            *[
                parameter.format.rounded(parameter.name, array)
                if isinstance(parameter.format, FixedPoint) and array.dtype.kind == "f"
                else array
                for parameter, array in zip(self._parameters, self._arrays, strict=True)
            ]
        )
        held = np.iinfo(self.dtype)
        values = np.clip(np.asarray(modes, np.int64), held.min, held.max)
        if not self.shape:
            return int(values)
        return np.broadcast_to(values, self.shape).astype(self.dtype)

    def masses(self, values: ArrayLike) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """Return the probability of each value, exactly as it is coded.

        Parameters
        ----------
        values : array_like of int

        Returns
        -------
        mantissa : ndarray of uint32
            From 2**31 on, of the values' shape; 0 for a value that cannot be coded.
        exponent : ndarray of int32
            The mass is mantissa 2**exponent, rounded down.

        Raises
        ------
        SymbolError, ModelError
            If the parameters do not fit the values, or are out of range.

        Notes
        -----
        docs/maths.md, "Masses". The same integers on every machine, so that codecs may
        weigh by them.
        """
        array = as_array(values, f"{self._noun}s")
        if array.dtype.kind not in "iu":
            raise not_integers(f"{self._noun}s", array)
        if array.dtype == np.uint64:
            array = array.astype(np.int64)
        array = np.ascontiguousarray(array).reshape(array.shape)
        law = self.broadcast(array.shape)
        mantissa = np.empty(array.shape, np.uint32)
        exponent = np.empty(array.shape, np.int32)
        status = lib.bbans_distribution_masses(
            law._c, *c_array(array), array.size,
            pointer(mantissa), pointer(exponent, "int32_t[]"),
        )  # fmt: skip
        if status != lib.BBANS_OK or not mantissa.all():
            law._check()
        check(status)
        return mantissa, exponent

    # ---- what a coder says when C refuses

    def _check(self) -> None:
        for parameter in self._parameters:
            parameter.check()

    def _refuse_push(self, value: Any, at: int, status: int) -> NoReturn:
        self._check()
        raise SymbolError(
            f"{self._noun} {value} at position {at} cannot be coded: "
            f"{self._reason(value, at)}",
            status,
        )

    def _refuse_pop(self, is_empty: bool, status: int | None) -> NoReturn:
        self._check()
        raise empty_message() if is_empty else no_value(status)

    # ---- repr, pickle, copy

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={_shown(x)}" for name, x in self._given().items())
        return f"{type(self).__name__}({given})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {name: getattr(self, name) for name in _STATE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._link()


def _shown(value: Any) -> str:
    if not isinstance(value, np.ndarray | np.generic):
        return repr(value)
    if value.size > _SHOWN:
        return f"<array of shape {value.shape}>"
    numbers: Any = value if value.dtype.kind in "iu" else np.vectorize(_digits)(value)
    return repr(numbers.tolist())


def _digits(x: float) -> float:
    """The number without what is beyond the digits of fixed point."""
    return float(f"{x:.6g}")
