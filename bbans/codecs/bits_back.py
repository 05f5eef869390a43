"""Bits back with ANS: Townsend, Bird and Barber, ICLR 2019."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from bbans.codecs.base import as_function
from bbans.message.codec import Codec, as_codec

__all__ = ["BitsBack"]

X = TypeVar("X")
Z = TypeVar("Z")


class BitsBack(Generic[X, Z]):
    """Code x under p(z) p(x | z), with q(z | x) lending the bits that choose z.

    Parameters
    ----------
    prior : Codec
        Of z.
    likelihood : callable
        ``likelihood(z)`` is the codec of x.
    posterior : callable
        ``posterior(x)`` is the codec of z, exact or approximate. Distributions that can
        code every integer take ``leak=False`` here, or now and then a z is drawn far
        out, and costs what it costs under the prior.

    Raises
    ------
    ModelError
        If an argument is none of these.

    Notes
    -----
    A push adds ``-log2 p(x, z) + log2 q(z | x)`` bits, in the mean the negative
    ELBO. It pops first, so the message must not be empty: that raises `MessageError`
    in several lanes, and in one lane gives the lowest z, or an error if z has no
    lowest. Start from data, with `Message.seeded`, or from nothing, with `encode_iid`.

    The prior may be bits back itself, of a latent above; `Dependent` makes priors and
    posteriors of several latents that depend on each other, `Schedule` any graph.
    """

    def __init__(
        self,
        prior: Codec[Z],
        likelihood: Callable[[Z], Codec[X]],
        posterior: Callable[[X], Codec[Z]],
    ) -> None:
        self._prior = as_codec(prior, "prior")
        self._likelihood = as_function(likelihood, "likelihood")
        self._posterior = as_function(posterior, "posterior")

    def push(self, message: Any, value: X) -> None:
        """Push x. If this raises, the message is spent."""
        z = self._posterior(value).pop(message)
        self._likelihood(z).push(message, value)
        self._prior.push(message, z)

    def pop(self, message: Any) -> X:
        """Pop x: `push`, read bottom to top."""
        z = self._prior.pop(message)
        x = self._likelihood(z).pop(message)
        self._posterior(x).push(message, z)
        return x

    def __repr__(self) -> str:
        return f"BitsBack({self._prior!r}, {self._likelihood!r}, {self._posterior!r})"
