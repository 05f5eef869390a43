"""Integers under a family of continuous distributions, moved and stretched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans._lib import ffi, lib
from bbans.distributions.base import Distribution
from bbans.distributions.family import Family, as_family
from bbans.distributions.fixed_point import (
    as_ends,
    as_weights,
    joint_shape,
    location_and_scale,
    rounded_locations,
)
from bbans.errors import SymbolError

__all__ = ["Gaussian", "Laplace", "LocationScale", "Logistic", "Mixture", "StudentT"]

NO_MASS = "it has no mass, being too far out for leak=False, which is for posteriors"


class LocationScale(Distribution):
    """Integers with the mass of a continuous distribution around each.

    Parameters
    ----------
    family : Family
        The standardised distribution; of a posterior one with ``leak=False``.
    location, scale : array_like of float
        Or, both, the int64 array that `fixed_locations` returns and the int32 array
        that `fixed_scales` returns.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point, if one alone is fixed point, or if shapes do not fit; from
        `push`, if a value is no integer of 64 bits, or has no mass.
    ModelError
        If `family` is none.

    Notes
    -----
    Value v has the mass between ``(v - 1/2 - location) / scale`` and ``(v + 1/2 -
    location) / scale``, plus at least one slot of ``2**-28`` for its bin, so that every
    integer of 64 bits can be coded (docs/maths.md, "Values of a family"). Without that
    leak, what has less than a slot has none: from any message a pop then draws a value
    of the distribution's bulk, for a Gaussian within 7 deviations. Floats are rounded
    exactly alike on every machine.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Family
    >>> law = LocationScale(Family.student_t(3), 2.5, [1.0, 9.0])
    >>> message = Message()
    >>> message.push(law, [3, 40])
    >>> message.pop(law)
    array([ 3, 40])
    """

    _names = "location", "scale"

    def __init__(
        self,
        family: Family,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        self._family = as_family(family)
        parameters = location_and_scale(self._names, location, scale, copy)
        super().__init__(*parameters, dtype=dtype)

    def _init(self, c: Any, location: Any, scale: Any) -> Any:
        return lib.bbans_distribution_init_location_scale(
            c, self._family._c, location, scale
        )

    def _reason(self, value: int, at: int) -> str:
        return NO_MASS

    def _mode(self, location: Any, scale: Any) -> Any:
        return rounded_locations(location)

    def _given(self) -> dict[str, Any]:
        return {"family": self._family, **super()._given()}


class _OneFamily(LocationScale):
    """A `LocationScale` named after its family."""

    def _given(self) -> dict[str, Any]:
        given = super()._given()
        del given["family"]
        return given if self._family.leak else {**given, "leak": False}


class Gaussian(_OneFamily):
    """Integers under a discretised normal distribution.

    Parameters
    ----------
    mean, deviation : array_like of float
        As location and scale in `LocationScale`.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        As for `LocationScale`.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Gaussian([2.5, -40.0], 3.0)
    >>> message.push(law, [3, -38])
    >>> message.pop(law)
    array([  3, -38])
    """

    _names = "mean", "deviation"

    def __init__(
        self,
        mean: ArrayLike,
        deviation: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
        copy: bool = True,
    ) -> None:
        super().__init__(Family.gaussian(leak=leak), mean, deviation, dtype, copy=copy)


class Logistic(_OneFamily):
    """Integers under a discretised logistic distribution.

    Parameters
    ----------
    location, scale : array_like of float
        As in `LocationScale`. The deviation is ``pi / sqrt(3)`` times the scale.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        As for `LocationScale`.
    """

    def __init__(
        self,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
        copy: bool = True,
    ) -> None:
        super().__init__(Family.logistic(leak=leak), location, scale, dtype, copy=copy)


class Laplace(_OneFamily):
    """Integers under a discretised Laplace distribution.

    Parameters
    ----------
    location, scale : array_like of float
        As in `LocationScale`. The deviation is ``sqrt(2)`` times the scale.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        As for `LocationScale`.
    """

    def __init__(
        self,
        location: ArrayLike,
        scale: ArrayLike,
        dtype: DTypeLike = np.int64,
        *,
        leak: bool = True,
        copy: bool = True,
    ) -> None:
        super().__init__(Family.laplace(leak=leak), location, scale, dtype, copy=copy)


class StudentT(_OneFamily):
    """Integers under a discretised Student's t distribution.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, 0.5 to 1000.
    location, scale : array_like of float
        As in `LocationScale`.
    dtype : data-type
        Of popped integers.
    leak : bool
        False for a posterior: values far out then have no mass.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        As for `LocationScale`.
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
        copy: bool = True,
    ) -> None:
        self._degrees = degrees
        family = Family.student_t(degrees, leak=leak)
        super().__init__(family, location, scale, dtype, copy=copy)

    def _given(self) -> dict[str, Any]:
        return {"degrees": self._degrees, **super()._given()}


