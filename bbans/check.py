"""Test a state space model for what coding needs, and measure its rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

# A draw is far out if it is this many times further from the usual ones than these
# are from each other. A leak reaches to 2**63; what tables hold is below 2**16.
FAR_OUT = 2**20
USUAL_DRAWS = 8


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
    far_out : tuple of int
        Steps t whose posterior can draw a z_t far out, or fail: its first or its last
        slot does. Shapes with a leak are like that; then bits are lost now and then.
    """

    length: int
    elbo: float
    elbo_error: float
    information_content: float | None
    message: int
    far_out: tuple[int, ...] = ()

    def __str__(self) -> str:
        content = self.information_content
        lines = [
            f"observations         {self.length}",
            f"ELBO                 {self.elbo:.3f} +- {self.elbo_error:.3f} bits",
            "information content  "
            + ("not tractable" if content is None else f"{content:.3f} bits"),
            f"message              {self.message} bits",
        ]
        if self.far_out:
            lines.append(f"draws far out        {len(self.far_out)} posteriors")
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

    Warns
    -----
    UserWarning
        If a posterior can draw states far out: `ModelReport.far_out`.
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
    far_out: list[int] = []

    def look(t: int, posterior: Callable[[], Codec]) -> None:
        if _draws_far_out(posterior, rng):
            far_out.insert(0, t)

    nets = [
        _walk(model, x, _random_message(rng, len(x)), look if k == 0 else None)
        for k in range(samples)
    ]
    if far_out:
        warnings.warn(
            f"the posterior of z[{far_out[0]}] can draw states far out, as do "
            f"{len(far_out)} of {len(x)}: each such draw costs many bits; give its "
            "distribution leak=False",
            stacklevel=2,
        )
    content = None
    if isinstance(model, PredictiveModel):
        content = _information_content(model, x, _random_message(rng, len(x)))
    error = float(np.std(nets)) / max(1, samples - 1) ** 0.5
    bits = _whole(model, x, rng)
    elbo = float(np.mean(nets))
    return ModelReport(len(x), elbo, error, content, bits, tuple(far_out))


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


def _numbers(z: Any) -> NDArray[np.float64]:
    """The numbers of a state, if it consists of such, in one row."""
    if isinstance(z, tuple | list):
        return np.concatenate([np.empty(0), *map(_numbers, z)])
    array = np.asarray(z)
    return array.astype(float).ravel() if array.dtype.kind in "biuf" else np.empty(0)


def _draws_far_out(posterior: Callable[[], Codec], rng: np.random.Generator) -> bool:
    usual = [
        _numbers(posterior().pop(_random_message(rng, 0))) for _ in range(USUAL_DRAWS)
    ]
    if len({row.size for row in usual}) > 1:  # states of no fixed form
        return False
    low, high = np.min(usual, axis=0), np.max(usual, axis=0)
    reach = FAR_OUT * (1 + high - low)
    for slots in (b"\0", b"\xff"):  # the first of every pop, or the last
        try:
            drawn = posterior().pop(Message.from_bytes(slots * SPARE_BYTES + b"\1"))
        except Exception:  # of the codec, or of the user's code by what it was given
            return True
        row = _numbers(drawn)
        if row.size == low.size and ((row < low - reach) | (row > high + reach)).any():
            return True
    return False


def _walk(
    model: StateSpaceModel,
    x: Sequence[Any],
    message: Message,
    look: Callable[[int, Callable[[], Codec]], None] | None,
) -> float:
    """The sender's schedule; returns the net bits that it adds. With a `look` at each
    posterior all steps are checked too."""
    start = message.bits
    push, pop = (_push, _pop) if look is None else (_checked_push, _checked_pop)
    beliefs: list[Any] = []
    for t, value in enumerate(x):
        with _naming(f"update with x[{t}]"):
            beliefs.append(model.update(beliefs[-1] if beliefs else None, value))
    last = len(x) - 1
    z_next = None
    for t in range(last, -1, -1):
        belief, after = beliefs[t], z_next
        where = f"posterior of z[{t}]"
        posterior = partial(model.posterior, belief, after)
        z = pop(posterior, message, where)
        if look is not None:
            look(t, posterior)
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
