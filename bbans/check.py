"""Test a state space model for what coding needs, and measure its rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bbans._arguments import as_integer
from bbans.codecs.base import Codec
from bbans.codecs.iconoclasm import (
    PredictiveModel,
    StateSpaceModel,
    as_state_space,
    likelihood,
)
from bbans.errors import BbansError, ModelError
from bbans.frozen import FrozenModel
from bbans.message import Message
from bbans.sequence import decode_sequence, encode_sequence

__all__ = ["ModelReport", "check_model"]

SPARE_BYTES = 4096  # of random bits before each symbol's pops


class ModelReport(NamedTuple):
    """What `check_model` found. All rates are in bits for the whole sequence.

    Attributes
    ----------
    length : int
        Observations T.
    elbo : float
        Mean of -log2 P(x, z) / Q(z | x) over samples of z: what bits back pays net.
        The negative evidence lower bound.
    elbo_error : float
        Standard error of `elbo`; 0 for an exact posterior but for rounding.
    information_content : float or None
        -log2 P(x), if the model has a predictive distribution.
    message : int
        Bits of one message, whole bytes counted: with start-up if the model can
        start by itself, else net of the bits that were lent.
    """

    length: int
    elbo: float
    elbo_error: float
    information_content: float | None
    message: int

    def __str__(self) -> str:
        content = self.information_content
        lines = [
            f"observations         {self.length}",
            f"ELBO                 {self.elbo:.3f} +- {self.elbo_error:.3f} bits",
            "information content  "
            + ("not tractable" if content is None else f"{content:.3f} bits"),
            f"message              {self.message} bits",
        ]
        return "\n".join(lines)


def check_model(
    model: StateSpaceModel, x: Sequence[Any], *, samples: int = 8, seed: int = 0
) -> ModelReport:
    """Test a model on a sequence, step by step, and measure what it costs.

    Parameters
    ----------
    model : StateSpaceModel or PredictiveModel
    x : sequence
        One or more observations that the model should code well.
    samples : int
        Draws of the latent states, for the ELBO.
    seed : int
        Of the random bits that the states are drawn with.

    Returns
    -------
    ModelReport

    Raises
    ------
    ModelError
        If a codec is not the exact inverse of itself, if it is not the same when it
        is asked for twice, if a state that the posterior draws has no mass under the
        prior or the observation none under its likelihood, or if the sequence does
        not come back. The text names the conditional and the step.
    """
    as_state_space(model)
    samples = as_integer(samples, "samples", 1)
    if not hasattr(x, "__len__") or len(x) == 0:
        raise ModelError(f"a check needs an observation: x is a sequence, not {x!r}")
    if isinstance(model, FrozenModel):
        raise ModelError(
            "a frozen model is checked step by step: pass HMMStateSpace(model), "
            "ARHMMStateSpace(model) or LGSSMStateSpace(model)"
        )
    rng = np.random.default_rng(seed)
    nets = [
        _walk(model, x, _random_message(rng, len(x)), checked=k == 0)
        for k in range(samples)
    ]
    content = None
    if isinstance(model, PredictiveModel):
        content = _information_content(model, x, _random_message(rng, len(x)))
    error = float(np.std(nets)) / max(1, samples - 1) ** 0.5
    return ModelReport(
        len(x), float(np.mean(nets)), error, content, _whole(model, x, rng)
    )


def _random_message(rng: np.random.Generator, length: int) -> Message:
    return Message.from_bytes(rng.bytes(SPARE_BYTES + 16 * length) + b"\1")


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except BbansError as error:
        raise ModelError(f"{where}: {error}") from error
    except Exception as error:  # of the user's code
        raise ModelError(f"{where}: {type(error).__name__}: {error}") from error


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b) if np.ndim(a) or np.ndim(b) else bool(a == b)


def _walk(
    model: StateSpaceModel, x: Sequence[Any], message: Message, checked: bool
) -> float:
    """The sender's schedule; returns the net bits that it adds."""
    start = message.bits
    push, pop = (_checked_push, _checked_pop) if checked else (_push, _pop)
    beliefs: list[Any] = []
    for t, value in enumerate(x):
        with _naming(f"update with x[{t}]"):
            beliefs.append(model.update(beliefs[-1] if beliefs else None, value))
    last = len(x) - 1
    z_next = None
    for t in range(last, -1, -1):
        belief, after = beliefs[t], z_next
        where = f"posterior of z[{t}]"
        z = pop(partial(model.posterior, belief, after), message, where)
        if t < last:
            where = f"prior of z[{t + 1}]"
            push(partial(model.prior, z), message, after, where)
        where = f"likelihood of x[{t}]"
        before = beliefs[t - 1] if t > 0 else None
        push(partial(likelihood, model, z, before), message, x[t], where)
        z_next = z
    push(partial(model.prior, None), message, z_next, "prior of z[0]")
    return message.bits - start


def _push(make: Callable[[], Codec], message: Message, value: Any, where: str) -> None:
    with _naming(where):
        make().push(message, value)


def _pop(make: Callable[[], Codec], message: Message, where: str) -> Any:
    with _naming(where):
        return make().pop(message)


def _checked_push(
    make: Callable[[], Codec], message: Message, value: Any, where: str
) -> None:
    before = message.copy()
    _push(make, message, value, where)
    copy = message.copy()
    if not _same(_pop(make, copy, where), value):
        raise ModelError(f"{where}: what was pushed, {value}, does not pop again")
    if copy != before:
        raise ModelError(f"{where}: pop after push does not restore the message")


def _checked_pop(make: Callable[[], Codec], message: Message, where: str) -> Any:
    before = message.copy()
    value = _pop(make, message, where)
    copy = message.copy()
    _push(make, copy, value, where)
    if copy != before:
        raise ModelError(f"{where}: push after pop does not restore the message")
    return value


def _information_content(
    model: PredictiveModel, x: Sequence[Any], message: Message
) -> float:
    bits, belief = 0.0, None
    for t, value in enumerate(x):
        before = message.bits
        where = f"predictive of x[{t}]"
        _checked_push(partial(model.predictive, belief), message, value, where)
        bits += message.bits - before
        with _naming(f"update with x[{t}]"):
            belief = model.update(belief, value)
    return bits


def _whole(model: Any, x: Sequence[Any], rng: np.random.Generator) -> int:
    """Encode and decode a message, twice; return its bits."""
    lent = None if isinstance(model, PredictiveModel) else rng.bytes(64 + 16 * len(x))
    with _naming("encoding"):
        data = encode_sequence(model, x, seed=lent).to_bytes()
        if encode_sequence(model, x, seed=lent).to_bytes() != data:
            raise ModelError("the same sequence gives other bytes the second time")
    with _naming("decoding"):
        decoded = decode_sequence(model, Message.from_bytes(data), len(x), seed=lent)
    for t, (value, again) in enumerate(zip(x, decoded, strict=True)):
        if not _same(value, again):
            raise ModelError(f"x[{t}] = {value} decodes to {again}")
    return 8 * (len(data) - (0 if lent is None else len(lent) + 1))
