"""Variational autoencoders in floating point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_generator, as_integer
from bbans._float_file import Arrays
from bbans._lib import lib
from bbans.errors import ModelError
from bbans.frozen.base import MODES, Kind, one_of
from bbans.frozen.head import Head
from bbans.frozen.network_model import ORDERS
from bbans.frozen.vae import FrozenVAE, conditionals, fitting_levels
from bbans.models.network_model import (
    NetworkModel,
    drawn,
    gaussian_bits,
    latent_units,
    with_start,
)
from bbans.networks.network import Network

__all__ = ["VAE"]

_Floats = NDArray[np.float64]


class VAE(NetworkModel):
    """A variational autoencoder in floats: what training makes, `freeze` what codes.

    Parameters
    ----------
    likelihood : Network
        P(x | z), in natural logarithms: log odds of bits, log weights of categories,
        log alpha and log beta; of mixtures log weights, then locations, then log
        scales, both in units of the networks' inputs.
    posteriors : Network, or sequence of them
        Q of each level of latents z_1 .. z_L, 1 to 8, the first next to the data:
        means and the natural logarithms of deviations, as two outputs of one shape or
        as one vector of both.
    priors : sequence of Network
        P of each level but the highest, which is standard normal; likewise.
    head : Head
        How the outputs of `likelihood` become the law of an observation.
    order : {"markov", "top-down"}
        What networks take: see `FrozenVAE`.
    step : float
        An integer v of an observation is ``v * step`` to the networks.

    Raises
    ------
    ModelError
        If an argument is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import networks as nn
    >>> from bbans.frozen import Head
    >>> rng = np.random.default_rng(0)
    >>> x, z = nn.Input(9), nn.Input(2)
    >>> encoder = nn.Network([x], [nn.Dense(x, rng.normal(size=(4, 9)))])
    >>> decoder = nn.Network([z], [nn.Dense(z, rng.normal(size=(9, 2)))])
    >>> model = VAE(decoder, encoder, head=Head.bernoulli(9))
    >>> images = rng.integers(0, 2, (100, 9))
    >>> frozen = model.freeze(images)
    >>> data = frozen.encode(images)
    >>> np.array_equal(frozen.decode(data, 100), images)
    True
    """

    __slots__ = ("_order",)

    def __init__(
        self,
        likelihood: Network,
        posteriors: Network | Iterable[Network],
        priors: Iterable[Network] = (),
        *,
        head: Head,
        order: str = "markov",
        step: float = 1.0,
    ) -> None:
        self._order: str = one_of(order, ORDERS, "order")
        networks = conditionals(likelihood, posteriors, priors, Network)
        fitting_levels(networks, head, order)
        super().__init__(networks, head, step)

    @property
    def order(self) -> str:
        """What networks take: "markov" or "top-down"."""
        return self._order

    @property
    def levels(self) -> int:
        """Levels of latents L."""
        return len(self._networks) // 2

    def __repr__(self) -> str:
        return (
            f"<VAE: {self.levels} levels, {self.head.width} observed, {self.head.law}>"
        )

    def elbo(self, x: ArrayLike, *, samples: int = 8, seed: int = 0) -> float:
        """Estimate what bits back pays in the mean, the negative evidence lower bound.

        Parameters
        ----------
        x : array_like of int, shape (T, width), or with images as the last axes
        samples : int
            Draws of the latents of each observation.
        seed : int
            Of these draws.

        Returns
        -------
        float
            Bits of all observations.

        Raises
        ------
        SymbolError
            If an observation is out of range, or there are no whole rows.
        ModelError
            If `samples` or `seed` is none.
        """
        rows, rng = self._rows(x), as_generator(seed)
        samples = as_integer(samples, "samples", 1)
        return sum(self._drawn(rows, rng)[-1] for _ in range(samples)) / samples

    def _drawn(
        self, rows: NDArray[Any], rng: np.random.Generator
    ) -> tuple[dict[int, _Floats], float]:
        """Latents of each level, and the bits that they and the rows take net."""
        markov, levels = self._order == "markov", range(1, self.levels + 1)
        given = [rows * self._step]
        z: dict[int, _Floats] = {}
        bits = np.zeros(len(rows))
        for level in levels if markov else reversed(levels):
            outputs = self._run(f"posterior_{level}", *given)
            z[level] = drawn(rng, outputs)
            bits -= gaussian_bits(z[level], outputs)
            given = given * (not markov) + [z[level]]
        for level in levels:
            prior = None
            if level < self.levels:
                prior = self._run(f"prior_{level}", *self._above(z, level))
            bits += gaussian_bits(z[level], prior)
        outputs = self._run("likelihood", *self._above(z, 0))
        return z, float((bits + self._observed_bits(outputs, rows)).sum())

    def _above(self, z: dict[int, _Floats], level: int) -> list[_Floats]:
        """What the conditional of a level is given, 0 being the data."""
        if self._order == "markov":
            return [z[level + 1]]
        return [z[above] for above in range(self.levels, level, -1)]

    def freeze(
        self,
        calibration: ArrayLike,
        *,
        grid: int = 8,
        weights: int = 8,
        activations: int = 8,
        kind: Kind = "integers",
        predictive: bool = False,
    ) -> FrozenVAE:
        """Turn the networks into integers, with which sequences are coded.

        Parameters
        ----------
        calibration : array_like of int, shape (N, width)
            Observations that the model should code well, some hundreds or more:
            ranges within the networks, and how messages start, are measured on them.
        grid : int
            Latents are integers, in steps of ``2**-grid``, 0 to 15.
        weights, activations : int
            Bits, as of `Network.quantise`.
        kind : {"integers", "bytes"}
            What observations are given as: bytes, if their integers are.
        predictive : bool
            The mode: "predictive" codes all observations without bits back, which takes
            longer messages.

        Returns
        -------
        FrozenVAE

        Raises
        ------
        SymbolError
            If an observation is out of range, or there are no whole rows.
        ModelError
            If an argument is none of these, or a network does not fit; the text names
            the network.
        """
        grid = as_integer(grid, "grid", 0, lib.BBANS_GRID_MAX)
        rows = self._rows(calibration)
        if not len(rows):
            raise ModelError("calibration must have an observation")
        z, _ = self._drawn(rows, np.random.default_rng(0))
        markov, levels = self._order == "markov", range(1, self.levels + 1)
        x, latent = rows * self._step, latent_units(grid)
        options = {"weights": weights, "activations": activations}

        def frozen(
            name: str, data: list[_Floats], above: list[_Floats], out: Any
        ) -> Any:
            units = [self._values()] * len(data) + [latent] * len(above)
            given = data + above
            return self._frozen_network(name, given, units, out, options, 2.0**-grid)

        posteriors = []
        for level in levels:
            if markov and level > 1:
                data, seen = [], [z[level - 1]]
            else:
                data, seen = [x], [] if markov else self._above(z, level)
            posteriors.append(frozen(f"posterior_{level}", data, seen, None))
        priors = [
            frozen(f"prior_{level}", [], self._above(z, level), None)
            for level in levels[:-1]
        ]
        likelihood = frozen("likelihood", [], self._above(z, 0), self._logits())

        def make(start_length: int, start_shift: int) -> FrozenVAE:
            return FrozenVAE(
                likelihood, posteriors, priors, head=self._head, order=self._order,
                grid=grid, start_length=start_length, start_shift=start_shift,
                kind=kind, mode=MODES[bool(predictive)],
            )  # fmt: skip

        n = min(len(rows), 16)
        return with_start(make, np.array_split(rows[: 16 * n], n), grid)

    # ---- files

    def _arrays(self) -> Arrays:
        return {**super()._arrays(), "order": np.array(self._order.encode("ascii"))}

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> VAE:
        networks = cls._networks_of(arrays)
        levels = len(networks) // 2
        return cls(
            networks["likelihood"],
            [networks[f"posterior_{i}"] for i in range(1, levels + 1)],
            [networks[f"prior_{i}"] for i in range(1, levels)],
            head=cls._head_of(arrays),
            order=str(arrays["order"].item(), "ascii"),
            step=float(arrays["step"]),
        )
