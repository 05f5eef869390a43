"""What each step of a message takes: the schedule step by step, as a reader runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.codecs.state_space import (
    FLAG_PREDICTIVE,
    FLAG_SCHEDULE,
    FLAG_TOTAL,
    likelihood,
)
from bbans.frozen.engine import as_engine

__all__ = ["Steps", "steps"]


@dataclass(frozen=True, repr=False, eq=False)
class Steps:
    """What the steps of a message have taken, in bits.

    Attributes
    ----------
    states : list
        z_1 .. z_n, which bits back has drawn.
    likelihood, prior, posterior : ndarray of float64, shape (n,)
        -log2 of P(x_t | z_t) and of P(z_t | z_t-1), which were pushed, and of Q(z_t |
        x_1 .. x_t, z_t+1), which was popped.
    flag : float
        What says that there are such steps; 0 if there can be none.
    start : float
        The message that the steps began with: what follows x_n, range coded.
    length : int
        T; the start has T - n observations.
    """

    states: list[Any]
    likelihood: NDArray[np.float64]
    prior: NDArray[np.float64]
    posterior: NDArray[np.float64]
    flag: float
    start: float
    length: int

    def __repr__(self) -> str:
        n = len(self.states)
        return f"<Steps: {n} of a sequence of {self.length}, {self.bits:.1f} bits>"

    @property
    def grown(self) -> NDArray[np.float64]:
        """By how many bits the message has grown at each step, shape (n,)."""
        return self.prior + self.likelihood - self.posterior

    @property
    def bits(self) -> float:
        """Of the message: its integer has one more, the leading 1."""
        return float(self.grown.sum()) + self.flag + self.start


def steps(x: Any, model: Any, *, most: int | None = None) -> Steps:
    """Encode a sequence, and say what each step has taken.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What ``model.encode`` takes.
    model : FrozenModel or ParticleFilter
    most : int, optional
        Look at no more steps than this, the first; `start` is then what all others have
        taken. A step takes some tenths of a millisecond, in Python.

    Returns
    -------
    Steps
        Without steps, if the message is a range code alone: in the predictive mode, of
        x no longer than the model's `start_length`, or if its start says too little.

    Raises
    ------
    SymbolError
        If the model cannot code x.
    ModelError
        If it is no frozen model.

    Notes
    -----
    The message is the one that ``model.encode`` makes. It is decoded here as any reader
    does, from the first step on.

    Examples
    --------
    >>> from bbans import HMM
    >>> model = HMM.random(4, 6, seed=0).freeze()
    >>> x = HMM.random(4, 6, seed=0).sample(400, seed=1)[0]
    >>> taken = steps(x, model)
    >>> message = model.encode(x)
    >>> int(taken.bits) + 1 == int.from_bytes(message, "little").bit_length()
    True
    """
    engine = as_engine(model)
    values = engine._symbols(x)
    message, length = engine._encode(values), len(values)
    whole, body = message.bits, 0
    if engine.mode != "predictive" and length > engine.start_length:
        is_plain = message.peek(FLAG_TOTAL)[0] >= FLAG_PREDICTIVE[0]
        message.advance(*FLAG_PREDICTIVE if is_plain else FLAG_SCHEDULE, FLAG_TOTAL)
        body = 0 if is_plain else length - engine.start_length
    flag = whole - message.bits
    n = body if most is None else min(body, as_integer(most, "most", 0))
    states, taken = [], np.zeros((3, n + 1))

    def popped(codec: Any) -> tuple[Any, float]:
        before = message.bits
        return codec.pop(message), before - message.bits

    if n:
        given = engine.state_space()
        belief: Any = None
        z, taken[1, 0] = popped(given.prior(None))
    for t in range(n):
        x_t, taken[0, t] = popped(likelihood(given, z, belief))
        belief, z_next = given.update(belief, x_t), None
        if t + 1 < body:
            z_next, taken[1, t + 1] = popped(given.prior(z))
        before = message.bits
        given.posterior(belief, z_next).push(message, z)
        taken[2, t] = message.bits - before
        states.append(z)
        z = z_next
    rest = message.bits + float(taken[1, n])  # the state after the last, if popped
    observed, prior, posterior = taken[:, :n]
    return Steps(states, observed, prior, posterior, flag, rest, length)
