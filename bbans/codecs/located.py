"""Codecs of integers under a shape, with arrays of locations and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans.codecs.base import MessageLike
from bbans.errors import SymbolError
from bbans.shapes import (
    Shape,
    as_shape,
    fixed_locations,
    fixed_scales,
    joint_shape,
    to_fixed,
    to_real,
)

__all__ = ["Gaussian", "Laplace", "Located", "Logistic", "StudentT"]


class Located:
    """Integers with the mass of a continuous distribution around each.

    Parameters
    ----------
    shape : Shape
        The standardised distribution.
    location, scale : array_like of float
        Or the int64 array that `fixed_locations` returns, the int32 array that
        `fixed_scales` returns. Broadcast, their shape is that of the value.
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
        self._location = to_fixed(location, fixed_locations)
        self._scale = to_fixed(scale, fixed_scales)
        self._form = joint_shape(self._location, self._scale)
        self._shape, self._dtype = as_shape(shape), dtype

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
        super().__init__(Shape.gaussian(), to_real(mean), to_real(deviation), dtype)


class Logistic(Located):
    """Integers under a discretised logistic distribution; see `Gaussian`."""

    def __init__(
        self, location: ArrayLike, scale: ArrayLike, dtype: DTypeLike = np.int64
    ) -> None:
        super().__init__(Shape.logistic(), to_real(location), to_real(scale), dtype)


class Laplace(Located):
    """Integers under a discretised Laplace distribution; see `Gaussian`."""

    def __init__(
        self, location: ArrayLike, scale: ArrayLike, dtype: DTypeLike = np.int64
    ) -> None:
        super().__init__(Shape.laplace(), to_real(location), to_real(scale), dtype)


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
        super().__init__(shape, to_real(location), to_real(scale), dtype)
