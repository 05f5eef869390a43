"""Frozen deep state space models: docs/maths.md, "VAEs and deep state space models"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_instance, as_integer
from bbans._lib import lib
from bbans.codecs.iconoclasm import Iconoclasm
from bbans.errors import CorruptError
from bbans.frozen.base import Kind, Mode
from bbans.frozen.head import Head, as_head, latents_law
from bbans.frozen.network import FrozenNetwork
from bbans.frozen.network_model import (
    NetworkModel,
    NetworkSteps,
    Plain,
    check_fit,
    options_of,
    size_of,
)
from bbans.message.codec import Codec

__all__ = ["DeepSSMSteps", "FrozenDeepSSM"]

_Integers = NDArray[Any]


class FrozenDeepSSM(NetworkModel):
    """A deep state space model in integers, ready to code.

    Latents z_t follow each other; a recurrent state h_t, m integers, sums up x_1 .. x_t
    and is made of x_t and h_t-1; h_0 is 0.

    Parameters
    ----------
    update : FrozenNetwork
        h_t from x_t and h_t-1.
    prior : FrozenNetwork
        P(z_t | z_t-1): locations, in 2^-16 of a grid step, and then scales, in 1/256
        of log2. z_1 is standard normal.
    likelihood : FrozenNetwork
        P(x_t | z_t, h_t-1): what `head` takes.
    posterior : FrozenNetwork
        Q(z_t | h_t, z_t+1), likewise; for z_t+1 it gets zeros behind the last step.
    head : Head
        How the outputs of `likelihood` become the law of an observation.
    grid : int
        Latents are integers, in steps of ``2**-grid``, 0 to 15.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    start_bits : int
        The schedule starts from ``2**start_bits`` or more.
    start_shift : int
        Latents of these observations are on a grid that is coarser by
        ``2**start_shift``, 0 to 15.
    kind : {"integers", "bytes"}
        What observations are given as: bytes, if their integers are.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`. The second codes all observations as those of the start,
        which takes longer messages.

    Raises
    ------
    ModelError
        If an argument is none of these, or networks do not fit.

    Notes
    -----
    Immutable; may be shared between threads. Most come from ``DeepSSM.freeze()``.
    """

    TYPE = 5
    NAME = "a deep state space model"

    _C = "bbans_deep_ssm"

    def __init__(
        self,
        update: FrozenNetwork,
        prior: FrozenNetwork,
        likelihood: FrozenNetwork,
        posterior: FrozenNetwork,
        *,
        head: Head,
        grid: int,
        start_length: int,
        start_bits: int = 40,
        start_shift: int = 0,
        kind: Kind = "integers",
        mode: Mode = "iconoclasm",
    ) -> None:
        networks = conditionals(update, prior, likelihood, posterior, FrozenNetwork)
        self._latents, self._hidden = fitting_sizes(networks, head)
        super().__init__(
            networks, head, grid=grid, start_length=start_length,
            start_bits=start_bits, start_shift=start_shift, kind=kind, mode=mode,
        )  # fmt: skip

    def _init(self, c: Any, *arguments: Any) -> int:
        return int(lib.bbans_deep_ssm_init(c, *arguments, self._array))

    # ---- what it is

    @property
    def n_latents(self) -> int:
        """Latents of a step, n."""
        return self._latents

    @property
    def n_hidden(self) -> int:
        """Integers of the recurrent state, m."""
        return self._hidden

    def state_space(self) -> DeepSSMSteps:
        """Return the model step by step; observations are arrays of `width`
        integers."""
        return DeepSSMSteps(self)

    def codec(self, n: int, length: int) -> Iconoclasm:
        """Return a codec of `n` sequences at once, each of `length` observations.

        A value is an array of shape (length, n, width). It takes messages of several
        lanes too; the bytes are others than those of `push`.
        """
        batch = (as_integer(n, "n", 1),)
        return Iconoclasm(DeepSSMSteps(self, batch), length)

    def __repr__(self) -> str:
        return (
            f"<FrozenDeepSSM {self.fingerprint.hex()}: {self.n_latents} latents, "
            f"{self.n_hidden} recurrent, {self.width} observed, {self.head.law}>"
        )

    # ---- its file

    def _payload(self) -> bytes:
        return self._body(0, 0)

    @classmethod
    def _read(cls, data: bytes) -> FrozenDeepSSM:
        head, networks = cls._parts(data)
        if head.start.detail:
            raise CorruptError("model file is inconsistent: it has levels")
        return cls(*networks, **options_of(head))


# ---- its networks, in integers or in floats


def conditionals(
    update: Any, prior: Any, likelihood: Any, posterior: Any, kind: type[Any]
) -> dict[str, Any]:
    """Networks by their names, in the order of files.

    Raises
    ------
    ModelError
        If one is not of this kind.
    """
    networks = {
        "update": update,
        "prior": prior,
        "likelihood": likelihood,
        "posterior": posterior,
    }
    for name, network in networks.items():
        as_instance(network, kind, name, f"a {kind.__name__}")
    return networks


def fitting_sizes(networks: dict[str, Any], head: Head) -> tuple[int, int]:
    """Latents, and numbers of the recurrent state.

    Raises
    ------
    ModelError
        If `head` is none, or what networks take or give does not fit.
    """
    as_head(head)
    n = size_of(networks["posterior"].outputs) // 2
    m = size_of(networks["update"].outputs)
    check_fit("update", networks["update"], [head.width, m], m)
    check_fit("prior", networks["prior"], [n], 2 * n)
    check_fit("likelihood", networks["likelihood"], [n, m], head.outputs)
    check_fit("posterior", networks["posterior"], [m, n], 2 * n)
    return n, m


# ---- step by step


class DeepSSMSteps(NetworkSteps):
    """The conditionals of a frozen deep state space model; implements
    `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenDeepSSM
    batch : tuple of int
        Leading axes of observations and states: sequences that are coded in step.

    Notes
    -----
    A state is the array z_t, a belief the array h_t.
    """

    def _zeros(self, n: int) -> _Integers:
        return np.zeros((*self._batch, n), np.int32)

    def _hidden(self, belief: _Integers | None) -> _Integers:
        return self._zeros(self._frozen.n_hidden) if belief is None else belief

    def _inferred(self, belief: _Integers, z_next: _Integers | None) -> _Integers:
        """What the posterior puts out."""
        after = self._zeros(self._frozen.n_latents) if z_next is None else z_next
        return self._run("posterior", belief, after)

    def prior(self, z: _Integers | None) -> Codec[Any]:
        """P(z_t | z_t-1), or P(z_1)."""
        return self._following(z, 0)

    def _following(self, z: _Integers | None, shift: int) -> Codec[Any]:
        """The same, of z_t on a grid that is coarser."""
        if z is None:
            return self._standard(self._frozen.n_latents, shift=shift)
        return latents_law(self._run("prior", z), leak=True, shift=shift)

    def likelihood(self, z: _Integers) -> Codec[Any]:
        """P(x_1 | z_1)."""
        return self.likelihood_given(z, None)

    def likelihood_given(self, z: _Integers, belief: _Integers | None) -> Codec[Any]:
        """P(x_t | z_t, h_t-1)."""
        return self._observed(self._run("likelihood", z, self._hidden(belief)))

    def update(self, belief: _Integers | None, x: Any) -> _Integers:
        """h_t from h_t-1 and x_t."""
        return self._run("update", self._values(x), self._hidden(belief))

    def posterior(self, belief: _Integers, z_next: _Integers | None) -> Codec[Any]:
        """Q(z_t | h_t, z_t+1), or Q(z_T | h_T)."""
        return latents_law(self._inferred(belief, z_next), leak=False)

    def predictive(self, belief: _Integers | None) -> Plain:
        """x_t and the mode of z_t given h_t alone: `start_length`."""
        shift = self._frozen.start_shift

        def mode(h: _Integers) -> _Integers:
            return self._mode(self._inferred(h, None))

        before = None if belief is None else mode(belief) << shift
        return Plain(
            self._following(before, shift),
            lambda x: mode(self.update(belief, x)),
            lambda z: self.likelihood_given(z << shift, belief),
        )
