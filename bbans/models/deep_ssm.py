"""Deep state space models in floating point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_generator, as_integer
from bbans._float_file import Arrays
from bbans._lib import lib
from bbans.errors import ModelError, SymbolError
from bbans.frozen.base import MODES, Kind
from bbans.frozen.deep_ssm import FrozenDeepSSM, conditionals, fitting_sizes
from bbans.frozen.head import Head
from bbans.models.network_model import (
    NetworkModel,
    drawn,
    gaussian_bits,
    latent_units,
    with_start,
)
from bbans.networks.network import Network
from bbans.networks.units import Units
from bbans.networks.units import grid as grid_units

__all__ = ["DeepSSM"]

_Floats = NDArray[np.float64]
_STATE_MAX = 32767  # of a recurrent state's integers


class DeepSSM(NetworkModel):
    """A deep state space model in floats: what training makes, `freeze` what codes.

    Parameters
    ----------
    update : Network
        The recurrent state h_t from x_t and h_t-1; h_0 is 0.
    prior : Network
        P(z_t | z_t-1): means and the natural logarithms of deviations, as two outputs
        of one shape or as one vector of both. z_1 is standard normal.
    likelihood : Network
        P(x_t | z_t, h_t-1), in natural logarithms, as of `VAE`.
    posterior : Network
        Q(z_t | h_t, z_t+1), as `prior`; for z_t+1 it gets zeros behind the last step.
    head : Head
        How the outputs of `likelihood` become the law of an observation.
    step : float
        An integer v of an observation is ``v * step`` to the networks.

    Raises
    ------
    ModelError
        If an argument is none of these.

    References
    ----------
    Townsend and Murray, arXiv 2103.10150: IconoCLaSM, which codes them.
    """

    __slots__ = ("_hidden", "_latents")

    def __init__(
        self,
        update: Network,
        prior: Network,
        likelihood: Network,
        posterior: Network,
        *,
        head: Head,
        step: float = 1.0,
    ) -> None:
        networks = conditionals(update, prior, likelihood, posterior, Network)
        self._latents, self._hidden = fitting_sizes(networks, head)
        super().__init__(networks, head, step)

    def __repr__(self) -> str:
        return f"<DeepSSM: {self.head.width} observed, {self.head.law}>"

    def _sequences(self, x: Any) -> NDArray[Any]:
        """Sequences of one length, shape (N, T, width)."""
        array = as_array(x, "x")
        if array.ndim < 2:
            raise SymbolError(
                f"x must be a sequence of rows of {self.head.width}, or several of one "
                f"length, not of shape {array.shape}"
            )
        length = array.shape[0] if array.ndim == 2 else array.shape[1]
        return self._rows(array).reshape(-1, length, self.head.width)

    def elbo(self, x: ArrayLike, *, samples: int = 8, seed: int = 0) -> float:
        """Estimate what bits back pays in the mean, the negative evidence lower bound.

        Parameters
        ----------
        x : array_like of int, shape (T, width) or (N, T, width)
            A sequence, or N of them.
        samples : int
            Draws of the latents of each sequence.
        seed : int
            Of these draws.

        Returns
        -------
        float
            Bits of all sequences.

        Raises
        ------
        SymbolError
            If an observation is out of range, or there are no whole rows.
        ModelError
            If `samples` or `seed` is none.
        """
        sequences, rng = self._sequences(x), as_generator(seed)
        samples = as_integer(samples, "samples", 1)
        h = self._states(sequences)
        return sum(self._drawn(sequences, h, rng)[-1] for _ in range(samples)) / samples

    def _states(self, sequences: NDArray[Any]) -> _Floats:
        """h_0 .. h_T, shape (T + 1, N, m)."""
        h = [np.zeros((len(sequences), self._hidden))]
        for t in range(sequences.shape[1]):
            h.append(self._run("update", sequences[:, t] * self._step, h[-1]))
        return np.stack(h)

    def _drawn(
        self, sequences: NDArray[Any], h: _Floats, rng: np.random.Generator
    ) -> tuple[_Floats, float]:
        """z_1 .. z_T and zeros, shape (T + 1, N, n); the bits of all net."""
        length = sequences.shape[1]
        z = np.zeros((length + 1, len(sequences), self._latents))
        bits = np.zeros(len(sequences))
        for t in reversed(range(length)):
            outputs = self._run("posterior", h[t + 1], z[t + 1])
            z[t] = drawn(rng, outputs)
            bits -= gaussian_bits(z[t], outputs)
        for t in range(length):
            bits += gaussian_bits(z[t], self._run("prior", z[t - 1]) if t else None)
            outputs = self._run("likelihood", z[t], h[t])
            bits += self._observed_bits(outputs, sequences[:, t])
        return z, float(bits.sum())

    def freeze(
        self,
        calibration: ArrayLike,
        *,
        grid: int = 4,
        weights: int = 8,
        activations: int = 8,
        kind: Kind = "integers",
        predictive: bool = False,
    ) -> FrozenDeepSSM:
        """Turn the networks into integers, with which sequences are coded.

        Parameters
        ----------
        calibration : array_like of int, shape (N, T, width) or (T, width)
            Sequences that the model should code well, with some hundred observations
            or more: ranges within the networks, and how messages start, are measured on
            them.
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
        FrozenDeepSSM

        Raises
        ------
        SymbolError
            If an observation is out of range, or there are no whole rows.
        ModelError
            If an argument is none of these, or a network does not fit; the text names
            the network.
        """
        grid = as_integer(grid, "grid", 0, lib.BBANS_GRID_MAX)
        sequences = self._sequences(calibration)
        if not sequences.size:
            raise ModelError("calibration must have an observation")
        h = self._states(sequences)
        z, _ = self._drawn(sequences, h, np.random.default_rng(0))
        x = np.moveaxis(sequences, 1, 0) * self._step
        top = max(float(np.abs(h).max()), 1e-9) / _STATE_MAX
        state = grid_units(top, -_STATE_MAX * bool((h < 0).any()), _STATE_MAX)
        latent = latent_units(grid)
        options = {"weights": weights, "activations": activations}

        def frozen(
            name: str, given: Sequence[_Floats], units: Sequence[Units], out: Any
        ) -> Any:
            return self._frozen_network(name, given, units, out, options, 2.0**-grid)

        networks = (
            frozen("update", [x, h[:-1]], [self._values(), state], state),
            frozen("prior", [z[:-1]], [latent], None),
            frozen("likelihood", [z[:-1], h[:-1]], [latent, state], self._logits()),
            frozen("posterior", [h[1:], z[1:]], [state, latent], None),
        )

        def make(start_length: int, start_shift: int) -> FrozenDeepSSM:
            return FrozenDeepSSM(
                *networks, head=self._head, grid=grid, start_length=start_length,
                start_shift=start_shift, kind=kind, mode=MODES[bool(predictive)],
            )  # fmt: skip

        return with_start(make, sequences, grid)

    # ---- files

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> DeepSSM:
        return cls(
            **cls._networks_of(arrays),
            head=cls._head_of(arrays),
            step=float(arrays["step"]),
        )
