"""Shapes: standardised distributions as integer tables of their survival function."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_array, as_integer, as_reals, not_integers
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.errors import ModelError, SymbolError

__all__ = [
    "Shape",
    "as_ends",
    "as_shape",
    "as_trials",
    "as_weights",
    "blame_weights",
    "component_shape",
    "fixed_located",
    "fixed_locations",
    "fixed_probabilities",
    "fixed_rates",
    "fixed_scales",
    "joint_shape",
    "located_parameters",
    "parameters",
    "spread",
    "to_fixed",
    "to_real",
    "without_mass",
]

_EVEN, _OCTAVE, _MOST_OCTAVES = 2048, 256, 13
_REALS = {np.dtype(np.float32): 104, np.dtype(np.float64): 108}


class Shape:
    """A distribution symmetric about 0, to be moved and stretched.

    Parameters
    ----------
    survival : array_like of int, shape (2050 + 256 n,), n <= 13
        P(T > t) in units of ``2**-32`` at t = 0, 1/256, 2/256, ... up to 8, at 256
        equal steps in each of n octaves from there to ``8 * 2**n``, and a 0; it falls
        from ``2**31`` to 0. Between these points it is linear.
    leak : bool
        Whether every integer of 64 bits can be coded, however far out, as a prior and
        a likelihood need it: some 1e-5 of the mass leaks there. A posterior needs
        ``leak=False``: popping from it draws, and a draw from there would cost much
        under the prior. Values whose mass rounds to 0 can then not be pushed.

    Raises
    ------
    ModelError
        If this is no such table.

    Notes
    -----
    docs/maths.md, section 9. Use `gaussian`, `logistic`, `laplace`, `student_t`, or
    `from_survival`, which take `leak` too. The first three are tables of the C library,
    the same everywhere; the others are computed here in floats, once, like every frozen
    model.
    """

    __slots__ = ("_c", "_quantile", "_survival")

    def __init__(self, survival: ArrayLike, *, leak: bool = True) -> None:
        table = np.array(as_uint32(survival, "survival value"))
        if table.ndim != 1 or table.size < _EVEN + 2 or (table.size - 2) % _OCTAVE:
            raise ModelError("a survival table has 2050 + 256 n entries")
        table.flags.writeable = False
        self._survival: NDArray[np.uint32] = table
        self._quantile = np.empty(lib.BBANS_QUANTILES, np.uint32)
        self._c = ffi.new("bbans_shape *")
        self._c.survival = pointer(table)
        self._c.octaves = (table.size - 2 - _EVEN) // _OCTAVE
        self._c.leakless = not as_integer(leak, "leak", 0, 1)
        try:
            check(lib.bbans_shape_quantiles(self._c, pointer(self._quantile)))
        except ModelError as error:
            raise ModelError(
                "a survival table falls from 2**31 to 0, over at most 13 octaves",
                error.status,
            ) from None

    @classmethod
    def _standard(cls, family: int, leak: bool) -> Shape:
        shape = object.__new__(cls)
        shape._c = ffi.new("bbans_shape *")
        check(lib.bbans_shape_init(shape._c, family))
        shape._c.leakless = not as_integer(leak, "leak", 0, 1)
        size = 4 * (_EVEN + 2 + _OCTAVE * shape._c.octaves)
        memory = ffi.buffer(shape._c.survival, size)
        shape._survival = np.frombuffer(memory, np.uint32)
        shape._quantile = np.empty(0, np.uint32)
        return shape

    @classmethod
    def gaussian(cls, *, leak: bool = True) -> Shape:
        """Return the normal distribution; its scale is the standard deviation."""
        return cls._standard(lib.BBANS_GAUSSIAN, leak)

    @classmethod
    def logistic(cls, *, leak: bool = True) -> Shape:
        """Return the logistic distribution, P(T > t) = 1 / (1 + exp(t))."""
        return cls._standard(lib.BBANS_LOGISTIC, leak)

    @classmethod
    def laplace(cls, *, leak: bool = True) -> Shape:
        """Return the Laplace distribution, P(T > t) = exp(-t) / 2."""
        return cls._standard(lib.BBANS_LAPLACE, leak)

    @classmethod
    def student_t(cls, degrees: float, *, leak: bool = True) -> Shape:
        """Return Student's t distribution.

        Parameters
        ----------
        degrees : float
            Degrees of freedom, 0.5 to 1000. Beyond 65536 scales the tail is flat.
        leak : bool
            As for every shape.

        Raises
        ------
        ModelError
            If `degrees` is out of range.
        """
        number = to_real(degrees)
        if number.ndim or not 0.5 <= number <= 1000:
            raise ModelError(f"degrees of freedom are 0.5 to 1000, not {degrees!r}")
        return cls.from_survival(
            lambda t: _student_t_survival(t, float(number)), leak=leak
        )

    @classmethod
    def from_survival(
        cls,
        survival: Callable[[NDArray[np.float64]], ArrayLike],
        *,
        leak: bool = True,
    ) -> Shape:
        """Tabulate a survival function.

        Parameters
        ----------
        survival : callable
            P(T > t) of an increasing array of t >= 0, float; 1/2 at 0.
        leak : bool
            As for every shape.

        Raises
        ------
        ModelError
            If it is not 1/2 at 0, rises, or is not finite.
        """
        t = _points(_MOST_OCTAVES)
        values = as_reals(survival(t), "values of a survival function")
        if values.shape != t.shape or not np.isfinite(values).all():
            raise ModelError("a survival function gives a finite number for each t")
        if abs(values[0] - 0.5) > 1e-6 or (np.diff(values) > 1e-9).any():
            raise ModelError("a survival function falls from 1/2 at t = 0")
        table = np.rint(np.clip(values, 0, 0.5) * 2.0**32).astype(np.uint32)
        table = np.minimum.accumulate(table)
        ends = _EVEN + _OCTAVE * np.arange(_MOST_OCTAVES + 1)
        octaves = min(int((table[ends] > 0).sum()), _MOST_OCTAVES)
        table = table[: ends[octaves] + 1]
        table[0], table[-1] = 1 << 31, 0
        return cls(np.append(table, np.uint32(0)), leak=leak)

    @property
    def survival(self) -> NDArray[np.uint32]:
        """The table, read-only."""
        return self._survival

    @property
    def leak(self) -> bool:
        """Whether every integer of 64 bits can be coded; False for posteriors."""
        return not self._c.leakless

    @property
    def _address(self) -> int:
        return int(ffi.cast("uintptr_t", self._c))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Shape):
            return NotImplemented
        return self.leak == other.leak and np.array_equal(
            self._survival, other._survival
        )

    def __hash__(self) -> int:
        return hash((self.leak, self._survival.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Shape, leak=self.leak), (self._survival.copy(),)

    def __repr__(self) -> str:
        leak = "" if self.leak else ", no leak"
        return f"<Shape to t = {8 << self._c.octaves}{leak}>"


def _points(octaves: int) -> NDArray[np.float64]:
    even = np.arange(_EVEN) / 256
    beyond = [(256 + np.arange(_OCTAVE)) / 32 * 2**k for k in range(octaves)]
    return np.concatenate([even, *beyond, [8.0 * 2**octaves]])


def _student_t_survival(t: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    # With t = sqrt(nu) cot(s) the density is proportional to sin(s)^(nu - 1), s from
    # 0 at infinity to pi / 2 at 0; beyond the last point it is s^(nu - 1).
    s = np.arctan2(math.sqrt(degrees), t)[::-1]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    width = np.diff(s)
    inside = s[:-1, None] + width[:, None] * (nodes + 1) / 2
    parts = (np.sin(inside) ** (degrees - 1) @ weights) * width / 2
    total = np.concatenate([[s[0] ** degrees / degrees], parts]).cumsum()
    return np.asarray(total[::-1] / (2 * total[-1]))


# ---- parameters: plain numbers, or what the functions below give
#
# The rule, everywhere: a numpy array of the integer type that its `fixed_*` function
# returns is fixed point, and an array of any other integers is refused, as it could
# be meant as either. All else are plain numbers: Python's and numpy's scalars, lists,
# arrays of floats. Locations and scales come both in fixed point or both not, as an
# array of int64 is more often one of plain numbers that nobody converted.


def to_real(values: ArrayLike) -> NDArray[Any]:
    """Plain numbers as floats: of 32 bits if they are, else of 64.

    Raises
    ------
    SymbolError
        If they are no real numbers.
    """
    array = as_array(values, "parameters")
    if array.dtype.kind not in "iuf":
        raise SymbolError(f"parameters must be real numbers, not {array.dtype}")
    return array if array.dtype in _REALS else array.astype(np.float64)


def parameters(values: ArrayLike, fix: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    """Parameters as floats, or as they are if they are what `fix` returns.

    Raises
    ------
    SymbolError
        If they are no real numbers, or a numpy array of other integers, which could
        be meant as either.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        if values.dtype == _FIXED[fix]:
            return as_array(values, "parameters")
        raise SymbolError(
            f"parameters of {values.dtype} are neither floats nor fixed point: pass "
            f"them .astype(float), or through {fix.__name__}(...)"
        )
    return to_real(values)