class Mixture(Distribution):
    """Integers under mixtures of K components of one family.

    Parameters
    ----------
    family : Family
        Of each component, standardised; of a posterior one with ``leak=False``.
    weights : array_like, shape (..., K), or None
        Of integers, which sum to 1 .. 2**28 over the components; or of floats that
        sum to about 1, as in `Weighted`. None: all alike.
    location, scale : array_like of float, shape (..., K)
        As in `LocationScale`. K is 1 to 64.
    low, high : int, optional
        The support; its ends take the mass of what lies beyond, as in discretised
        logistic mixtures. Without them every integer of 64 bits can be coded.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point, or if shapes do not fit; from `push`, if a value is
        outside the support, or has no mass.
    ModelError
        If `family` is none, or if weights do not sum to that.

    Notes
    -----
    docs/maths.md, "Mixtures, counts and ranges". The three arrays are broadcast; the
    shape of the value is that of the leading axes. With K = 1 this is `LocationScale`
    on a bounded support.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Family
    >>> law = Mixture(Family.logistic(), [0.7, 0.3], [20.5, 90.0], 8.0, 0, 255)
    >>> message = Message()
    >>> message.push(law, 21)
    >>> message.pop(law)
    21
    """

    _row_axes = 1

    def __init__(
        self,
        family: Family,
        weights: ArrayLike | None,
        location: ArrayLike,
        scale: ArrayLike,
        low: int | None = None,
        high: int | None = None,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        self._family = as_family(family)
        self._low, self._high = as_ends(low, high)
        parameters = [*location_and_scale(("location", "scale"), location, scale, copy)]
        if weights is not None:
            parameters.insert(0, as_weights(weights, copy))
            if copy:
                parameters[0].check()
        whole = joint_shape(*(parameter.array for parameter in parameters))
        if not whole:
            raise SymbolError("mixtures need an axis of components")
        most = lib.BBANS_COMPONENTS_MAX
        if not 1 <= whole[-1] <= most:
            raise SymbolError(f"a mixture has 1 to {most} components, not {whole[-1]}")
        super().__init__(*parameters, dtype=dtype)

    def _init(self, c: Any, *arrays: Any) -> Any:
        weights = arrays[0] if len(arrays) == 3 else (ffi.NULL, 0)
        location, scale = arrays[-2:]
        return lib.bbans_distribution_init_mixture(
            c, self._family._c, self._row[0], weights, location, scale,
            self._low, self._high,
        )  # fmt: skip

    def _reason(self, value: int, at: int) -> str:
        inside = self._low <= value <= self._high
        return NO_MASS if inside else f"it is outside {self._low} .. {self._high}"

    def _mode(self, *arrays: Any) -> Any:
        location, scale = arrays[-2:]
        greatest = arrays[0].argmax(-1) if arrays[2:] else scale.argmin(-1)
        chosen = np.take_along_axis(location, np.expand_dims(greatest, -1), -1)[..., 0]
        return np.clip(rounded_locations(chosen), self._low, self._high)

    def _given(self) -> dict[str, Any]:
        ends = {"low": self._low, "high": self._high}
        weights = {"weights": None}
        return {"family": self._family, **weights, **super()._given(), **ends}
