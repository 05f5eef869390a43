"""Parameters of distributions: plain numbers, or integers in fixed point.

The rule, everywhere: a numpy array of the integer type that its `fixed_*` function
returns is fixed point, and an array of any other integers is refused, as it could be
meant as either. So could a scalar of numpy of that very type, an element of such an
array: it is refused too. Everything else is plain numbers: Python's, other scalars,
lists, floats. Locations and scales come both in fixed point or both not, as an array of
int64 is more often one of plain numbers that nobody converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer, not_integers
from bbans._lib import as_uint32, ffi, lib, pointer
from bbans.errors import ModelError, SymbolError

__all__ = [
    "LOCATIONS",
    "PROBABILITIES",
    "RATES",
    "SCALES",
    "FixedPoint",
    "Integers",
    "Parameter",
    "Weights",
    "as_ends",
    "as_shape",
    "as_trials",
    "as_weights",
    "broadcast",
    "c_array",
    "fixed_locations",
    "fixed_probabilities",
    "fixed_rates",
    "fixed_scales",
    "joint_shape",
    "kept",
    "location_and_scale",
    "rounded_locations",
    "to_real",
]

# By numpy's number of a type, the quickest to ask for.
_TYPES = {
    np.dtype(letter).num: np.dtype(letter).itemsize * (1 if letter.isupper() else -1)
    for letter in "bBhHiIlLqQ"
} | {np.dtype(real).num: 100 + np.dtype(real).itemsize for real in "fd"}
_NUMBERS = (float, int)  # Python's own, as of a model's step: quick


def c_array(array: NDArray[Any]) -> tuple[Any, int]:
    """Pointer and type of an array, for C; the array must outlive their use."""
    return ffi.from_buffer(array), _TYPES[array.dtype.num]


def to_real(values: ArrayLike, name: str) -> NDArray[Any]:
    """Plain numbers as floats: of 32 bits if they are, else of 64.

    Raises
    ------
    SymbolError
        If they are no real numbers.
    """
    array = as_array(values, name)
    if array.dtype.char in "fd" and array.dtype.isnative:
        return array
    if array.dtype.kind not in "iuf":
        raise SymbolError(f"{name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64)


def kept(array: NDArray[Any], copy: bool) -> NDArray[Any]:
    """An array as a distribution keeps it, so that C can read it."""
    return np.array(array, order="C") if copy else readable(array)


def readable(array: NDArray[Any]) -> NDArray[Any]:
    """An array as C can read it, if need be a copy."""
    flags = array.flags
    if flags.c_contiguous and flags.aligned:
        return array
    return np.require(array, requirements=["C", "A"])


# ---- parameters


class Format(Protocol):
    """What the numbers of a parameter may be."""

    def check(self, name: str, array: NDArray[Any]) -> None:
        """Raise an error that names the first number at fault, if there is one."""

    def real(self, array: NDArray[Any]) -> NDArray[Any]:
        """What they stand for."""


class Parameter(NamedTuple):
    """A parameter of a distribution, as C reads it."""

    name: str
    array: NDArray[Any]
    format: Format

    def check(self) -> None:
        """Raise an error that names the first number at fault, if there is one."""
        self.format.check(self.name, self.array)

    def real(self) -> NDArray[Any]:
        """What its numbers stand for."""
        is_real = self.array.dtype.kind == "f"  # weights, or not copied
        return self.array if is_real else self.format.real(self.array)


def _where(name: str, array: NDArray[Any], i: int) -> str:
    position = f" at position {i}" if array.ndim else ""
    return f"{name} {array.flat[i]}{position}"


class Integers(NamedTuple):
    """Integers from `low` to `high`."""

    low: int
    high: int

    def check(self, name: str, array: NDArray[Any]) -> None:
        """Raise an error that names the first integer outside, if there is one."""
        outside = (array < self.low) | (array > self.high)
        if outside.any():
            where = _where(name, array, int(np.flatnonzero(outside)[0]))
            raise SymbolError(f"{where} is not {self.low} to {self.high}")

    def real(self, array: NDArray[Any]) -> NDArray[Any]:
        """The integers themselves."""
        return array


class Weights:
    """Rows of integers with a sum of 1 to 2**28, or of probabilities."""

    def check(self, name: str, array: NDArray[Any]) -> None:
        """Raise an error that names the first row whose sum no code has, if any."""
        rows = array.reshape(-1, array.shape[-1])
        if array.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                sums = rows.sum(axis=1, dtype=np.float64)
            good = (rows >= 0).all(axis=1) & (sums >= 0.5)
            good &= sums < 2 - rows.shape[1] * 2.0**-27
            wanted = "probabilities >= 0 that sum to 1; divide by the sum"
        else:
            sums = rows.sum(axis=1, dtype=np.uint64)
            good = (sums >= 1) & (sums <= lib.BBANS_TOTAL_MAX)
            wanted = "integer weights that sum to 1 .. 2**28"
        if not good.all():
            at = int(np.flatnonzero(~good)[0])
            where = f"row {at} of the {name}" if len(rows) > 1 else f"the {name}"
            raise ModelError(
                f"{where} must be {wanted}: the least is {rows[at].min()}, the total "
                f"{sums[at]}",
                lib.BBANS_ERR_TOTAL,
            )

    def real(self, array: NDArray[Any]) -> NDArray[Any]:
        """The weights themselves."""
        return array


class FixedPoint(NamedTuple):
    """Real numbers as integers, `low` to `high`, of one type."""

    constant: str
    """The name of this format here."""
    fix: Any
    """The function of C that rounds them."""
    ctype: str
    dtype: Any
    low: int
    high: int
    wanted: str
    real: Callable[[NDArray[Any]], NDArray[Any]]

    def rounded(self, name: str, values: ArrayLike) -> NDArray[Any]:
        """Round real numbers.

        Raises
        ------
        SymbolError
            If one is out of range or no number.
        """
        array = readable(to_real(values, name))
        out = np.empty(array.shape, self.dtype)
        memory, kind = c_array(array)
        to = pointer(out, self.ctype)
        if self.fix(memory, kind, array.size, to):
            at = next(
                i for i in range(array.size)
                if self.fix(memory + array.itemsize * i, kind, 1, to + i)
            )  # fmt: skip
            where = _where(name, array, at)
            raise SymbolError(f"{where} is not a number {self.wanted}")
        return out

    def is_fixed(self, name: str, values: ArrayLike) -> bool:
        """Whether these are fixed point already.

        Raises
        ------
        SymbolError
            If they could be meant as either.
        """
        if type(values) in _NUMBERS:
            return False
        array = as_array(values, name)
        if isinstance(values, np.ndarray) and array.dtype.kind in "iu":
            if array.dtype == self.dtype:
                return True
        elif not isinstance(values, self.dtype):
            return False
        raise SymbolError(
            f"{name} of {array.dtype} is neither floats nor fixed point: pass it "
            f".astype(float), or an array through fixed_{self.constant.lower()}(...)"
        )

    def parameter(self, name: str, values: ArrayLike, copy: bool = True) -> Parameter:
        """A parameter in fixed point; without `copy`, floats stay as they are, and C
        rounds them.

        Raises
        ------
        SymbolError
            If they are no real numbers in range, or integers of numpy that are not
            fixed point.
        """
        if self.is_fixed(name, values):
            parameter = Parameter(name, kept(as_array(values, name), copy), self)
            if copy:
                parameter.check()
            return parameter
        if copy:
            return Parameter(name, self.rounded(name, values), self)
        return Parameter(name, kept(to_real(values, name), copy), self)

    def __reduce__(self) -> str:
        return self.constant  # pickle takes this constant of the module

    def check(self, name: str, array: NDArray[Any]) -> None:
        """Raise an error that names the first number out of range, if there is one."""
        if array.dtype.kind == "f":
            self.rounded(name, array)
        else:
            Integers(self.low, self.high).check(f"{name} in fixed point", array)


LOCATIONS = FixedPoint(
    "LOCATIONS",
    lib.bbans_locations_fix,
    "int64_t[]",
    np.int64,
    1 - 2**62,
    2**62 - 1,
    "between -2**46 and 2**46",
    lambda array: array / 2.0**16,
)
SCALES = FixedPoint(
    "SCALES",
    lib.bbans_scales_fix,
    "int32_t[]",
    np.int32,
    lib.BBANS_SCALE_MIN,
    lib.BBANS_SCALE_MAX,
    "from 2**-12 to 2**47",
    lambda array: 2.0 ** (array / 256.0),
)
RATES = FixedPoint(
    "RATES",
    lib.bbans_rates_fix,
    "uint32_t[]",
    np.uint32,
    1,
    2**32 - 1,
    "from 0 to 65536",
    lambda array: array / 2.0**16,
)
PROBABILITIES = FixedPoint(
    "PROBABILITIES",
    lib.bbans_probabilities_fix,
    "uint32_t[]",
    np.uint32,
    1,
    2**32 - 1,
    "from 0 to 1",
    lambda array: array / 2.0**32,
)


def fixed_locations(values: ArrayLike) -> NDArray[np.int64]:
    """Round locations to the fixed-point format.

    Parameters
    ----------
    values : array_like of float
        Each less than ``2**46`` either side of 0.

    Returns
    -------
    locations : ndarray of int64, same shape
        ``values * 2**16``, halves rounded away from 0: the same on every machine.

    Raises
    ------
    SymbolError
        If one is out of range or no number.
    """
    return LOCATIONS.rounded("location", values)


def fixed_scales(values: ArrayLike) -> NDArray[np.int32]:
    """Round scales to the fixed-point format.

    Parameters
    ----------
    values : array_like of float
        From ``2**-12`` to just below ``2**47``.

    Returns
    -------
    scales : ndarray of int32, same shape
        ``256 * log2(values)``, rounded to the nearest: the same on every machine.

    Raises
    ------
    SymbolError
        If one is out of range or no number.
    """
    return SCALES.rounded("scale", values)


def fixed_rates(values: ArrayLike) -> NDArray[np.uint32]:
    """Round means, and the parameters of a beta distribution, to fixed point.

    Parameters
    ----------
    values : array_like of float
        From 0 to 65536.

    Returns
    -------
    rates : ndarray of uint32, same shape
        ``values * 2**16``, halves rounded up, at least 1 and at most ``2**32 - 1``:
        the same on every machine.

    Raises
    ------
    SymbolError
        If one is out of range or no number.
    """
    return RATES.rounded("rate", values)


def fixed_probabilities(values: ArrayLike) -> NDArray[np.uint32]:
    """Round probabilities to fixed point.

    Parameters
    ----------
    values : array_like of float
        From 0 to 1.

    Returns
    -------
    probabilities : ndarray of uint32, same shape
        ``values * 2**32``, halves rounded up, at least 1 and at most ``2**32 - 1``:
        the same on every machine.

    Raises
    ------
    SymbolError
        If one is out of range or no number.
    """
    return PROBABILITIES.rounded("probability", values)


def location_and_scale(
    names: tuple[str, str], location: ArrayLike, scale: ArrayLike, copy: bool = True
) -> tuple[Parameter, Parameter]:
    """Parameters of locations and scales, both in the same form.

    Raises
    ------
    SymbolError
        If they are no such numbers, or one alone is fixed point.
    """
    if not (isinstance(location, np.int64) and isinstance(scale, np.int32)):
        location, scale = (  # scalars, which are not both elements of fixed point
            number.item() if isinstance(number, np.generic) else number
            for number in (location, scale)
        )
    fixed = LOCATIONS.is_fixed(names[0], location), SCALES.is_fixed(names[1], scale)
    if fixed[0] != fixed[1]:
        raise SymbolError(
            f"{names[fixed[1]]} of integers is fixed point, and {names[fixed[0]]} is "
            "plain numbers: pass .astype(float), or both through fixed_locations(...) "
            "and fixed_scales(...)"
        )
    return (
        LOCATIONS.parameter(names[0], location, copy),
        SCALES.parameter(names[1], scale, copy),
    )


def rounded_locations(location: NDArray[Any]) -> NDArray[np.int64]:
    """Locations in fixed point as the integers next to them, halves up."""
    nearest: NDArray[np.int64] = (location + (1 << 15)) >> 16
    return nearest


def as_weights(weights: ArrayLike, copy: bool = True) -> Parameter:
    """Integer weights, or probabilities, along the last axis.

    Raises
    ------
    SymbolError
        If they are neither.
    """
    array = as_array(weights, "weights")
    if array.dtype.kind not in "iu":
        array = to_real(array, "weights")
    elif array.dtype != np.uint32:
        array = as_uint32(array, "weight")
    if array.ndim < 1:
        raise SymbolError("weights must have an axis of symbols")
    return Parameter("weights", kept(array, copy), Weights())


def as_trials(values: ArrayLike, most: int, copy: bool = True) -> Parameter:
    """Numbers of trials, which are integers of any type.

    Raises
    ------
    SymbolError
        If one is not 0 to `most`.
    """
    array = as_array(values, "trials")
    if array.dtype.kind not in "iu":
        raise not_integers("trials", array)
    trials = Parameter("trials", array, Integers(0, most))
    trials.check()
    return trials._replace(array=kept(as_uint32(array, "trials"), copy))


def as_ends(low: int | None, high: int | None) -> tuple[int, int]:
    """The ends of a range of integers of 64 bits, by default of all.

    Raises
    ------
    SymbolError
        If there is no such range.
    """
    least, most = -(1 << 63), (1 << 63) - 1
    low = as_integer(least if low is None else low, "low", least, most, SymbolError)
    high = as_integer(most if high is None else high, "high", low, most, SymbolError)
    return low, high


# ---- shapes of arrays


def as_shape(shape: Any) -> tuple[int, ...]:
    """The shape of an array that was given, as a tuple.

    Raises
    ------
    ModelError
        If it is none.
    """
    if type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape):
        return shape  # as of an array: quick
    try:
        return np.broadcast_shapes(shape)
    except (TypeError, ValueError, RuntimeError):  # the last of too many axes
        raise ModelError(f"shape must be one of an array, not {shape!r}") from None


def joint_shape(*arrays: NDArray[Any]) -> tuple[int, ...]:
    """The shape to which parameters are broadcast.

    Raises
    ------
    SymbolError
        If there is none.
    """
    if not arrays:
        return ()
    shapes = [array.shape for array in arrays]
    if shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        given = ", ".join(str(array.shape) for array in arrays)
        raise SymbolError(f"parameters of shapes {given} do not fit") from None


def broadcast(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A parameter broadcast to a shape that it fits, as C reads it."""
    if array.shape == shape:
        return array
    return readable(np.broadcast_to(array, shape))
