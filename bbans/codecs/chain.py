"""A state space model as a graph: docs/maths.md, "Schedules"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bbans.codecs.state_space import start_bits
from bbans.errors import ModelError
from bbans.message.codec import Codec

__all__ = ["Chain", "PredictiveChain"]


class Chain:
    """States ``("z", t)`` and observations ``("x", t)``, t = 0, 1, .. of a model.

    Raises
    ------
    ModelError
        If observations depend on earlier ones.
    """

    def __init__(self, model: Any) -> None:
        if hasattr(model, "likelihood_given"):
            raise ModelError(
                "observations of this model depend on earlier ones, and then no graph "
                "is small: code by encode_sequence"
            )
        self._model = model

    def parents(self, node: Any) -> list[Any]:
        """The state of an observation, the state before a state."""
        name, t = node
        return [("z", t)] if name == "x" else [("z", t - 1)] if t else []

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Codec[Any]:
        """P(x_t | z_t) or P(z_t | z_t-1)."""
        (given,) = values.values() or (None,)
        model = self._model
        codec: Codec[Any] = (model.likelihood if node[0] == "x" else model.prior)(given)
        return codec

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Q(z_t | x_1 .. x_t, z_t+1); `plan` keeps the beliefs."""
        return _Beliefs(self._model).posterior(node, known)

    def plan(self, order: Any) -> Callable[[], _Beliefs]:
        """Posteriors whose beliefs are computed once."""
        return partial(_Beliefs, self._model)


class PredictiveChain(Chain):
    """A chain that can start a message by itself."""

    @property
    def start_bits(self) -> int:
        """The schedule starts from ``2**start_bits`` or more."""
        return start_bits(self._model)

    @property
    def exact_predictive(self) -> bool:
        """Whether predictive distributions are those of the model."""
        return bool(getattr(self._model, "exact_predictive", True))

    def start(self, pushes: Sequence[Any]) -> int:
        """Number of observations at the end that start a message."""
        return min(int(self._model.start_length), len(pushes))

    def predictive(self, order: Any) -> Callable[[], _Predictions]:
        """Distributions of observations given those before."""
        return partial(_Predictions, self._model)


class _Beliefs:
    """Posteriors of one pass; the beliefs that they need are computed once."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._beliefs: list[Any] = []

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        t, beliefs = node[1], self._beliefs
        while len(beliefs) <= t:
            before = beliefs[-1] if beliefs else None
            beliefs.append(self._model.update(before, known["x", len(beliefs)]))
        codec: Codec[Any] = self._model.posterior(beliefs[t], known.get(("z", t + 1)))
        return codec


class _Predictions:
    """Of one pass from the first observation to the last."""

    def __init__(self, model: Any) -> None:
        self._model, self._belief = model, None

    def observe(self, node: Any, value: Any) -> None:
        self._belief = self._model.update(self._belief, value)

    def law(self, node: Any) -> Codec[Any]:
        codec: Codec[Any] = self._model.predictive(self._belief)
        return codec
