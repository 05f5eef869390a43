"""IconoCLaSM over any state space model: docs/maths.md, section 1."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from bbans._arguments import as_integer
from bbans.codecs.base import Codec
from bbans.errors import ModelError, SymbolError
from bbans.frozen.base import FrozenModel
from bbans.frozen.hmm import as_frozen

__all__ = [
    "AutoregressiveModel",
    "Iconoclasm",
    "PredictiveModel",
    "StateSpaceModel",
    "as_state_space",
    "likelihood",
    "pop_schedule",
    "push_schedule",
]


class StateSpaceModel(Protocol):
    """A state space model as its conditional distributions.

    States z, observations x and beliefs may be of any type. A *belief* is
    whatever summarises x_1 .. x_t for the posterior: for an HMM the forward
    message, for a deep model the state of a recurrent network. Sender and
    receiver compute beliefs separately, so `update` must give exactly the same
    on both sides.
    """

    def prior(self, z: Any | None) -> Codec:
        """Codec of the next state, P(z_t | z_t-1); of the first for None."""

    def likelihood(self, z: Any) -> Codec:
        """Codec of an observation, P(x_t | z_t)."""

    def update(self, belief: Any | None, x: Any) -> Any:
        """Belief after x_t from the belief after x_t-1 (None before x_1)."""

    def posterior(self, belief: Any, z_next: Any | None) -> Codec:
        """Codec of z_t, Q(z_t | x_1 .. x_t, z_t+1); Q(z_T | x_1 .. x_T) for
        None. It draws z_t: distributions that take `leak` need ``leak=False``."""


@runtime_checkable
class AutoregressiveModel(Protocol):
    """What a state space model has besides if observations depend on earlier ones."""

    def likelihood_given(self, z: Any, belief: Any | None) -> Codec:
        """Codec of P(x_t | z_t, x_1 .. x_t-1), from the belief after x_t-1 (None
        before x_1). It takes the place of `likelihood`."""


@runtime_checkable
class PredictiveModel(StateSpaceModel, Protocol):
    """A state space model that can start a message by itself: `encode_sequence`."""

    tail_length: int
    """Observations at the end of a sequence that are coded by `predictive`; they
    should hold some 46 bits, or 6 more than the attribute `start_bits`, if there is
    one: the bits that the schedule starts from, by default 40."""

    def predictive(self, belief: Any | None) -> Codec:
        """Codec of P(x_t+1 | x_1 .. x_t), from the belief after x_t (None: of
        x_1)."""


def as_state_space(model: Any) -> Any:
    """The model that was given, if it is one that sequences are coded under.

    Raises
    ------
    ModelError
        If it is none; the text says what it is instead, or lacks.
    """
    if isinstance(model, FrozenModel):
        return model
    lacking = [
        name
        for name in ("prior", "update", "posterior")
        if not callable(getattr(model, name, None))
    ]
    if lacking and (hasattr(model, "freeze") or isinstance(model, str | os.PathLike)):
        return as_frozen(model)  # says what it is
    if not any(hasattr(model, name) for name in ("likelihood", "likelihood_given")):
        lacking.append("likelihood")
    if lacking or isinstance(model, type):
        raise ModelError(
            f"model must be frozen or a StateSpaceModel, not {reprlib.repr(model)}: it "
            f"lacks {', '.join(lacking) or 'an instance'}"
        )
    return model


def likelihood(model: Any, z: Any, belief: Any | None) -> Codec:
    """Codec of x_t, from the belief after x_t-1."""
    if isinstance(model, AutoregressiveModel):
        return model.likelihood_given(z, belief)
    codec: Codec = model.likelihood(z)
    return codec


def push_schedule(
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


def pop_schedule(
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


class Iconoclasm:
    """Sequences of a given length under a state space model.

    Parameters
    ----------
    model : FrozenHMM, FrozenLGSSM or StateSpaceModel
        Frozen models are coded in one C call, to the same bytes as by
        ``HMMStateSpace(frozen)``, ``ARHMMStateSpace(frozen)`` and
        ``LGSSMStateSpace(frozen)``, the same models step by step.
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

    def __init__(self, model: FrozenModel | StateSpaceModel, length: int) -> None:
        self._model = as_state_space(model)
        self._length = as_integer(length, "length", 0)

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push observations. If this raises, the message is spent."""
        if len(value) != self._length:
            raise SymbolError(f"expected {self._length} symbols, not {len(value)}")
        if isinstance(self._model, FrozenModel):
            message.push_sequence(self._model, value)
            return
        if self._length == 0:
            return
        belief, beliefs = None, []
        for x in value:
            belief = self._model.update(belief, x)
            beliefs.append(belief)
        push_schedule(self._model, message, value, beliefs)

    def pop(self, message: Any) -> Any:
        """Pop the observations: an array for a frozen model, else a list."""
        if isinstance(self._model, FrozenModel):
            return message.pop_sequence(self._model, self._length)
        if self._length == 0:
            return []
        return pop_schedule(self._model, message, self._length)[0]
