"""A model of one sequence as one of many, whose states and observations are arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, not_integers
from bbans.codecs.state_space import StateSpaceModel, likelihood
from bbans.distributions.base import Distribution
from bbans.errors import SymbolError
from bbans.message.codec import Codec

__all__ = ["SideBySide", "as_steps"]


class SideBySide:
    """A `StateSpaceModel` of sequences side by side.

    Parameters
    ----------
    model : StateSpaceModel
        Its methods take arrays whose first axis is that of the sequences.
    n : int
        Number of sequences.
    """

    def __init__(self, model: StateSpaceModel, n: int) -> None:
        self._model, self._n = model, n

    def prior(self, z: Any | None) -> Codec[Any]:
        """Codec of all next states."""
        return _Arrays(self._model.prior(z), self._n)

    def likelihood_given(self, z: Any, belief: Any | None) -> Codec[Any]:
        """Codec of all observations."""
        return _Arrays(likelihood(self._model, z, belief), self._n)

    def update(self, belief: Any | None, x: Any) -> Any:
        """Beliefs of all sequences."""
        return self._model.update(belief, x)

    def posterior(self, belief: Any, z_next: Any | None) -> Codec[Any]:
        """Codec of all states."""
        return _Arrays(self._model.posterior(belief, z_next), self._n)


class _Arrays:
    """A codec of n values at once.

    Integers are popped as int64: a model then sees on both sides what the sender has
    given, and differences of them are those of Python's integers.
    """

    def __init__(self, codec: Codec[Any], n: int) -> None:
        if isinstance(codec, Distribution) and codec.shape == ():
            codec = codec.broadcast((n,))
        self._codec: Codec[Any] = codec

    def push(self, message: Any, value: Any) -> None:
        self._codec.push(message, value)

    def pop(self, message: Any) -> Any:
        value = self._codec.pop(message)
        is_array = isinstance(value, np.ndarray)
        return value.astype(np.int64, copy=False) if is_array else value


def as_steps(x: Any, length: int, n: int) -> NDArray[np.int64]:
    """Observations of n sequences, shape (length, n, ...).

    Raises
    ------
    SymbolError
        If they are no such array of integers.
    """
    array = as_array(x, "x")
    if array.shape[:2] != (length, n):
        raise SymbolError(
            f"x must have shape ({length}, {n}, ...), steps and sequences, not "
            f"{array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise not_integers("x", array)
    return array.astype(np.int64, copy=False)
