"""One sequence as one message: docs/maths.md, "A sequence as one message"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from bbans._arguments import as_instance, as_integer
from bbans.codecs.state_space import (
    PredictiveModel,
    SequenceModel,
    StateSpaceModel,
    as_sequence_model,
)
from bbans.message.message import Message

__all__ = ["decode_sequence", "encode_sequence"]


def encode_sequence(
    x: Sequence[Any] | NDArray[Any],
    model: SequenceModel | StateSpaceModel | PredictiveModel,
    *,
    predictive: bool = False,
    initial_bits: bytes | None = None,
) -> Message:
    """Code a sequence as a message of its own, without a start-up cost.

    Parameters
    ----------
    x : sequence
        T >= 0 observations. For a frozen model those of its `push`: symbol numbers
        0 .. M-1, shape (T,), for an HMM; integers of 64 bits, shape (T, p), or (T,)
        for p = 1, for an LGSSM.
    model : FrozenModel, PredictiveModel or StateSpaceModel
        Frozen models are coded in one C call.
    predictive : bool
        For a `PredictiveModel`: code by its predictive distribution alone, without
        bits back. A frozen model has its mode: `FrozenModel.with_mode`.
    initial_bits : bytes, optional
        For a `StateSpaceModel`: bits to start from, whatever it has. They come back
        when the sequence is decoded, and cost their length.

    Returns
    -------
    Message
        Of one lane. It does not hold T.

    Raises
    ------
    SymbolError
        If the model cannot code a symbol; the text names it and its position.
    ModelError
        If `predictive` is wanted of a model that has no such distribution; if it or
        `initial_bits` is given for a frozen model.
    MessageError
        If a model without a predictive distribution draws its states from no
        distributions, which have a mode: then give `initial_bits`.

    Notes
    -----
    The last `start_length` observations are range coded, and IconoCLaSM runs on
    the others over the integer that results. For an exact posterior the
    message is at most about 10 bits longer than the information content of the
    frozen model, whole bytes counted. Of a `StateSpaceModel` without a predictive
    distribution the last observations are coded at the modes of their states,
    as few of them as lend what IconoCLaSM borrows; for each that costs -log2 Q(mode).
    docs/maths.md, "A sequence as one message" and "Values one after another".
    """
    coder = as_sequence_model(model, predictive=predictive, initial_bits=initial_bits)
    return coder.encode_message(x)


def decode_sequence(
    message: Message,
    model: SequenceModel | StateSpaceModel | PredictiveModel,
    length: int,
    *,
    predictive: bool = False,
    initial_bits: bytes | None = None,
) -> Any:
    """Decode `length` observations; the message is spent.

    Parameters
    ----------
    message : Message
        Of one lane.
    model : FrozenModel, PredictiveModel or StateSpaceModel
    length : int
        Observations T. Memory and time grow with it, whatever the message is.
    predictive, initial_bits
        As it was encoded.

    Returns
    -------
    ndarray or list
        Of a frozen HMM uint32, shape (length,); of a frozen LGSSM int64, shape
        (length, p), or (length,) for p = 1; a list for other models.

    Raises
    ------
    CorruptError
        If `encode_sequence` writes this message for no sequence of this length, under
        this model and in this mode. Others may decode, to other data, if the message
        was damaged.
    ModelError
        If there is no sequence of this length, or no memory for one; if initial bits
        are wanted or not taken.
    """
    coder = as_sequence_model(model, predictive=predictive, initial_bits=initial_bits)
    as_instance(message, Message, "message", "a Message, as of Message.from_bytes")
    return coder.decode_message(message, as_integer(length, "length", 0))
