"""State space models, and how sequences are coded under one: docs/maths.md, "What is
coded" and "A sequence as one message"."""

from __future__ import annotations

import os
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from bbans._arguments import as_bytes
from bbans.errors import CorruptError, MessageError, ModelError, SymbolError
from bbans.message.codec import Codec
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = [
    "PredictiveModel",
    "SequenceModel",
    "StateSpaceModel",
    "as_sequence_model",
    "damage",
    "initial",
    "likelihood",
    "not_a_model",
    "observations",
    "position",
]

START_MIN_BITS = 40
FLAG_TOTAL = 16
FLAG_SCHEDULE = (0, 15)
FLAG_PREDICTIVE = (15, 1)
DIFFER = "data is damaged, or length, mode or model differ"


# ---- what a model must have


class StateSpaceModel(Protocol):
    """A state space model as its conditional distributions.

    States z, observations x and beliefs may be of any type. A *belief* is
    whatever summarises x_1 .. x_t for the posterior: for an HMM the forward
    message, for a deep model the state of a recurrent network. Sender and
    receiver compute beliefs separately, so `update` must give exactly the same
    on both sides.

    If observations depend on earlier ones, the model has another method,
    ``likelihood_given(z, belief)``, which takes the place of `likelihood`: the codec
    of P(x_t | z_t, x_1 .. x_t-1), from the belief after x_t-1 (None before x_1).
    """

    def prior(self, z: Any | None) -> Codec[Any]:
        """Codec of the next state, P(z_t | z_t-1); of the first for None."""

    def likelihood(self, z: Any) -> Codec[Any]:
        """Codec of an observation, P(x_t | z_t)."""

    def update(self, belief: Any | None, x: Any) -> Any:
        """Belief after x_t from the belief after x_t-1 (None before x_1)."""

    def posterior(self, belief: Any, z_next: Any | None) -> Codec[Any]:
        """Codec of z_t, Q(z_t | x_1 .. x_t, z_t+1); Q(z_T | x_1 .. x_T) for
        None. It draws z_t: distributions that take `leak` need ``leak=False``."""


@runtime_checkable
class PredictiveModel(StateSpaceModel, Protocol):
    """A state space model that can start a message by itself: `encode_sequence`."""

    start_length: int
    """Observations at the end of a sequence that are coded by `predictive`, and start
    its message. They should hold 46 bits or more; or, if the model has an attribute
    `start_bits` (the bits that the schedule starts from, by default 40), 6 more than
    that."""

    def predictive(self, belief: Any | None) -> Codec[Any]:
        """Codec of P(x_t+1 | x_1 .. x_t), from the belief after x_t (None: of
        x_1). If it takes more bits than that, as where P is not tractable, the model
        has an attribute ``exact_predictive`` of False."""


class SequenceModel(ABC):
    """A model that codes whole sequences by itself, as every frozen model does.

    Whatever codes sequences takes one of these. A `StateSpaceModel` becomes one by
    `as_sequence_model`.
    """

    @abstractmethod
    def push(self, message: Any, x: Any) -> None:
        """Push a sequence by IconoCLaSM, over what is on the message."""

    @abstractmethod
    def pop(self, message: Any, length: int) -> Any:
        """Pop `length` observations: the inverse of `push`."""

    @abstractmethod
    def encode_message(self, x: Any) -> Message:
        """Code a sequence as a message of its own."""

    @abstractmethod
    def decode_message(self, message: Message, length: int) -> Any:
        """Decode what `encode_message` returned; the message is spent."""

    @abstractmethod
    def state_space(self) -> StateSpaceModel:
        """Return the model step by step."""


def as_sequence_model(
    model: Any, *, predictive: bool = False, initial_bits: bytes | None = None
) -> SequenceModel:
    """Return the model as one that codes sequences.

    Parameters
    ----------
    model : SequenceModel or StateSpaceModel
    predictive, initial_bits
        Of a `StateSpaceModel`: see `encode_sequence`.

    Raises
    ------
    ModelError
        If it is neither, or has no use for the other arguments.
    """
    if not isinstance(model, SequenceModel):
        return _Stepwise(model, predictive, initial_bits)
    if predictive or initial_bits is not None:
        raise ModelError(
            "`predictive` and `initial_bits` are for StateSpaceModels: a frozen model "
            'has its mode, as from model.with_mode("predictive")'
        )
    return model


