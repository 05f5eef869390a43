"""One sequence as one message of its own: docs/maths.md, section 7."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_instance, as_integer
from bbans._lib import ffi, lib, pointer
from bbans._records import check_limit
from bbans.codecs.iconoclasm import (
    PredictiveModel,
    StateSpaceModel,
    as_state_space,
    pop_schedule,
    push_schedule,
)
from bbans.errors import CorruptError, MessageError, ModelError, SymbolError
from bbans.frozen.base import FrozenModel
from bbans.frozen.hmm import FrozenHMM
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = ["decode_sequence", "decode_until", "encode_sequence"]

START_MIN_BITS = 40
FLAG_TOTAL = 16
FLAG_SCHEDULE = (0, 15)
FLAG_PREDICTIVE = (15, 1)
_DIFFER = "data is damaged, or length, mode or model differ"
# Symbols that a message of unknown length is given room for at first.
FIRST_SIZE = 1 << 12


def encode_sequence(
    model: FrozenModel | StateSpaceModel | PredictiveModel,
    x: Sequence[Any] | NDArray[Any],
    *,
    predictive: bool = False,
    seed: bytes | None = None,
) -> Message:
    """Code a sequence as a message of its own, without a start-up cost.

    Parameters
    ----------
    model : FrozenHMM, FrozenLGSSM, PredictiveModel or StateSpaceModel
        Frozen models are coded in one C call. A model that is no `PredictiveModel`
        needs `seed`.
    x : sequence
        T >= 0 observations; for an HMM symbol numbers 0 .. M-1, shape (T,), for an
        LGSSM integers of 64 bits, shape (T, p), or (T,) for p = 1.
    predictive : bool
        Code by the predictive distribution alone, without bits back.
    seed : bytes, optional
        For a model without a predictive distribution: bits to start from. They
        come back when the sequence is decoded, and cost their length.

    Returns
    -------
    Message
        Of one lane. It does not hold T.

    Raises
    ------
    SymbolError
        If the model cannot code a symbol; the text names it and its position.
    ModelError
        If the model has no predictive distribution and there is no seed.

    Notes
    -----
    The last `tail_length` observations are range coded, and IconoCLaSM runs on
    the others over the integer that results. For an exact posterior the
    message is at most about 10 bits longer than the information content of the
    frozen model, whole bytes counted.
    """
    as_state_space(model)
    _check_seed(model, predictive, seed)
    if isinstance(model, FrozenModel):
        return _encode_frozen(_model_in(model, predictive), x)
    values = _observations(x)
    if seed is not None:
        message = _seeded(seed)
        if values:
            push_schedule(model, message, values, _beliefs(model, values))
        return message
    model = _predictive(model)
    if predictive or len(values) <= model.tail_length:
        return _range_encode(model, None, values, 0)
    body = len(values) - model.tail_length
    beliefs = _beliefs(model, values[:body])
    message = _range_encode(model, beliefs[-1], values[body:], body)
    if message.is_at_least(_start_bits(model)):
        push_schedule(model, message, values[:body], beliefs)
        message.push_interval(*FLAG_SCHEDULE, FLAG_TOTAL)
    else:
        message = _range_encode(model, None, values, 0)
        message.push_interval(*FLAG_PREDICTIVE, FLAG_TOTAL)
    return message


def decode_sequence(
    model: FrozenModel | StateSpaceModel | PredictiveModel,
    message: Message,
    length: int,
    *,
    predictive: bool = False,
    seed: bytes | None = None,
) -> Any:
    """Decode `length` observations; the message is spent.

    Parameters
    ----------
    model : FrozenHMM, FrozenLGSSM, PredictiveModel or StateSpaceModel
    message : Message
        Of one lane.
    length : int
        Observations T. Memory and time grow with it, whatever the message is.
    predictive : bool
        As it was encoded.
    seed : bytes, optional
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
        If there is no sequence of this length, or no memory for one; if a seed is
        wanted or not taken.
    """
    as_state_space(model)
    as_instance(message, Message, "message", "a Message, as of Message.from_bytes")
    length = as_integer(length, "length", 0)
    _check_seed(model, predictive, seed)
    if isinstance(model, FrozenModel):
        return _decode_frozen(_model_in(model, predictive), message, length)
    if seed is None:
        model = _predictive(model)
    with _damage():
        return _decode_any(model, message, length, predictive, seed)


def _decode_any(
    model: Any, message: Message, length: int, predictive: bool, seed: bytes | None
) -> list[Any]:
    if seed is not None:
        x = pop_schedule(model, message, length)[0] if length else []
        if message != _seeded(seed):
            raise CorruptError(
                f"message does not end in its seed: another seed, or {_DIFFER}"
            )
        return x
    if predictive or length <= model.tail_length:
        return _range_decode(model, None, message, length)
    flagged = int(message.peek(FLAG_TOTAL)[0]) >= FLAG_PREDICTIVE[0]
    message.advance(*(FLAG_PREDICTIVE if flagged else FLAG_SCHEDULE), FLAG_TOTAL)
    body = length - model.tail_length
    if flagged:
        return _range_decode(model, None, message, length, body)
    x, belief = pop_schedule(model, message, body)
    if not message.is_at_least(_start_bits(model)):
        raise CorruptError(f"message ends early: {_DIFFER}")
    return x + _range_decode(model, belief, message, model.tail_length)


def decode_until(
    model: FrozenHMM,
    message: Message,
    last: int,
    limit: int,
    max_bytes: int | None = None,
) -> NDArray[np.uint32]:
    """Decode a predictive message up to and with the first symbol `last`.

    Parameters
    ----------
    model : FrozenHMM
    message : Message
        What ``encode_sequence(model, x, predictive=True)`` returned, for x that has
        `last` at its end and nowhere else.
    last : int
        A symbol number.
    limit : int
        The most symbols that there may be.
    max_bytes : int, optional
        The most bytes that what they stand for may take.

    Raises
    ------
    CorruptError
        If there is no such sequence of at most `limit` symbols.
    LimitError
        If it would take more than `max_bytes`.
    """
    model = model.with_mode("predictive")
    model.check_symbols(np.array([last]))
    if limit < 1:
        raise ModelError(f"limit {limit} is below 1")
    itemsize = model.alphabet.itemsize
    check_limit(0, itemsize, max_bytes, "the message")
    room = limit if max_bytes is None else min(limit, max_bytes // itemsize)
    work, n = model.workspace(1), ffi.new("size_t *")
    size = min(room, FIRST_SIZE)
    while True:
        symbols = model.empty(size)
        try:
            message.call(
                "sequence_decode_until", model.space, ..., pointer(symbols, "char[]"),
                size, ffi.new("uint32_t *", last), n, pointer(work, "uint64_t[]"),
                work.nbytes, words=0,
            )  # fmt: skip
        except MessageError as error:
            if error.status != lib.BBANS_ERR_CAPACITY:
                raise
            if size == limit:
                raise CorruptError(
                    f"no symbol {last} among the first {limit}: {_DIFFER}"
                ) from None
            if size == room:
                check_limit(size + 1, itemsize, max_bytes, "the message")
            size = min(room, 8 * size)  # the message is as it was
        else:
            return symbols[: n[0]]


# ---- frozen models: one C call


def _model_in(model: FrozenModel, predictive: bool) -> FrozenModel:
    return model.with_mode("predictive") if predictive else model


def _encode_frozen(model: FrozenModel, x: Any) -> Message:
    values, message = model.observations(x), Message()
    work = model.workspace(len(values))
    message.call(
        "sequence_encode", model.space, pointer(values, "char[]"), len(values),
        pointer(work, "uint64_t[]"), work.nbytes, ...,
        words=model.push_words(len(values)),
    )  # fmt: skip
    return message


def _decode_frozen(model: FrozenModel, message: Message, length: int) -> NDArray[Any]:
    values, work = model.empty(length), model.workspace(1)
    message.call(
        "sequence_decode", model.space, ..., pointer(values, "char[]"), length,
        pointer(work, "uint64_t[]"), work.nbytes,
        words=model.pop_words(length),
    )  # fmt: skip
    return values


# ---- any other model


def _observations(x: Any) -> list[Any]:
    try:
        return list(x)
    except TypeError:
        raise SymbolError(f"x must be a sequence of observations, not {x!r}") from None


def _check_seed(model: Any, predictive: bool, seed: bytes | None) -> None:
    if seed is not None and (predictive or isinstance(model, FrozenModel)):
        raise ModelError("a seed is for models without a predictive distribution")


def _seeded(seed: bytes) -> Message:
    return Message.from_bytes(
        as_bytes(seed, "seed") + b"\1"
    )  # the last byte may not be 0


def _predictive(model: Any) -> PredictiveModel:
    if not isinstance(model, PredictiveModel):
        raise ModelError(
            "the model offers no predictive distribution to start from: give a seed"
        )
    return model


def _start_bits(model: PredictiveModel) -> int:
    return getattr(model, "start_bits", START_MIN_BITS)


def _beliefs(model: StateSpaceModel, x: list[Any]) -> list[Any]:
    belief, beliefs = None, []
    for t, value in enumerate(x):
        with _position(t, value):
            belief = model.update(belief, value)
        beliefs.append(belief)
    return beliefs


@contextmanager
def _position(t: int, value: Any) -> Iterator[None]:
    """Say of an error where in the sequence it was."""
    try:
        yield
    except ModelError as error:
        raise SymbolError(
            f"observation {value} at position {t} cannot be coded: {error}"
        ) from error


@contextmanager
def _damage() -> Iterator[None]:
    """What a model refuses while decoding, no encoder wrote."""
    try:
        yield
    except (ModelError, MessageError) as error:
        raise CorruptError(f"{_DIFFER}: {error}") from error


def _range_encode(model: Any, belief: Any, x: list[Any], first: int) -> Message:
    encoder = RangeEncoder()
    for t, value in enumerate(x, first):
        with _position(t, value):
            encoder.encode(model.predictive(belief), value)
            belief = model.update(belief, value)
    return encoder.finish()


def _range_decode(
    model: Any, belief: Any, message: Message, length: int, mark: int | None = None
) -> list[Any]:
    """From observation `mark` on there must be too little to start bits back from."""
    decoder, x = RangeDecoder(message), []
    for t in range(length):
        if t == mark:
            decoder.mark(_start_bits(model))
        x.append(decoder.decode(model.predictive(belief)))
        belief = model.update(belief, x[-1])
    decoder.check()
    return x
