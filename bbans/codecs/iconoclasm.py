"""IconoCLaSM as a codec of sequences: docs/maths.md, "What is coded"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bbans._arguments import as_integer
from bbans.codecs.state_space import SequenceModel, StateSpaceModel, as_sequence_model
from bbans.errors import SymbolError

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

    Raises
    ------
    ModelError
        If `model` or `length` is none of these.

    Notes
    -----
    The schedule pops before it pushes, so it needs bits on the message to start
    from; what a short message lacks is lost on the rate, never on the data. To
    code a sequence into a message of its own, use `encode_sequence`, which
    starts without loss.

    References
    ----------
    Townsend and Murray, arXiv 2103.10150, section 3.
    """

    def __init__(self, model: SequenceModel | StateSpaceModel, length: int) -> None:
        self._model = as_sequence_model(model)
        self._length = as_integer(length, "length", 0)

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push observations. If this raises, the message is spent."""
        if len(value) != self._length:
            raise SymbolError(f"expected {self._length} symbols, not {len(value)}")
        self._model.push(message, value)

    def pop(self, message: Any) -> Any:
        """Pop the observations: an array for a frozen model, else a list."""
        return self._model.pop(message, self._length)

    def __repr__(self) -> str:
        return f"Iconoclasm({self._model!r}, {self._length})"
