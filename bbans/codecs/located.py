"""Codecs of integers under a shape, with arrays of locations and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans.codecs.base import MessageLike
from bbans.errors import SymbolError
from bbans.shapes import Shape, fixed_locations, fixed_scales

__all__ = ["Gaussian", "Laplace", "Located", "Logistic", "StudentT"]


class Located:
    """Integers with the mass of a continuous distribution around each.

    Parameters
    ----------
    shape : Shape
        The standardised distribution.
    location, scale : array_like
        Of floats, or of integers in the fixed-point formats that `fixed_locations`
        and `fixed_scales` give. Broadcast, their shape is that of the value.
    dtype : data-type
        Of popped integers.

    Notes
    -----
    Value v has the mass between ``(v - 1/2 - location) / scale`` and
    ``(v + 1/2 - location) / scale``, plus at least one slot of ``2**-28`` for its
    bin, so that every integer of 64 bits can be coded: docs/maths.md, section 9.
    Floats are rounded once, here, exactly alike on every machine.
    """

    def __init__(
        self,
        shape: Shape,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
    ) -> None:
        at, by = np.asarray(location), np.asarray(scale)
        self._location = at if at.dtype.kind in "iu" else fixed_locations(at)
        self._scale = by if by.dtype.kind in "iu" else fixed_scales(by)
        self._form = np.broadcast_shapes(at.shape, by.shape)
        self._shape, self._dtype = shape, dtype

    def push(self, message: MessageLike, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        if np.shape(value) != self._form:
            raise SymbolError(
                f"expected values of shape {self._form}, not {np.shape(value)}"
            )
        message.push_located(self._shape, self._location, self._scale, value)

    def pop(self, message: MessageLike) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_located(
            self._shape, self._location, self._scale, dtype=self._dtype
        )


def _real(values: ArrayLike) -> Any:
    return np.asarray(values, np.float64)


class Gaussian(Located):
    """Integers under a discretised normal distribution.

    Parameters
    ----------
    mean, deviation : array_like of float
        Broadcast, their shape is that of the value.
    dtype : data-type
        Of popped integers.
    """

    def __init__(
        self, mean: ArrayLike, deviation: ArrayLike, dtype: DTypeLike = np.int64
    ) -> None:
        super().__init__(Shape.gaussian(), _real(mean), _real(deviation), dtype)


class Logistic(Located):
    """Integers under a discretised logistic distribution; see `Gaussian`."""

    def __init__(
        self, location: ArrayLike, scale: ArrayLike, dtype: DTypeLike = np.int64
    ) -> None:
        super().__init__(Shape.logistic(), _real(location), _real(scale), dtype)


class Laplace(Located):
    """Integers under a discretised Laplace distribution; see `Gaussian`."""

    def __init__(
        self, location: ArrayLike, scale: ArrayLike, dtype: DTypeLike = np.int64
    ) -> None:
        super().__init__(Shape.laplace(), _real(location), _real(scale), dtype)


class StudentT(Located):
    """Integers under a discretised Student's t distribution; see `Gaussian`."""

    def __init__(
        self,
        degrees: float,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
    ) -> None:
        shape = Shape.student_t(degrees)
        super().__init__(shape, _real(location), _real(scale), dtype)
