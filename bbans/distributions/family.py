"""Families: standardised distributions as integer tables of their survival function."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer, as_reals
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.distributions.fixed_point import to_real
from bbans.errors import ModelError

__all__ = ["Family", "as_family"]

_EVEN, _OCTAVE, _MOST_OCTAVES = 2048, 256, 13


class Family:
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
    docs/maths.md, "Values of a family". Use `gaussian`, `logistic`, `laplace`,
    `student_t`, or `from_survival`, which take `leak` too. The first three are tables
    of the C library, the same everywhere; the others are computed here in floats, once,
    like every frozen model.
    """

    __slots__ = ("_c", "_quantile", "_survival")

    def __init__(self, survival: ArrayLike, *, leak: bool = True) -> None:
        table = np.array(as_uint32(survival, "survival value"))
        if table.ndim != 1 or table.size < _EVEN + 2 or (table.size - 2) % _OCTAVE:
            raise ModelError("a survival table has 2050 + 256 n entries")
        table.flags.writeable = False
        self._survival: NDArray[np.uint32] = table
        self._quantile = np.empty(lib.BBANS_QUANTILES, np.uint32)
        self._c = ffi.new("bbans_family *")
        self._c.survival = pointer(table)
        self._c.octaves = (table.size - 2 - _EVEN) // _OCTAVE
        self._c.leakless = not as_integer(leak, "leak", 0, 1)
        try:
            check(lib.bbans_family_quantiles(self._c, pointer(self._quantile)))
        except ModelError as error:
            raise ModelError(
                "a survival table falls from 2**31 to 0, over at most 13 octaves",
                error.status,
            ) from None

    @classmethod
    @cache
    def _standard(cls, number: int, leak: int) -> Family:
        family = object.__new__(cls)
        family._c = ffi.new("bbans_family *")
        check(lib.bbans_family_init(family._c, number))
        family._c.leakless = not leak
        size = 4 * (_EVEN + 2 + _OCTAVE * family._c.octaves)
        memory = ffi.buffer(family._c.survival, size)
        family._survival = np.frombuffer(memory, np.uint32)
        family._quantile = np.empty(0, np.uint32)
        return family

    @classmethod
    def gaussian(cls, *, leak: bool = True) -> Family:
        """Return the normal distribution; its scale is the standard deviation."""
        return cls._standard(lib.BBANS_GAUSSIAN, as_integer(leak, "leak", 0, 1))

    @classmethod
    def logistic(cls, *, leak: bool = True) -> Family:
        """Return the logistic distribution, P(T > t) = 1 / (1 + exp(t))."""
        return cls._standard(lib.BBANS_LOGISTIC, as_integer(leak, "leak", 0, 1))

    @classmethod
    def laplace(cls, *, leak: bool = True) -> Family:
        """Return the Laplace distribution, P(T > t) = exp(-t) / 2."""
        return cls._standard(lib.BBANS_LAPLACE, as_integer(leak, "leak", 0, 1))

    @classmethod
    def student_t(cls, degrees: float, *, leak: bool = True) -> Family:
        """Return Student's t distribution.

        Parameters
        ----------
        degrees : float
            Degrees of freedom, 0.5 to 1000. Beyond 65536 scales the tail is flat.
        leak : bool
            As for every family.

        Raises
        ------
        ModelError
            If `degrees` is out of range.
        """
        number = to_real(degrees, "degrees")
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
    ) -> Family:
        """Tabulate a survival function.

        Parameters
        ----------
        survival : callable
            P(T > t) of an increasing array of t >= 0, float; 1/2 at 0.
        leak : bool
            As for every family.

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Family):
            return NotImplemented
        return self.leak == other.leak and np.array_equal(
            self._survival, other._survival
        )

    def __hash__(self) -> int:
        return hash((self.leak, self._survival.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Family, leak=self.leak), (self._survival.copy(),)

    def __repr__(self) -> str:
        leak = "" if self.leak else ", no leak"
        return f"<Family to t = {8 << self._c.octaves}{leak}>"


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


def as_family(family: Any) -> Family:
    """The family that was given, if it is one.

    Raises
    ------
    ModelError
        If it is none.
    """
    made: Family = as_instance(
        family, Family, "family", "a Family, as from Family.gaussian()"
    )
    return made
