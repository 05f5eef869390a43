"""Codecs of integers under a shape, with arrays of locations and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans.distributions.family import (
    Shape,
    as_shape,
    fixed_located,
    joint_shape,
)
from bbans.errors import SymbolError
from bbans.message._values import ValueArrays

__all__ = ["Gaussian", "Laplace", "Located", "Logistic", "StudentT"]


class Located:
    """Integers with the mass of a continuous distribution around each.

    Parameters
    ----------
    shape : Shape
        The standardised distribution; of a posterior one with ``leak=False``.
    location, scale : array_like of float
        Or, both, the int64 array that `fixed_locations` returns and the int32 array
        that `fixed_scales` returns. Broadcast, their shape is that of the value.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an array of integers that is
        not fixed point, if one alone is fixed point, or if shapes do not fit; from
        `push`, if a value is no integer of 64 bits, or has no mass.
    ModelError
        If `shape` is none.

    Notes
    -----
    Value v has the mass between ``(v - 1/2 - location) / scale`` and
    ``(v + 1/2 - location) / scale``, plus at least one slot of ``2**-28`` for its
    bin, so that every integer of 64 bits can be coded: docs/maths.md, section 9.
    Without that leak, what has less than a slot has none: from any message a pop then
    draws a value of the distribution's bulk, for a Gaussian within 7 deviations.
    Floats are rounded once, here, exactly alike on every machine.

    Examples
    --------
    >>> from bbans import Message, Shape
    >>> message, codec = Message(), Located(Shape.student_t(3), 2.5, [1.0, 9.0])
    >>> codec.push(message, [3, 40])
    >>> codec.pop(message)
    array([ 3, 40])
    """

    def __init__(
        self,
        shape: Shape,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
    ) -> None:
        self._location, self._scale = fixed_located(location, scale)
        self._form = joint_shape(self._location, self._scale)
        self._shape, self._dtype = as_shape(shape), dtype

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push integers; a refused push changes nothing."""
        if np.shape(value) != self._form:
            raise SymbolError(
                f"expected values of shape {self._form}, not {np.shape(value)}"
            )
        message.push_located(self._shape, self._location, self._scale, value)

    def pop(self, message: ValueArrays) -> Any:
        """Pop an int, or an array of `dtype`."""
        return message.pop_located(
            self._shape, self._location, self._scale, dtype=self._dtype
        )


class Gaussian(Located):
    """Integers under a discretised normal distribution.

    Parameters
    ----------
    mean, deviation : array_like of float
        As in `Located`.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.

    Raises
    ------
    SymbolError
        As for `Located`.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Gaussian([2.5, -40.0], 3.0)
    >>> codec.push(message, [3, -38])
    >>> codec.pop(message)
    array([  3, -38])
    """

    def __init__(
        self,
        mean: ArrayLike,
        deviation: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
    ) -> None:
        super().__init__(Shape.gaussian(leak=leak), mean, deviation, dtype)


class Logistic(Located):
    """Integers under a discretised logistic distribution.

    Parameters
    ----------
    location, scale : array_like of float
        As in `Located`. The deviation is ``pi / sqrt(3)`` times the scale.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.

    Raises
    ------
    SymbolError
        As for `Located`.
    """

    def __init__(
        self,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
    ) -> None:
        super().__init__(Shape.logistic(leak=leak), location, scale, dtype)


class Laplace(Located):
    """Integers under a discretised Laplace distribution.

    Parameters
    ----------
    location, scale : array_like of float
        As in `Located`. The deviation is ``sqrt(2)`` times the scale.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.

    Raises
    ------
    SymbolError
        As for `Located`.
    """

    def __init__(
        self,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
    ) -> None:
        super().__init__(Shape.laplace(leak=leak), location, scale, dtype)


class StudentT(Located):
    """Integers under a discretised Student's t distribution.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, 0.5 to 1000.
    location, scale : array_like of float
        As in `Located`.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.

    Raises
    ------
    SymbolError
        As for `Located`.
    ModelError
        If `degrees` is out of range.
    """

    def __init__(
        self,
        degrees: float,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
    ) -> None:
        super().__init__(Shape.student_t(degrees, leak=leak), location, scale, dtype)
