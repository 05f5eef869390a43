"""Bits back with several samples: docs/maths.md, "Several samples within a step"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import numpy as np

from bbans._arguments import as_integer
from bbans._lib import check, ffi, lib
from bbans.codecs.base import as_function
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Uniform, Weighted
from bbans.distributions.fixed_point import c_array
from bbans.errors import MessageError, ModelError, SymbolError
from bbans.message.codec import Codec, as_codec
from bbans.message.message import Message

__all__ = ["ImportanceSampling"]

X = TypeVar("X")
Z = TypeVar("Z")

SAMPLES_MAX = 1 << 16
_TOTAL_BITS = 28
_REFUSALS = lib.BBANS_ERR_SYMBOL, lib.BBANS_ERR_INTERVAL, lib.BBANS_ERR_TOTAL
_SURE = 1 << 32  # makes any slot the low part of a full head


class ImportanceSampling(Generic[X, Z]):
    """Code x under p(z) p(x | z), with several samples of q(z | x) to choose z from.

    With a poor q, `BitsBack` costs much: the divergence of q from the posterior. Of M
    samples the one that is kept is drawn by its weight p(z) p(x | z) / q(z | x), and
    the cost vanishes as M grows.

    Parameters
    ----------
    prior : Codec
        Of z.
    likelihood : callable
        ``likelihood(z)`` is the codec of x.
    proposal : callable
        ``proposal(x)`` is the codec of z.
    samples : int
        M, 1 to 2**16.
    coupled : bool
        Make all samples of one: the quantiles of a uniform number u, u + 1/M, .. .
        Then the start-up does not grow with M, and samples are spread evenly. Each
        value of the proposal must be one interval, of one total for all values, as
        those of `Categorical`, `Weighted` and `Bernoulli` are.

    Raises
    ------
    ModelError
        If an argument is none of these. From `push` and `pop`, if the proposal of
        coupled samples has values of several intervals, or no sample has a mass.
    MessageError
        From `push` and `pop`, if a codec is bits back itself.

    Notes
    -----
    Weights come from the intervals that the codecs push, in whole numbers, so they are
    the same on every machine; no codec may be bits back itself. What a push adds is in
    the mean at most ``-log2 p(x)`` plus the cost of an importance-weighted bound: it
    falls as M grows, as ``var(weight) / (2 M)`` in the end. Without coupling M - 1
    samples are outstanding, each of the entropy of q; with coupling one number of the
    proposal's total, and log2 M bits.

    References
    ----------
    Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani, Maddison: Improving
    Lossless Compression Rates via Monte Carlo Bits-Back Coding, ICML 2021.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Weighted
    >>> emission = [[60, 3, 1], [1, 3, 60]]
    >>> codec = ImportanceSampling(
    ...     Weighted([7, 1]),
    ...     lambda z: Weighted(emission[z]),
    ...     lambda x: Weighted([1, 1]),  # looks at nothing
    ...     samples=16,
    ...     coupled=True,
    ... )
    >>> message = Message.from_bytes(b"bits to start from")
    >>> codec.push(message, 2)
    >>> codec.pop(message)
    2
    """

    def __init__(
        self,
        prior: Codec[Z],
        likelihood: Callable[[Z], Codec[X]],
        proposal: Callable[[X], Codec[Z]],
        samples: int,
        *,
        coupled: bool = False,
    ) -> None:
        self._prior = as_codec(prior, "prior")
        self._likelihood = as_function(likelihood, "likelihood")
        self._proposal = as_function(proposal, "proposal")
        self._samples = as_integer(samples, "samples", 1, SAMPLES_MAX)
        self._coupled = bool(as_integer(coupled, "coupled", 0, 1))

    def push(self, message: Any, value: X) -> None:
        """Push x. If this raises, the message is spent."""
        proposal, M = self._proposal(value), self._samples
        if self._coupled:
            cells = _Cells(proposal, M)
            u = int(Uniform(cells.total).pop(message))
            states = [cells.state(u, k) for k in range(M)]
        else:
            states = [proposal.pop(message) for _ in range(M)]
        kept = int(self._choice(proposal, states, value).pop(message))
        if self._coupled:
            start, freq = cells.of(states[kept])
            Uniform(freq).push(message, cells.shifted(u, kept) - start)
        else:
            for k in reversed(range(M)):
                if k != kept:
                    proposal.push(message, states[k])
        self._likelihood(states[kept]).push(message, value)
        self._prior.push(message, states[kept])
        Uniform(M).push(message, kept)

    def pop(self, message: Any) -> X:
        """Pop x: `push`, read bottom to top."""
        M = self._samples
        kept = int(Uniform(M).pop(message))
        z = self._prior.pop(message)
        x = self._likelihood(z).pop(message)
        proposal = self._proposal(x)
        if self._coupled:
            cells = _Cells(proposal, M)
            start, freq = cells.of(z)
            u = cells.shifted(start + int(Uniform(freq).pop(message)), -kept)
            states = [cells.state(u, k) for k in range(M)]
        else:
            states = [z if k == kept else proposal.pop(message) for k in range(M)]
        self._choice(proposal, states, x).push(message, kept)
        if self._coupled:
            Uniform(cells.total).push(message, u)
        else:
            for z in reversed(states):
                proposal.push(message, z)
        return x

    def _choice(self, proposal: Codec[Z], states: Sequence[Z], x: X) -> Weighted:
        """Which sample is kept, by the weights p(z) p(x | z) / q(z | x)."""
        weights: list[_Fraction] = []
        known: dict[Any, _Fraction] = {}
        for z in states:
            key = z if isinstance(z, int) else None
            weight = None if key is None else known.get(key)
            if weight is None:
                weight = self._weight(proposal, z, x)
                if key is not None:
                    known[key] = weight
            weights.append(weight)
        most = weights[0]
        for weight in weights:
            if weight.slots * most.total > most.slots * weight.total:
                most = weight
        if not most.slots:
            raise ModelError(
                f"{x!r} cannot be coded: none of the {len(states)} samples of its "
                f"proposal has a mass, such as {states[0]!r}"
            )
        bits = _TOTAL_BITS - len(weights).bit_length()
        return Weighted(np.array([w.per(most, bits) for w in weights], np.uint32))

    def _weight(self, proposal: Codec[Z], z: Z, x: X) -> _Fraction:
        try:
            joint = _mass(self._prior, z).times(_mass(self._likelihood(z), x))
        except SymbolError:
            return _Fraction(0, 1)
        return joint.over(_mass(proposal, z))

    def __repr__(self) -> str:
        coupled = ", coupled=True" if self._coupled else ""
        return (
            f"ImportanceSampling({self._prior!r}, {self._likelihood!r}, "
            f"{self._proposal!r}, {self._samples}{coupled})"
        )


class _Fraction(NamedTuple):
    """Slots of a total, not reduced: one division, at the end, is all that it needs."""

    slots: int
    total: int

    def times(self, other: _Fraction) -> _Fraction:
        return _Fraction(self.slots * other.slots, self.total * other.total)

    def over(self, other: _Fraction) -> _Fraction:
        return _Fraction(self.slots * other.total, self.total * other.slots)

    def per(self, other: _Fraction, bits: int) -> int:
        """floor(2^bits self / other), but at least 1 if there are slots at all."""
        ratio = (self.slots * other.total << bits) // (self.total * other.slots)
        return max(ratio, int(self.slots > 0))


class _Listing:
    """A message that keeps the intervals of what is pushed."""

    lanes = 1

    def __init__(self) -> None:
        self.intervals: list[tuple[int, int, int]] = []

    def push(self, law: Distribution, values: Any) -> None:
        try:
            array = np.ascontiguousarray(values, np.int64)
        except OverflowError:
            raise SymbolError(f"value {values} has more than 64 bits") from None
        whole = law.broadcast(array.shape)
        cap = int(whole._c.words) * array.size
        out, n = ffi.new("bbans_interval[]", cap), ffi.new("size_t[2]")
        memory, kind = c_array(array)
        status = lib.bbans_distribution_list(
            whole._c, memory, kind, array.size, out, cap, n, n + 1
        )
        if status in _REFUSALS:
            whole._refuse_push(array.flat[n[1]], n[1], status)
        check(status)
        self.intervals += [(i.start, i.freq, i.total) for i in out[0 : n[0]]]

    def push_interval(self, start: Any, freq: Any, total: int) -> None:
        parts = (int(np.asarray(part).item()) for part in (start, freq, total))
        start, freq, total = parts
        self.intervals.append((start, freq, total))

    def _refuse(self, *given: Any, **named: Any) -> NoReturn:
        raise MessageError(
            "the weights of samples come from what their codecs push: these may not be "
            "bits back themselves"
        )

    pop = peek = advance = call = _refuse


def _intervals(codec: Codec[Any], value: Any) -> list[tuple[int, int, int]]:
    listing = _Listing()
    codec.push(listing, value)
    return listing.intervals


def _mass(codec: Codec[Any], value: Any) -> _Fraction:
    """The mass of a value, as its codec codes it."""
    mass = _Fraction(1, 1)
    for _, freq, total in _intervals(codec, value):
        mass = mass.times(_Fraction(freq, total))
    return mass


class _Cells:
    """The values of a codec of one interval each, by their slots."""

    def __init__(self, codec: Codec[Any], samples: int) -> None:
        self._codec, self._samples = codec, samples
        self.total = 1
        try:
            first = self.at(0)
        except (MessageError, SymbolError) as error:  # it pops further intervals
            raise self._refusal() from error
        _, _, self.total = self._interval(first)

    def _refusal(self) -> ModelError:
        return ModelError(
            "samples are coupled by a proposal of one interval a value, as Weighted "
            f"has, not {self._codec!r}"
        )

    def _interval(self, z: Any) -> tuple[int, int, int]:
        intervals = _intervals(self._codec, z)
        if len(intervals) != 1:
            raise self._refusal()
        return intervals[0]

    def at(self, slot: int) -> Any:
        """The value that a pop gives for this slot."""
        return self._codec.pop(Message.from_state([_SURE * self.total + slot]))

    def of(self, z: Any) -> tuple[int, int]:
        """Where the slots of a value start, and how many there are.

        Raises
        ------
        ModelError
            If they are of another total than those of other values.
        """
        start, freq, total = self._interval(z)
        if total != self.total:
            raise ModelError(
                "samples are coupled by a proposal of one total for all values, not "
                f"{self.total} and {total}: {self._codec!r}"
            )
        return start, freq

    def shifted(self, slot: int, k: int) -> int:
        """The slot of sample k, from that of sample 0; back for -k."""
        shift = abs(k) * self.total // self._samples
        return (slot + (shift if k >= 0 else -shift)) % self.total

    def state(self, u: int, k: int) -> Any:
        return self.at(self.shifted(u, k))
