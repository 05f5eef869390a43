"""Integers with full covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import (
    as_array,
    as_integer,
    as_message,
    empty_message,
    not_integers,
)
from bbans._lib import check, ffi, lib
from bbans.distributions.family import Family, as_family
from bbans.distributions.fixed_gaussian import fixed_conditionals
from bbans.distributions.location_scale import NO_MASS
from bbans.errors import BbansError, CorruptError, ModelError, SymbolError

__all__ = ["Multivariate", "affine_row", "affine_rows", "point_of"]

PART_BITS = 28
LOCATION_MAX = (1 << 46) - 1
INTEGER_MAX = 1 << 31
LOW_BITS = 24
SCHEDULE_PREC, RANGE_PREC = 26, 28

Values = tuple[int, ...]


def _limited(value: int, limit: int) -> int:
    return max(-limit, min(limit, value))


def point_of(value: int) -> int:
    """An integer as a location; cut, so that products fit 64 bits in C."""
    return _limited(value, INTEGER_MAX) << 16


def affine_row(base: int, row: Sequence[int], vector: Sequence[int]) -> int:
    """base + sum_j row_j vector_j 2^-(24 + shift), where row begins with the shift."""
    shift = row[0]
    # C computes floor(sum / 2^24) from two halves that fit 64 bits.
    total = sum(a * v for a, v in zip(row[1:], vector, strict=False)) >> LOW_BITS
    if shift > 0:
        total = (total + (1 << (shift - 1))) >> shift
    elif shift < 0:
        total = _limited(total, 1 << (48 + shift)) << -shift
    return _limited(base + total, LOCATION_MAX)


def affine_rows(
    base: Any, matrix: NDArray[np.int32], vector: Sequence[int]
) -> list[int]:
    return [
        affine_row(int(b), row, vector)
        for b, row in zip(base, matrix.tolist(), strict=True)
    ]


def _fixed_row(values: Any, name: str, low: int, high: int) -> list[int]:
    array = as_array(values, name, ModelError)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ModelError(
            f"{name} must be a row of integers in fixed point, not of {array.dtype}: "
            "for floats there is Multivariate.from_covariance"
        )
    row: list[int] = array.tolist()
    for i, number in enumerate(row):
        if not low <= number <= high:
            raise ModelError(f"{name}[{i}] is {number}, not {low} to {high}")
    return row


class Multivariate:
    """n integers with full covariance, by the conditionals of each given those before.

    Parameters
    ----------
    location : sequence of int, length n
        Means, in units of 2^-16, below 2^46 either side of 0.
    scale : sequence of int, length n
        256 log2 of the standard deviation of each given those before it.
    lower : ndarray of int32, shape (n, 1 + n), optional
        How each depends on those before it: by how much the mean of i moves
        when j < i differs by 1 from its own is ``lower[i, 1 + j] * 2**-(24 +
        lower[i, 0])``. By default they are independent.
    family : Family, optional
        Of all; by default Gaussian. Of a posterior one with ``leak=False``.
    prec : int
        Precision in bits, 24 to 28. With 28 a push or pop wastes 4e-5 bits, with 26
        3e-6; the slots of values far out take 1e-5 or 3e-5 bits of the others.

    Raises
    ------
    ModelError
        If there are not as many scales and rows as locations, no such family or
        precision, or if the numbers are no integers within their range: for means and
        deviations as floats there is `from_covariance`.

    Notes
    -----
    The value is a tuple of ints. For messages of one lane. docs/maths.md, "Linear
    Gaussian state space models".

    Examples
    --------
    >>> from bbans import Message
    >>> codec = Multivariate.from_covariance([0.5, 10.0], [[9.0, 8.0], [8.0, 9.0]])
    >>> message = Message()
    >>> codec.push(message, (3, 12))
    >>> codec.pop(message)
    (3, 12)
    """

    def __init__(
        self,
        location: Sequence[int],
        scale: Sequence[int],
        lower: NDArray[np.int32] | None = None,
        *,
        family: Family | None = None,
        prec: int = SCHEDULE_PREC,
    ) -> None:
        self._location = _fixed_row(location, "location", -LOCATION_MAX, LOCATION_MAX)
        self._scale = _fixed_row(
            scale, "scale", lib.BBANS_SCALE_MIN, lib.BBANS_SCALE_MAX
        )
        n = len(self._location)
        rows = None if lower is None else as_array(lower, "lower", ModelError)
        if len(self._scale) != n or (rows is not None and rows.shape != (n, n + 1)):
            raise ModelError(f"{n} locations need {n} scales and as many rows")
        if rows is not None and rows.dtype.kind not in "iu":
            raise ModelError(f"lower must be integers, not {rows.dtype}")
        self._lower = None if rows is None else rows.tolist()
        self._family = as_family(Family.gaussian() if family is None else family)
        self._prec = as_integer(prec, "precision", 24, RANGE_PREC)

    @classmethod
    def from_covariance(
        cls, mean: ArrayLike, cov: ArrayLike, *, leak: bool = True
    ) -> Multivariate:
        """A Gaussian rounded to integers, of this mean and covariance, rounding
        included; shapes (n,), (n, n). As portable as these floats are."""
        family = Family.gaussian(leak=leak)
        return cls(*fixed_conditionals(mean, cov), family=family)

    def _located(self, i: int, moved: Sequence[int]) -> int:
        if self._lower is None:
            return self._location[i]
        return affine_row(self._location[i], self._lower[i], moved)

    def push(self, message: Any, value: Sequence[int]) -> None:
        """Push n integers of 64 bits; a refused push changes nothing.

        Raises
        ------
        SymbolError
            If one has no mass, or is no such integer.
        """
        as_message(message)
        values = as_array(value, "values")
        if values.shape != (len(self._location),):
            raise SymbolError(
                f"expected {len(self._location)} values, not shape {values.shape}"
            )
        if values.size and values.dtype.kind not in "iu":
            raise not_integers("values", values)
        start, freq = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        low, bits = ffi.new("uint64_t *"), ffi.new("unsigned *")
        spans: list[tuple[int, int, int]] = []
        moved: list[int] = []
        for i, v in enumerate(values.tolist()):
            if not -(1 << 63) <= v < 1 << 63:
                raise SymbolError(f"value {v} has more than 64 bits")
            at = self._located(i, moved)
            moved.append(point_of(v) - at)
            status = lib.bbans_family_span(
                self._family._c, at, self._scale[i], self._prec, v,
                start, freq, low, bits,
            )  # fmt: skip
            if status == lib.BBANS_ERR_SYMBOL:
                raise SymbolError(
                    f"value {v} at position {i} cannot be coded: {NO_MASS}", status
                )
            check(status)
            spans.append((start[0], freq[0], 1 << self._prec))
            for k in reversed(range(0, bits[0], PART_BITS)):
                total = 1 << min(bits[0] - k, PART_BITS)
                spans.append((low[0] >> k & (total - 1), 1, total))
        for span in reversed(spans):
            message.push_interval(*span)

    def pop(self, message: Any) -> Values:
        """Pop n integers.

        Raises
        ------
        CorruptError
            If one would have more than 64 bits: no such value was pushed.
        MessageError
            If so because the message is empty.
        """
        as_message(message)
        total = 1 << self._prec
        beyond: BbansError = CorruptError("a value has more than 64 bits")
        if getattr(message, "is_empty", False):
            beyond = empty_message()
        start, freq = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        base, step = ffi.new("int64_t *"), ffi.new("int64_t *")
        bits = ffi.new("unsigned *")
        values: list[int] = []
        moved: list[int] = []
        for i in range(len(self._location)):
            at = self._located(i, moved)
            status = lib.bbans_family_find(
                self._family._c, at, self._scale[i], self._prec,
                int(message.peek(total)[0]), start, freq, base, step, bits,
            )  # fmt: skip
            if status == lib.BBANS_ERR_SYMBOL:
                raise beyond
            check(status)
            message.advance(start[0], freq[0], total)
            low = 0
            for k in reversed(range(0, bits[0], PART_BITS)):
                part = 1 << min(bits[0] - k, PART_BITS)
                slot = int(message.peek(part)[0])
                message.advance(slot, 1, part)
                low |= slot << k
            value = base[0] + step[0] * low
            if not -(1 << 63) <= value < 1 << 63:
                raise beyond
            values.append(value)
            moved.append(point_of(value) - at)
        return tuple(values)

    def __repr__(self) -> str:
        return f"<Multivariate: {len(self._location)} integers>"