def located_parameters(
    location: ArrayLike, scale: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`parameters` of locations and scales, both in the same form.

    Raises
    ------
    SymbolError
        If they are no such numbers, or one alone is fixed point.
    """
    at, by = parameters(location, fixed_locations), parameters(scale, fixed_scales)
    if (at.dtype.kind == "i") != (by.dtype.kind == "i"):
        fixed = ("locations", "scales")[by.dtype.kind == "i"]
        raise SymbolError(
            f"{fixed} of integers are fixed point, and the others are plain numbers: "
            "pass them .astype(float), or both through fixed_locations(...) and "
            "fixed_scales(...)"
        )
    return at, by


def fixed_located(
    location: ArrayLike, scale: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`located_parameters` in fixed point."""
    at, by = located_parameters(location, scale)
    return to_fixed(at, fixed_locations), to_fixed(by, fixed_scales)


def to_fixed(values: ArrayLike, fix: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    """`parameters` in fixed point."""
    array = parameters(values, fix)
    return array if array.dtype.kind in "iu" else fix(array)


def as_weights(weights: ArrayLike) -> NDArray[Any]:
    """Integer weights, or probabilities.

    Raises
    ------
    SymbolError
        If they are neither.
    """
    array = as_array(weights, "weights")
    if array.dtype.kind in "iu":
        return as_uint32(array, "weight")
    return to_real(array)


def blame_weights(weights: NDArray[Any]) -> None:
    """Name the first row whose sum no code has, if there is one.

    Raises
    ------
    ModelError
        If there is.
    """
    rows = weights.reshape(-1, weights.shape[-1])
    if weights.dtype.kind == "f":
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
        where = f"row {at} of the weights" if len(rows) > 1 else "the weights"
        raise ModelError(
            f"{where} must be {wanted}: the least is {rows[at].min()}, the total "
            f"{sums[at]}",
            lib.BBANS_ERR_TOTAL,
        )


def as_trials(values: ArrayLike) -> NDArray[np.uint32]:
    """Numbers of trials, which are integers of any type."""
    array = as_array(values, "trials")
    if array.dtype.kind not in "iu":
        raise not_integers("trials", array)
    return as_uint32(array, "number of trials")


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


def as_shape(shape: Any) -> Shape:
    """The shape that was given, if it is one."""
    if not isinstance(shape, Shape):
        raise ModelError(f"a shape is one like Shape.gaussian(), not {shape!r}")
    return shape


def without_mass(value: int, position: int) -> str:
    """What to say of a value that a shape without a leak cannot code."""
    return (
        f"value {value} at position {position} has no mass: it is too far out for a "
        "shape with leak=False, which is for posteriors"
    )


def joint_shape(*arrays: NDArray[Any]) -> tuple[int, ...]:
    """The shape to which parameters are broadcast.

    Raises
    ------
    SymbolError
        If there is none.
    """
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise SymbolError(f"parameters of shapes {shapes} do not fit") from None


def component_shape(*arrays: NDArray[Any]) -> tuple[int, ...]:
    """`joint_shape` of the parameters of a mixture, components last."""
    whole = joint_shape(*arrays)
    if not whole:
        raise SymbolError("mixtures need an axis of components")
    if not 1 <= whole[-1] <= lib.BBANS_COMPONENTS_MAX:
        raise SymbolError(
            f"a mixture has 1 to {lib.BBANS_COMPONENTS_MAX} components, not {whole[-1]}"
        )
    return whole


def spread(array: NDArray[Any], shape: int | tuple[int, ...]) -> NDArray[Any]:
    """A parameter broadcast to a shape, as C reads it.

    Raises
    ------
    SymbolError
        If it does not fit.
    """
    try:
        whole = np.broadcast_to(array, shape)
    except ValueError:
        raise SymbolError(
            f"a parameter of shape {array.shape} does not fit {shape}"
        ) from None
    return np.require(whole, requirements=["C", "A"])


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
    out: NDArray[np.int64] = _rounded(
        lib.bbans_fix_locations,
        values,
        np.int64,
        "a location is not a number between -2**46 and 2**46",
    )
    return out


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
    out: NDArray[np.int32] = _rounded(
        lib.bbans_fix_scales,
        values,
        np.int32,
        "a scale is not a number from 2**-12 to 2**47",
    )
    return out


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
    out: NDArray[np.uint32] = _rounded(
        lib.bbans_fix_rates, values, np.uint32, "a rate is not a number from 0 to 65536"
    )
    return out


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
    out: NDArray[np.uint32] = _rounded(
        lib.bbans_fix_probabilities,
        values,
        np.uint32,
        "a probability is not a number from 0 to 1",
    )
    return out


def _rounded(
    function: Any, values: ArrayLike, dtype: DTypeLike, cause: str
) -> NDArray[Any]:
    """What a function of C that fixes points makes of real numbers."""
    array = np.require(to_real(values), requirements=["C", "A"])
    out = np.empty(array.shape, dtype)
    if function(
        pointer(array), _REALS[array.dtype], array.size,
        pointer(out, f"{out.dtype}_t[]"),
    ):  # fmt: skip
        raise SymbolError(cause)
    return out


_FIXED: dict[Any, Any] = {
    fixed_locations: np.int64,
    fixed_scales: np.int32,
    fixed_rates: np.uint32,
    fixed_probabilities: np.uint32,
}
