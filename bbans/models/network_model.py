"""What float models made of networks share: docs/maths.md, "VAEs and deep state space
models"."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_real
from bbans._float_file import Arrays
from bbans._lib import lib
from bbans.codecs.metered import random_bits
from bbans.codecs.state_space import as_sequence_model
from bbans.errors import ModelError
from bbans.frozen.alphabet import Rows
from bbans.frozen.base import FrozenModel, Kind
from bbans.frozen.head import Head
from bbans.frozen.network import FrozenNetwork
from bbans.models._float_heads import observation_bits, units_of
from bbans.models._start_length import start_length
from bbans.models.base import FloatModel
from bbans.networks.network import Network
from bbans.networks.units import Units, latents, location, scale
from bbans.networks.units import grid as grid_units

__all__ = ["NetworkModel"]

_Floats = NDArray[np.float64]
_Integers = NDArray[Any]
_Frozen = TypeVar("_Frozen", bound=FrozenModel)

_LATENT_MAX = 32767  # in grid steps, where networks take them
_LOG2E = math.log2(math.e)
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

# What a start is measured on: sequences, and observations of each.
_SEQUENCES, _OBSERVATIONS = 16, 16


class NetworkModel(FloatModel):
    """A float model whose conditionals are networks.

    Parameters
    ----------
    networks : dict of Network
    head : Head
        How the likelihood's outputs become the law of an observation.
    step : float
        An integer v of an observation is ``v * step`` to the networks.
    """

    __slots__ = ("_head", "_networks", "_step")

    def __init__(
        self, networks: Mapping[str, Network], head: Head, step: float
    ) -> None:
        self._head = head
        self._networks = dict(networks)
        self._step = as_real(step, "step")
        if not 0 < self._step < math.inf:
            raise ModelError(f"step must be above 0, not {step!r}")
        self._history = ()

    # ---- what it is

    @property
    def head(self) -> Head:
        """How the likelihood's outputs become the law of an observation."""
        return self._head

    @property
    def networks(self) -> dict[str, Network]:
        """The conditionals, by their names."""
        return dict(self._networks)

    @property
    def step(self) -> float:
        """An integer v of an observation is ``v * step`` to the networks."""
        return self._step

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes, if it is not said otherwise: integers."""
        return "integers"

    def information_content(self, x: Any) -> float:
        """Refuse: -log2 P(x) is not tractable, and `elbo` bounds it.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError(
            f"-log2 P(x) of {type(self).__name__} is not tractable: elbo(x) bounds it"
        )

    # ---- in floats

    def _rows(self, x: Any) -> _Integers:
        """Observations, one a row.

        Raises
        ------
        SymbolError
            If one is out of range, or there are no whole rows.
        """
        head = self._head
        rows = Rows(head.width, head.low, head.high)
        return rows.encode(x).reshape(-1, head.width)

    def _run(self, name: str, *given: NDArray[Any]) -> _Floats:
        """All outputs of a network, shape (..., outputs), of inputs (..., inputs)."""
        network, batch = self._networks[name], given[0].shape[:-1]
        shaped = [
            array.reshape(*batch, *shape)
            for array, shape in zip(given, network.inputs, strict=True)
        ]
        made = network(*shaped)
        parts = made if isinstance(made, tuple) else (made,)
        return np.concatenate([part.reshape(*batch, -1) for part in parts], axis=-1)

    def _observed_bits(self, outputs: _Floats, x: _Integers) -> _Floats:
        return observation_bits(self._head, outputs, x, self._step)

    # ---- into integers

    def _frozen_network(
        self,
        name: str,
        given: Sequence[NDArray[Any]],
        inputs: Sequence[Units],
        outputs: Units | None,
        precision: Mapping[str, int],
        step: float,
    ) -> FrozenNetwork:
        """A network in integers; without `outputs` they are latents on a grid."""
        network = self._networks[name]
        arrays = [
            array.reshape(-1, *shape)
            for array, shape in zip(given, network.inputs, strict=True)
        ]
        shapes = network.outputs
        if outputs is not None:
            units = [outputs] * len(shapes)
        elif len(shapes) == 2 and shapes[0] == shapes[1]:
            units = [location(step), scale(step)]
        elif len(shapes) == 1 and len(shapes[0]) == 1:
            units = [latents(shapes[0][0] // 2, step)]
        else:
            raise ModelError(
                f"{name} must put out the locations of latents and the logarithms of "
                f"their deviations, as two outputs of one shape or as one vector, not "
                f"{shapes}"
            )
        try:
            return network.quantise(
                arrays, inputs=inputs, outputs=units, **precision
            ).freeze()
        except ModelError as error:
            raise ModelError(f"{name}: {error}", error.status) from error

    def _values(self) -> Units:
        """Of an observation, where a network takes it."""
        return grid_units(self._step, self._head.low, self._head.high)

    def _logits(self) -> Units:
        return units_of(self._head, self._step)

    # ---- files

    def _arrays(self) -> Arrays:
        head = self._head
        arrays: Arrays = {
            "step": np.array(self._step),
            "law": np.array(head.law.encode("ascii")),
            "family": np.array(head.family.encode("ascii")),
            "head": np.array([head.width, head.low, head.high, head.components]),
        }
        for name, network in self._networks.items():
            for key, array in network._arrays().items():
                arrays[f"{name}.{key}"] = array
        return arrays

    @staticmethod
    def _head_of(arrays: Arrays) -> Head:
        law, family = (str(arrays[name].item(), "ascii") for name in ("law", "family"))
        width, low, high, components = arrays["head"].tolist()
        return Head(law, width, low, high, components, family)

    @staticmethod
    def _networks_of(arrays: Arrays) -> dict[str, Network]:
        parts: dict[str, Arrays] = {}
        for name, array in arrays.items():
            network, dot, key = name.partition(".")
            if dot:
                parts.setdefault(network, {})[key] = array
        return {name: Network._from_arrays(part) for name, part in parts.items()}


def split(outputs: _Floats) -> tuple[_Floats, _Floats]:
    """Means of latents, and natural logarithms of their deviations."""
    mean, log_deviation = np.split(outputs, 2, axis=-1)
    return mean, log_deviation


def drawn(rng: np.random.Generator, outputs: _Floats) -> _Floats:
    """Latents."""
    mean, log_deviation = split(outputs)
    return mean + np.exp(log_deviation) * rng.standard_normal(mean.shape)


def gaussian_bits(z: _Floats, outputs: _Floats | None = None) -> _Floats:
    """-log2 of the density of latents, by default under N(0, 1); shape (...)."""
    log_deviation: Any = 0.0
    if outputs is not None:
        mean, log_deviation = split(outputs)
        z = (z - mean) * np.exp(-log_deviation)
    bits: _Floats = (z * z / 2 + log_deviation + _HALF_LOG_2PI).sum(axis=-1) * _LOG2E
    return bits


def latent_units(grid: int) -> Units:
    """Of latents, where a network takes them."""
    return grid_units(2.0**-grid, -_LATENT_MAX, _LATENT_MAX)


def with_start(
    make: Callable[[int, int], _Frozen], sequences: Iterable[_Integers], grid: int
) -> _Frozen:
    """The frozen model whose start costs least.

    Parameters
    ----------
    make : callable
        ``make(start_length, start_shift)`` is the model.
    sequences : iterable of ndarray, shape (T, width)
        Observations that it should code well.
    grid : int

    Notes
    -----
    docs/maths.md, "VAEs and deep state space models".
    """
    rng = np.random.default_rng(0)
    xs = [
        list(x[:_OBSERVATIONS, 0] if x.shape[1] == 1 else x[:_OBSERVATIONS])
        for x in islice(sequences, _SEQUENCES)
    ]
    n = sum(map(len, xs))
    borrowed = net = 0.0
    steps: Any = make(1, 0).state_space()
    beliefs = []
    for x in xs:
        message = random_bits(rng, len(x))
        before = message.bits
        as_sequence_model(steps).push(message, x)
        borrowed = max(borrowed, before - message.least)
        net += (message.bits - before) / n
        beliefs.append([None])
        for value in x[:-1]:
            beliefs[-1].append(steps.update(beliefs[-1][-1], value))
    best = None
    for shift in range(min(grid + 1, lib.BBANS_GRID_MAX) + 1):
        steps = make(1, shift).state_space()
        message = random_bits(rng, n)
        bits = []
        for x, known in zip(xs, beliefs, strict=True):
            for value, belief in zip(x, known, strict=True):
                before = message.bits
                steps.predictive(belief).push(message, value)
                bits.append(message.bits - before)
        mean, variance = float(np.mean(bits)), float(np.var(bits))
        least = max(borrowed, steps.start_bits) + 6.0
        length = start_length(mean, variance, least)
        cost = length * (mean - net)
        if best is None or cost < best[0]:
            best = cost, length, shift
    assert best is not None
    return make(*best[1:])
