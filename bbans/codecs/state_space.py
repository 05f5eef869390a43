"""State space models, and how sequences are coded under one: docs/maths.md, "What is
coded" and "A sequence as one message"."""

from __future__ import annotations

import os
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from bbans._arguments import as_integer
from bbans.codecs.base import STEPS_MAX
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.start import (
    DIFFER,
    START_MIN_BITS,
    Pops,
    Pushes,
    damage,
    initial,
    lent,
    observations,
    pop_count,
    position,
    push_count,
)
from bbans.errors import CorruptError, ModelError
from bbans.message.codec import Codec
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = [
    "PredictiveModel",
    "SequenceModel",
    "StateSpaceModel",
    "as_sequence_model",
    "likelihood",
    "not_a_model",
    "start_bits",
]

FLAG_TOTAL = 16
FLAG_SCHEDULE = (0, 15)
FLAG_PREDICTIVE = (15, 1)


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

    def observations(self, x: Any) -> Any:
        """Return the observations of a sequence as `state_space` takes them."""
        return x


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
    library = type(model).__module__.partition(".")[0]
    if library in ("hmmlearn", "pomegranate"):
        return ModelError(
            f"model must be {wanted}, not a {name} of {library}: pass "
            f"models.from_{library}(model).freeze()"
        )
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
        length = as_integer(length, "length", 0, STEPS_MAX)
        return _pop_schedule(self._model, message, length)[0] if length else []

    def encode_message(self, x: Any) -> Message:
        if self._start is not None:
            message = self._start.copy()
            self.push(message, x)
            return message
        values = observations(x)
        if not self._has_predictive():
            return self._encode_at_modes(values)
        model = self._model
        if self._predictive or len(values) <= model.start_length:
            return self._range_encode(None, values, 0)
        body = len(values) - model.start_length
        beliefs = self._beliefs(values[:body])
        message = self._range_encode(beliefs[-1], values[body:], body)
        if message.is_at_least(start_bits(model)):
            _push_schedule(model, message, values[:body], beliefs)
            message.push_interval(*FLAG_SCHEDULE, FLAG_TOTAL)
        else:
            message = self._range_encode(None, values, 0)
            message.push_interval(*FLAG_PREDICTIVE, FLAG_TOTAL)
        return message

    def decode_message(self, message: Message, length: int) -> list[Any]:
        length = as_integer(length, "length", 0, STEPS_MAX)
        if self._start is None:
            predictive = self._has_predictive()
            decode = self._decode if predictive else self._decode_at_modes
            with damage():
                return decode(message, length)
        with damage():
            x = self.pop(message, length)
        if message != self._start:
            raise CorruptError(
                f"message does not end in its initial bits: others, or {DIFFER}"
            )
        return x

    def _decode(self, message: Message, length: int) -> list[Any]:
        model = self._model
        if self._predictive or length <= model.start_length:
            return self._range_decode(None, message, length)
        flagged = int(message.peek(FLAG_TOTAL)[0]) >= FLAG_PREDICTIVE[0]
        message.advance(*(FLAG_PREDICTIVE if flagged else FLAG_SCHEDULE), FLAG_TOTAL)
        body = length - model.start_length
        if flagged:
            return self._range_decode(None, message, length, body)
        x, belief = _pop_schedule(model, message, body)
        if not message.is_at_least(start_bits(model)):
            raise CorruptError(f"message ends early: {DIFFER}")
        return x + self._range_decode(belief, message, model.start_length)

    def _has_predictive(self) -> bool:
        found = isinstance(self._model, PredictiveModel)
        if self._predictive and not found:
            raise ModelError("the model has no predictive distribution")
        return found

    def _encode_at_modes(self, x: list[Any]) -> Message:
        """The end of the sequence at modes of its states, the others by the schedule
        as soon as the message lends what it borrows."""
        beliefs, message = self._beliefs(x), Message()
        body, begun = len(x), None
        while body > 0:
            begun = self._lent(message, x[:body], beliefs[:body])
            if begun is not None:
                break
            body -= 1
            with position(body, x[body]):
                self._at_modes(beliefs[:body]).push(Pushes(message), x[body])
        if begun is not None:
            message = begun
        push_count(message, len(x) - body, len(x))
        return message

    def _decode_at_modes(self, message: Message, length: int) -> list[Any]:
        body = length - pop_count(message, length)
        x = self.pop(message, body)
        beliefs = self._beliefs(x)
        if body and self._lent(message, x, beliefs) is None:
            raise CorruptError(f"message lends too early: {DIFFER}")
        for _ in range(length - body):
            x.append(self._at_modes(beliefs).pop(Pops(message)))
            beliefs += [self._model.update(beliefs[-1] if beliefs else None, x[-1])]
            if self._lent(message, x, beliefs) is not None:
                raise CorruptError(f"message lends too late: {DIFFER}")
        if not message.is_empty:
            raise CorruptError(f"message does not end as it was started: {DIFFER}")
        return x

    def _lent(self, message: Message, x: list[Any], beliefs: list[Any]) -> Any:
        return lent(message, lambda m: _push_schedule(self._model, m, x, beliefs))

    def _at_modes(self, beliefs: list[Any]) -> BitsBack[Any, Any]:
        """The next observation, given the mode of the state before and those beliefs
        that are at hand."""
        model, belief, z_last = self._model, None, None
        if beliefs:
            belief = beliefs[-1]
            z_last = model.posterior(belief, None).pop(Pushes(Message()))
        return BitsBack(
            model.prior(z_last),
            lambda z: likelihood(model, z, belief),
            lambda x: model.posterior(model.update(belief, x), None),
        )

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
                decoder.mark(start_bits(self._model))
            x.append(decoder.decode(self._model.predictive(belief)))
            belief = self._model.update(belief, x[-1])
        decoder.check()
        return x


def start_bits(model: Any) -> int:
    """The bits from which the schedule of a model with a predictive one starts."""
    return getattr(model, "start_bits", START_MIN_BITS)
