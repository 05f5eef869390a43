"""Frozen variational autoencoders: docs/maths.md, "VAEs and deep state space
models"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_instance, as_integer
from bbans._lib import lib
from bbans.codecs.bits_back import BitsBack
from bbans.codecs.compose import Dependent
from bbans.errors import CorruptError, ModelError
from bbans.frozen.base import Kind, Mode, one_of
from bbans.frozen.head import Head, as_head, latents_law
from bbans.frozen.network import FrozenNetwork
from bbans.frozen.network_model import (
    ORDERS,
    NetworkModel,
    NetworkSteps,
    Plain,
    check_fit,
    options_of,
    size_of,
)
from bbans.message.codec import Codec
from bbans.message.message import Message

__all__ = ["FrozenVAE", "VAESteps"]

_Integers = NDArray[Any]


class FrozenVAE(NetworkModel):
    """A variational autoencoder in integers, ready to code.

    A sequence is of images, or of what else an observation is, each with latents of
    its own. They are chained: each borrows from the message what those after it left.

    Parameters
    ----------
    likelihood : FrozenNetwork
        P(x | z): what `head` takes.
    posteriors : FrozenNetwork, or sequence of them
        Q of each level of latents z_1 .. z_L, 1 to 8, the first next to the data:
        locations, in 2^-16 of a grid step, and then scales, in 1/256 of log2.
    priors : sequence of FrozenNetwork
        P of each level but the highest, which is standard normal; likewise.
    head : Head
        How the outputs of `likelihood` become the law of an observation.
    order : {"markov", "top-down"}
        What networks take. "markov" (Bit-Swap): ``posteriors[0]`` x, each other
        posterior the level below; each prior the level above; `likelihood` z_1.
        "top-down" (HiLLoC): posterior l takes x and z_L .. z_l+1, prior l z_L ..
        z_l+1, `likelihood` z_L .. z_1.
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
    Immutable; may be shared between threads. Most come from ``VAE.freeze()``.

    References
    ----------
    Townsend, Bird and Barber, ICLR 2019 (BB-ANS). Kingma, Abbeel and Ho, ICML 2019
    (Bit-Swap). Townsend, Bird, Kunze and Barber, ICLR 2020 (HiLLoC).
    """

    TYPE = 4
    NAME = "a variational autoencoder"

    _C = "bbans_vae"

    def __init__(
        self,
        likelihood: FrozenNetwork,
        posteriors: FrozenNetwork | Iterable[FrozenNetwork],
        priors: Iterable[FrozenNetwork] = (),
        *,
        head: Head,
        order: str = "markov",
        grid: int,
        start_length: int,
        start_bits: int = 40,
        start_shift: int = 0,
        kind: Kind = "integers",
        mode: Mode = "iconoclasm",
    ) -> None:
        self._order = ORDERS.index(one_of(order, ORDERS, "order"))
        networks = conditionals(likelihood, posteriors, priors, FrozenNetwork)
        self._latents = fitting_levels(networks, head, order)
        super().__init__(
            networks, head, grid=grid, start_length=start_length,
            start_bits=start_bits, start_shift=start_shift, kind=kind, mode=mode,
        )  # fmt: skip

    def _init(self, c: Any, head: Any, grid: int, *start: int) -> int:
        return int(
            lib.bbans_vae_init(
                c, head, self.levels, self._order, grid, *start, self._array
            )
        )

    # ---- what it is

    @property
    def levels(self) -> int:
        """Levels of latents L."""
        return len(self._latents)

    @property
    def latents(self) -> tuple[int, ...]:
        """Latents of each level, the first next to the data."""
        return self._latents

    @property
    def order(self) -> str:
        """What networks take: "markov" or "top-down"."""
        return ORDERS[self._order]

    def state_space(self) -> VAESteps:
        """Return the model step by step; observations are arrays of `width`
        integers."""
        return VAESteps(self)

    def codec(self, n: int) -> BitsBack[Any, Any]:
        """Return a codec of `n` observations as an array, shape (n, width).

        It takes messages of several lanes too. Latents of all n are popped before an
        observation is pushed, so the bytes are others than those of `push`. Give each
        lane many: what a lane is popped from was pushed to it just before, and is not
        quite uniform, which costs some 0.2 bits a lane and call.
        """
        steps = VAESteps(self, (as_integer(n, "n", 1),))
        return BitsBack(
            steps.prior(None),
            steps.likelihood,
            lambda x: steps.posterior(steps.update(None, x), None),
        )

    def with_shape(self, height: int, width: int) -> FrozenVAE:
        """Return this model for images of another size, if its networks are made of
        convolutions: another model, by its fingerprint, of the same weights.

        Parameters
        ----------
        height, width : int
            Maps of latents grow in proportion.

        Raises
        ------
        ModelError
            If a network takes no maps or a layer is of one size only, or if the maps
            have no such size; the text names the network.
        """
        height, width = as_integer(height, "height", 1), as_integer(width, "width", 1)
        old = self._networks["posterior_1"].inputs[0]
        networks = {}
        for name, network in self._networks.items():
            shape = network.inputs[0]
            if len(old) != 3 or len(shape) != 3:
                raise ModelError(f"{name} takes no map of several rows: {shape}")
            tall, odd = divmod(shape[0] * height, old[0])
            wide, uneven = divmod(shape[1] * width, old[1])
            if odd or uneven:
                raise ModelError(
                    f"{name} takes maps of {shape[0]} x {shape[1]} for images of "
                    f"{old[0]} x {old[1]}, and none fits {height} x {width}"
                )
            try:
                networks[name] = network.with_shape(tall, wide)
            except ModelError as error:
                raise ModelError(f"{name}: {error}", error.status) from error
        q, p = (
            [networks[f"{kind}_{i}"] for i in range(1, n + 1)]
            for kind, n in (("posterior", self.levels), ("prior", self.levels - 1))
        )
        size = self.width * height * width // (old[0] * old[1])
        return FrozenVAE(
            networks["likelihood"], q, p, head=self._head._replace(width=size),
            order=self.order, grid=self.grid, start_length=self.start_length,
            start_bits=self.start_bits, start_shift=self.start_shift, kind=self.kind,
            mode=self.mode,
        )  # fmt: skip

    def sample(self, message: Message, n: int) -> NDArray[np.int32]:
        """Draw observations from the model, by the bits of a message.

        Parameters
        ----------
        message : Message
            Of random bits, which are taken: what is drawn depends on nothing else.
        n : int

        Returns
        -------
        ndarray of int32, shape (n, width)

        Raises
        ------
        MessageError
            If it has too few.
        """
        return VAESteps(self, (as_integer(n, "n", 1),)).sample(message)

    def __repr__(self) -> str:
        latents = " + ".join(map(str, self.latents))
        return (
            f"<FrozenVAE {self.fingerprint.hex()}: {latents} latents, {self.width} "
            f"observed, {self.head.law}>"
        )

    # ---- its file

    def _payload(self) -> bytes:
        return self._body(self.levels, self._order)

    @classmethod
    def _read(cls, data: bytes) -> FrozenVAE:
        head, networks = cls._parts(data)
        levels = head.start.detail
        if levels == 0:
            raise CorruptError("model file is inconsistent: it has no levels")
        return cls(
            networks[-1],
            networks[:levels],
            networks[levels:-1],
            order=ORDERS[head.order],
            **options_of(head),
        )


# ---- its networks, in integers or in floats


def conditionals(
    likelihood: Any, posteriors: Any, priors: Any, kind: type[Any]
) -> dict[str, Any]:
    """Networks by their names, in the order of files.

    Raises
    ------
    ModelError
        If one is not of this kind.
    """
    if isinstance(posteriors, kind):
        posteriors = (posteriors,)
    networks = {f"posterior_{i}": q for i, q in enumerate(posteriors, 1)}
    networks |= {f"prior_{i}": p for i, p in enumerate(priors, 1)}
    networks["likelihood"] = likelihood
    for name, network in networks.items():
        as_instance(network, kind, name, f"a {kind.__name__}")
    return networks


def fitting_levels(networks: dict[str, Any], head: Head, order: str) -> tuple[int, ...]:
    """Latents of each level, the first next to the data.

    Raises
    ------
    ModelError
        If `head` is none, there are too many levels, or what networks take or give does
        not fit.
    """
    as_head(head)
    q, p = (
        [name for name in networks if name.startswith(kind)]
        for kind in ("posterior", "prior")
    )
    most = int(lib.BBANS_LEVELS_MAX)
    if not 1 <= len(q) <= most or len(p) != len(q) - 1:
        raise ModelError(
            f"a model of L levels, 1 to {most}, has L posteriors and L - 1 priors, not "
            f"{len(q)} and {len(p)}"
        )
    n = tuple(size_of(networks[name].outputs) // 2 for name in q)
    markov = order == "markov"
    for i, name in enumerate(q):
        below, above = [n[i - 1] if i else head.width], list(n[:i:-1])
        given = below if markov else [head.width, *above]
        check_fit(name, networks[name], given, 2 * n[i])
    for i, name in enumerate(p):
        above = [n[i + 1]] if markov else list(n[:i:-1])
        check_fit(name, networks[name], above, 2 * n[i])
    given = [n[0]] if markov else list(n[::-1])
    check_fit("likelihood", networks["likelihood"], given, head.outputs)
    return n


# ---- step by step


class VAESteps(NetworkSteps):
    """The conditionals of a frozen VAE; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenVAE
    batch : tuple of int
        Leading axes of observations and states: sequences that are coded in step.

    Notes
    -----
    A state is z_1 of a Markov chain, whose prior borrows the other levels from the
    message and returns them; top-down it is the tuple z_L, .., z_1. What is known of an
    observation is the observation.
    """

    def prior(self, z: Any | None) -> Codec[Any]:
        """P(z_t), whatever z_t-1 was."""
        if self._frozen.order == "markov":
            return self._chain(1)
        return self._hierarchy(0)

    def _chain(self, level: int) -> Codec[Any]:
        """P(z_l), by bits back with those above."""
        frozen = self._frozen
        if level == frozen.levels:
            return self._standard(frozen.latents[-1])
        return BitsBack(
            self._chain(level + 1),
            lambda above: latents_law(self._run(f"prior_{level}", above), leak=True),
            lambda z: latents_law(self._run(f"posterior_{level + 1}", z), leak=False),
        )

    def _hierarchy(self, shift: int) -> Dependent:
        """P(z_L), .., P(z_1 | ..): of latents on a grid that is coarser."""
        frozen = self._frozen
        last = 1 if frozen.order == "markov" else frozen.levels  # that a prior takes

        def given(level: int, above: tuple[_Integers, ...]) -> Codec[Any]:
            seen = [z << shift for z in above[-last:]]
            outputs = self._run(f"prior_{level}", *seen)
            return latents_law(outputs, leak=True, shift=shift)

        parts: list[Any] = [self._standard(frozen.latents[-1], shift=shift)]
        for level in range(frozen.levels - 1, 0, -1):
            parts.append(lambda *above, level=level: given(level, above))
        return Dependent(parts)

    def likelihood(self, z: Any) -> Codec[Any]:
        """P(x_t | z_t)."""
        given = (z,) if self._frozen.order == "markov" else z
        return self._observed(self._run("likelihood", *given))

    def update(self, belief: Any | None, x: Any) -> _Integers:
        """What is known after x_t: x_t."""
        return self._values(x)

    def posterior(self, belief: _Integers, z_next: Any | None) -> Codec[Any]:
        """Q(z_t | x_t)."""
        if self._frozen.order == "markov":
            return latents_law(self._run("posterior_1", belief), leak=False)

        def given(level: int, above: tuple[_Integers, ...]) -> Codec[Any]:
            outputs = self._run(f"posterior_{level}", belief, *above)
            return latents_law(outputs, leak=False)

        return Dependent(
            [
                lambda *above, level=level: given(level, above)
                for level in range(self._frozen.levels, 0, -1)
            ]
        )

    def sample(self, message: Any) -> NDArray[np.int32]:
        """Draw x_t, latents from the highest level down."""
        z = self._hierarchy(0).pop(message)
        return self._values(self._given_all(z).pop(message))

    def _given_all(self, z: tuple[_Integers, ...]) -> Codec[Any]:
        """P(x_t | z_L, .., z_1)."""
        return self.likelihood(z[-1] if self._frozen.order == "markov" else z)

    def predictive(self, belief: Any | None) -> Plain:
        """x_t and modes of its latents: `start_length`."""
        shift = self._frozen.start_shift
        return Plain(
            self._hierarchy(shift),
            self._modes,
            lambda modes: self._given_all(tuple(mode << shift for mode in modes)),
        )

    def _modes(self, x: Any) -> tuple[_Integers, ...]:
        """Modes of z_L, .., z_1 on the grid of the start, each given those before."""
        frozen, markov = self._frozen, self._frozen.order == "markov"
        levels = range(1, frozen.levels + 1)
        modes: list[_Integers] = []
        given = [self._values(x)]
        for level in levels if markov else reversed(levels):
            modes.append(self._mode(self._run(f"posterior_{level}", *given)))
            given = given * (not markov) + [modes[-1] << frozen.start_shift]
        return tuple(reversed(modes) if markov else modes)
