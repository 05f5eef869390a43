"""IconoCLaSM as a codec of sequences: docs/maths.md, "What is coded"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bbans._arguments import as_integer
from bbans.codecs.side_by_side import SideBySide, as_steps
from bbans.codecs.state_space import SequenceModel, StateSpaceModel, as_sequence_model
from bbans.errors import ModelError, SymbolError

__all__ = ["Iconoclasm"]


class Iconoclasm:
    """Sequences of a given length under a state space model.

    Parameters
    ----------
    model : FrozenModel or StateSpaceModel
        A frozen model codes in one C call, to the same bytes as step by step by
        ``model.state_space()``.
    length : int
        Number of observations T >= 0. The message does not hold it.
    sequences : int, optional
        Number N of sequences that a `StateSpaceModel` codes side by side. States,
        observations and beliefs are then arrays with an axis of sequences first, and so
        are the values of its codecs; a distribution of one value is that of all N. An
        array of integers of shape (T, N, ...) is one value, and x_t and z_t are int64.

    Raises
    ------
    ModelError
        If an argument is none of these.

    Notes
    -----
    The schedule pops before it pushes, so it needs bits on the message to start
    from; what a short message lacks is lost on the rate, never on the data. To
    code a sequence into a message of its own, use `encode_sequence`, which
    starts without loss.

    Sequences side by side take one call of a model's methods a step, whatever their
    number, which is what a step costs in Python. A message of 64 lanes is fastest.

    References
    ----------
    Townsend and Murray, arXiv 2103.10150, section 3.
    """

    def __init__(
        self,
        model: SequenceModel | StateSpaceModel,
        length: int,
        sequences: int | None = None,
    ) -> None:
        self._model = as_sequence_model(model)
        self._length = as_integer(length, "length", 0)
        self._sequences = sequences
        if sequences is not None:
            n = self._sequences = as_integer(sequences, "sequences", 1)
            if self._model is model:
                raise ModelError(
                    "a frozen model codes sequences of any lengths, by "
                    "records.encode_batch: leave out `sequences`"
                )
            steps = SideBySide(self._model.state_space(), n)
            self._model = as_sequence_model(steps)

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push observations. If this raises, the message is spent."""
        if self._sequences is not None:
            value = list(as_steps(value, self._length, self._sequences))
        if len(value) != self._length:
            raise SymbolError(f"expected {self._length} symbols, not {len(value)}")
        self._model.push(message, value)

    def pop(self, message: Any) -> Any:
        """Pop the observations: a list, but an array of a frozen model, and of
        sequences side by side."""
        value = self._model.pop(message, self._length)
        if self._sequences is None:
            return value
        return np.stack(value) if value else np.empty((0, self._sequences), np.int64)

    def __repr__(self) -> str:
        given = [repr(self._model), str(self._length)]
        if self._sequences is not None:
            given.append(str(self._sequences))
        return f"Iconoclasm({', '.join(given)})"