def not_a_model(model: Any, wanted: str) -> ModelError:
    """The error for what is no model: what it is instead.

    Parameters
    ----------
    model : object
    wanted : str
        What it should be, with its article.
    """
    name = type(model).__name__
    if hasattr(model, "freeze") and not isinstance(model, type):
        return ModelError(f"this {name} is in floating point: code with model.freeze()")
    if isinstance(model, str | os.PathLike):
        return ModelError(
            f"model must be {wanted}, not a {name}: load_model({str(model)!r}) reads "
            "one"
        )
    return ModelError(f"model must be {wanted}, not {reprlib.repr(model)}")


# ---- the schedule


def likelihood(model: Any, z: Any, belief: Any | None) -> Codec[Any]:
    """Codec of x_t, from the belief after x_t-1."""
    given = getattr(model, "likelihood_given", None)
    codec: Codec[Any] = model.likelihood(z) if given is None else given(z, belief)
    return codec


def _push_schedule(
    model: StateSpaceModel, message: Any, x: Sequence[Any], beliefs: Sequence[Any]
) -> None:
    """Push x_1 .. x_T, given the beliefs after each of them."""
    z = model.posterior(beliefs[-1], None).pop(message)
    for t in range(len(x) - 1, 0, -1):
        likelihood(model, z, beliefs[t - 1]).push(message, x[t])
        z_next, z = z, model.posterior(beliefs[t - 1], z).pop(message)
        model.prior(z).push(message, z_next)
    likelihood(model, z, None).push(message, x[0])
    model.prior(None).push(message, z)


def _pop_schedule(
    model: StateSpaceModel, message: Any, length: int
) -> tuple[list[Any], Any]:
    """Pop x_1 .. x_T; return them and the belief after the last."""
    z = model.prior(None).pop(message)
    x = [likelihood(model, z, None).pop(message)]
    belief = model.update(None, x[0])
    for _ in range(length - 1):
        z_last, z = z, model.prior(z).pop(message)
        model.posterior(belief, z).push(message, z_last)
        x.append(likelihood(model, z, belief).pop(message))
        belief = model.update(belief, x[-1])
    model.posterior(belief, None).push(message, z)
    return x, belief


