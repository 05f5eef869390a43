"""A frozen linear Gaussian state space model, step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bbans._arguments import (
    as_instance,
)
from bbans.distributions.multivariate import (
    RANGE_PREC,
    SCHEDULE_PREC,
    Multivariate,
    Values,
    _point,
    _rows,
)
from bbans.errors import CorruptError, SymbolError
from bbans.frozen.lgssm import FrozenLGSSM

__all__ = ["LGSSMStateSpace"]


class State(NamedTuple):
    """A latent state on the grid of its step, counted from 0."""

    step: int
    grid: Values


class Belief(NamedTuple):
    """The mean of z_t after x_t, in 2^-16 of the grid of step t."""

    step: int
    filtered: list[int]


class _States(NamedTuple):
    """A codec of states of one step."""

    step: int
    codec: Multivariate

    def push(self, message: Any, value: State) -> None:
        try:
            self.codec.push(message, value.grid)
        except SymbolError as error:
            raise CorruptError("no sender can have popped this state") from error

    def pop(self, message: Any) -> State:
        return State(self.step, self.codec.pop(message))


class _Observed(NamedTuple):
    """A codec of observations: an int if there is one, else a tuple."""

    codec: Multivariate
    single: bool

    def push(self, message: Any, value: Any) -> None:
        self.codec.push(message, np.atleast_1d(value).tolist())

    def pop(self, message: Any) -> int | Values:
        values = self.codec.pop(message)
        return values[0] if self.single else values


class LGSSMStateSpace:
    """The conditionals of a frozen LGSSM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenLGSSM

    Notes
    -----
    docs/maths.md, section 13. Observations are ints, or tuples of p of them.
    """

    def __init__(self, frozen: FrozenLGSSM) -> None:
        as_instance(frozen, FrozenLGSSM, "frozen", "a FrozenLGSSM, as from freeze()")
        self._frozen = frozen
        self.tail_length = frozen.tail_length
        self.start_bits = frozen.start_bits

    def _observed(self, *arguments: Any, prec: int = SCHEDULE_PREC) -> _Observed:
        codec = Multivariate(*arguments, family=self._frozen.family, prec=prec)
        return _Observed(codec, self._frozen.n_observed == 1)

    def _predicted(self, belief: Belief | None) -> tuple[int, list[int]]:
        if belief is None:
            return 0, self._frozen.step(0).move_offset.tolist()
        step = self._frozen.step(belief.step + 1)
        mean = _rows(step.move_offset, step.move, belief.filtered)
        return belief.step + 1, mean

    def prior(self, z: State | None) -> _States:
        """P(z_t | z_t-1), or P(z_1)."""
        t = 0 if z is None else z.step + 1
        step = self._frozen.step(t)
        grid = (0,) * self._frozen.n_states if z is None else z.grid
        mean = _rows(step.move_offset, step.move, [_point(v) for v in grid])
        return _States(t, Multivariate(mean, step.move_scale.tolist()))

    def likelihood(self, z: State) -> _Observed:
        """P(x_t | z_t)."""
        step = self._frozen.step(z.step)
        mean = _rows(step.emit_offset, step.emit, [_point(v) for v in z.grid])
        return self._observed(mean, step.emit_scale.tolist(), step.emit_lower)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the filter."""
        t, mean = self._predicted(belief)
        step = self._frozen.step(t)
        expected = _rows(step.emit_offset, step.emit, mean)
        values = self._frozen.observations(np.reshape(x, (1, -1)))[0].tolist()
        error = [_point(v) - e for v, e in zip(values, expected, strict=True)]
        return Belief(t, _rows(mean, step.gain, error))

    def posterior(self, belief: Belief, z_next: State | None) -> _States:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T)."""
        mean: Any = belief.filtered
        if z_next is None:
            step = self._frozen.step(belief.step)
            scale, lower = step.final_scale, step.final_lower
            codec = Multivariate(mean, scale.tolist(), lower, leak=False)
            return _States(belief.step, codec)
        t, predicted = self._predicted(belief)
        step = self._frozen.step(t)
        error = [_point(v) - p for v, p in zip(z_next.grid, predicted, strict=True)]
        mean = _rows(mean, step.back, error)
        scales = step.back_scale.tolist()
        return _States(belief.step, Multivariate(mean, scales, leak=False))

    def predictive(self, belief: Belief | None) -> _Observed:
        """P(x_t+1 | x_1 .. x_t)."""
        t, mean = self._predicted(belief)
        step = self._frozen.step(t)
        expected = _rows(step.emit_offset, step.emit, mean)
        scale, lower = step.predict_scale.tolist(), step.predict_lower
        return self._observed(expected, scale, lower, prec=RANGE_PREC)