class _Stepwise(SequenceModel):
    """A `StateSpaceModel`, coded step by step as frozen models are in C."""

    def __init__(
        self, model: Any, predictive: bool, initial_bits: bytes | None
    ) -> None:
        lacking = [
            name
            for name in ("prior", "update", "posterior")
            if not callable(getattr(model, name, None))
        ]
        if not any(hasattr(model, name) for name in ("likelihood", "likelihood_given")):
            lacking.append("likelihood")
        if lacking or isinstance(model, type):
            raise not_a_model(
                model,
                "frozen or a StateSpaceModel, with "
                + (", ".join(lacking) or "a constructor that has been called"),
            )
        if predictive and initial_bits is not None:
            raise ModelError(
                "predictive coding starts from nothing: leave out `initial_bits`"
            )
        self._model = model
        self._predictive = predictive
        self._start = None if initial_bits is None else initial(initial_bits)

    def state_space(self) -> StateSpaceModel:
        model: StateSpaceModel = self._model
        return model

    def push(self, message: Any, x: Any) -> None:
        values = observations(x)
        if values:
            _push_schedule(self._model, message, values, self._beliefs(values))

    def pop(self, message: Any, length: int) -> list[Any]:
        return _pop_schedule(self._model, message, length)[0] if length else []

    def encode_message(self, x: Any) -> Message:
        if self._start is not None:
            message = self._start.copy()
            self.push(message, x)
            return message
        model, values = self._startable(), observations(x)
        if self._predictive or len(values) <= model.start_length:
            return self._range_encode(None, values, 0)
        body = len(values) - model.start_length
        beliefs = self._beliefs(values[:body])
        message = self._range_encode(beliefs[-1], values[body:], body)
        if message.is_at_least(_start_bits(model)):
            _push_schedule(model, message, values[:body], beliefs)
            message.push_interval(*FLAG_SCHEDULE, FLAG_TOTAL)
        else:
            message = self._range_encode(None, values, 0)
            message.push_interval(*FLAG_PREDICTIVE, FLAG_TOTAL)
        return message

    def decode_message(self, message: Message, length: int) -> list[Any]:
        if self._start is None:
            model = self._startable()
            with damage():
                return self._decode(model, message, length)
        with damage():
            x = self.pop(message, length)
        if message != self._start:
            raise CorruptError(
                f"message does not end in its initial bits: others, or {DIFFER}"
            )
        return x

    def _decode(
        self, model: PredictiveModel, message: Message, length: int
    ) -> list[Any]:
        if self._predictive or length <= model.start_length:
            return self._range_decode(None, message, length)
        flagged = int(message.peek(FLAG_TOTAL)[0]) >= FLAG_PREDICTIVE[0]
        message.advance(*(FLAG_PREDICTIVE if flagged else FLAG_SCHEDULE), FLAG_TOTAL)
        body = length - model.start_length
        if flagged:
            return self._range_decode(None, message, length, body)
        x, belief = _pop_schedule(model, message, body)
        if not message.is_at_least(_start_bits(model)):
            raise CorruptError(f"message ends early: {DIFFER}")
        return x + self._range_decode(belief, message, model.start_length)

    def _startable(self) -> PredictiveModel:
        if not isinstance(self._model, PredictiveModel):
            raise ModelError(
                "the model has no predictive distribution to start from: give "
                "`initial_bits`"
            )
        return self._model

    def _beliefs(self, x: list[Any]) -> list[Any]:
        belief, beliefs = None, []
        for t, value in enumerate(x):
            with position(t, value):
                belief = self._model.update(belief, value)
            beliefs.append(belief)
        return beliefs

    def _range_encode(self, belief: Any, x: list[Any], first: int) -> Message:
        encoder = RangeEncoder()
        for t, value in enumerate(x, first):
            with position(t, value):
                encoder.encode(self._model.predictive(belief), value)
                belief = self._model.update(belief, value)
        return encoder.finish()

    def _range_decode(
        self, belief: Any, message: Message, length: int, mark: int | None = None
    ) -> list[Any]:
        """What follows observation `mark` must be too little to start bits back."""
        decoder, x = RangeDecoder(message), []
        for t in range(length):
            if t == mark:
                decoder.mark(_start_bits(self._model))
            x.append(decoder.decode(self._model.predictive(belief)))
            belief = self._model.update(belief, x[-1])
        decoder.check()
        return x


def observations(x: Any, name: str = "x") -> list[Any]:
    """Observations as a list.

    Raises
    ------
    SymbolError
        If they are no sequence.
    """
    try:
        return list(x)
    except TypeError:
        raise SymbolError(
            f"{name} must be a sequence of observations, not {x!r}"
        ) from None


def initial(bits: bytes) -> Message:
    """The message that starts from given bits.

    Raises
    ------
    TypeError
        If they are no bytes.
    """
    # It may not end in 0.
    return Message.from_bytes(as_bytes(bits, "initial_bits") + b"\1")


def _start_bits(model: PredictiveModel) -> int:
    return getattr(model, "start_bits", START_MIN_BITS)


@contextmanager
def position(t: int, value: Any) -> Iterator[None]:
    """Say of an error where in the sequence it was."""
    try:
        yield
    except ModelError as error:
        raise SymbolError(
            f"observation {value} at position {t} cannot be coded: {error}"
        ) from error


@contextmanager
def damage() -> Iterator[None]:
    """What a model refuses while decoding, no encoder wrote."""
    try:
        yield
    except (ModelError, MessageError) as error:
        raise CorruptError(f"{DIFFER}: {error}") from error
