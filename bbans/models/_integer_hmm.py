"""Hidden Markov models whose states emit integers by a law of few parameters."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_generator, as_integer, as_reals
from bbans._float_file import Arrays
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS, Alphabet, Symbols, as_integers
from bbans.frozen.base import Kind
from bbans.models._checkpoint import opened
from bbans.models._data import (
    NO_DATA,
    alphabet_for,
    check_axes,
    in_memory,
    passes_of,
)
from bbans.models._parameters import (
    MAX_STATES,
    PSEUDO_COUNTS,
    Floats,
    PseudoCounts,
    check_size,
    log2_prior,
)
from bbans.models.em import Statistics
from bbans.models.hmm import HMM

__all__ = ["IntegerHMM", "Law", "as_law", "check_at_least_0", "parts_of"]

Law = dict[str, Floats]  #: Parameters by their names, each of shape (K,).
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_SHORT = 5  # updates of each start, before one is chosen
_Self = TypeVar("_Self", bound="IntegerHMM")


class IntegerHMM(HMM):
    """An HMM whose states emit the integers low .. high, each by its own parameters.

    A kind of it says what the law is: `_masses`, `_estimated`, `_start_laws`, and the
    arguments of its constructor.
    """

    __slots__ = ("_law",)

    _floor: ClassVar[float]  # of a state's mass that is spread evenly
    _ends: ClassVar[tuple[str, ...]] = ("low", "high")  # those that are arguments

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        law: Law,
        low: int,
        high: int,
        kind: Kind,
    ) -> None:
        self._law = law
        low = as_integer(low, "low", _LEAST, _MOST)
        high = as_integer(high, "high", low, _MOST)
        K = next(iter(law.values())).size
        check_size(K, high - low + 1)
        values = np.arange(low, high + 1)
        super().__init__(
            initial,
            transition,
            self._floored(law, values),
            alphabet=Alphabet(values if low else len(values), kind=kind),
        )

    # ---- what each law says of itself

    @staticmethod
    @abstractmethod
    def _masses(law: Law, values: ArrayLike) -> Floats:
        """Of each state at each integer, shape (K, M); what is beyond the ends is added
        there."""

    @staticmethod
    @abstractmethod
    def _estimated(counts: Floats, values: Floats) -> Law:
        """The parameters of expected counts, shape (K, M), by their moments."""

    @staticmethod
    @abstractmethod
    def _start_laws(values: NDArray[np.int64], K: int) -> list[Law]:
        """Where to start, of sorted data: several laws, of which training takes the
        one that gets furthest."""

    # ---- what follows

    @property
    def _free_emissions(self) -> int:
        return len(self._law) * self.n_states

    @classmethod
    def _floored(cls, law: Law, values: ArrayLike) -> Floats:
        mass = cls._masses(law, values)
        masses: Floats = (1 - cls._floor) * mass + cls._floor / mass.shape[1]
        masses /= masses.sum(axis=1, keepdims=True)
        return masses

    @classmethod
    def _fit(
        cls: type[_Self],
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int,
        low: int | None,
        high: int | None,
        seed: int | np.random.Generator,
        init: HMM | None,
        options: dict[str, Any],
    ) -> _Self:
        data = in_memory(sequences)
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        path, resume = options.pop("checkpoint", None), options.pop("resume", False)
        saved = opened(
            path, resume, cls.__name__, n_states=n_states, low=low, high=high,
            seed=seed, init=init,
        )  # fmt: skip
        if saved is not None and saved.found:
            init = saved.model("best", needed=True)
        elif init is None:
            short = options | {"n_iter": _SHORT, "progress": False, "callback": None}
            init = min(
                (
                    HMM.fit(data, n_states, init=start, **short)
                    for start in cls._starts(passes_of(data), n_states, low, high, seed)
                ),
                key=lambda model: model.history[-1].objective,
            )
        elif not isinstance(init, cls):
            raise ModelError(f"init is another kind of model: {init!r}")
        model = HMM.fit(data, n_states, init=init, checkpoint=saved, **options)
        assert isinstance(model, cls)
        return model

    @classmethod
    def _starts(
        cls: type[_Self],
        passes: Callable[[], Iterable[Symbols]],
        K: int,
        low: int | None,
        high: int | None,
        seed: int | np.random.Generator,
    ) -> list[_Self]:
        """Models to start from, with the same transitions, which mostly stay."""
        parts = [np.zeros(0, np.int64)]
        for x in passes():
            check_axes(x)
            parts.append(as_integers(x).reshape(-1))
        values = np.concatenate(parts)
        if values.size == 0:
            raise ModelError(NO_DATA)
        least = int(values.min()) if low is None else low
        most = max(int(values.max()), least) if high is None else high
        least = as_integer(least, "low", _LEAST, _MOST)
        most = as_integer(most, "high", least, _MOST)
        if most - least >= MAX_SYMBOLS:
            raise ModelError(
                f"integers from {least} to {most}: a model has at most {MAX_SYMBOLS}"
            )
        rng = as_generator(seed)
        initial = rng.dirichlet(np.full(K, 10.0))
        transition = rng.dirichlet(np.full(K, 10.0), K) + 4 * np.eye(K)
        transition /= transition.sum(axis=1, keepdims=True)
        kind = alphabet_for(passes(), Alphabet(sorted({least, most}))).kind
        # Those beyond the ends are refused later, by their place.
        ordered = np.sort(np.clip(values, least, most))
        return [
            cls._made(initial, transition, law, least, most, kind)
            for law in cls._start_laws(ordered, K)
        ]

    def maximise(
        self: _Self,
        statistics: Statistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
    ) -> _Self:
        """As `HMM.maximise`, with emissions by the moments of the counts.

        Notes
        -----
        Moments come near the maximum, not to it: a state that they would make worse
        stays as it is, so the objective never rises. Of `pseudo_count` the one of
        emissions has no effect.
        """
        free = HMM.maximise(self, statistics, pseudo_count=pseudo_count)
        values = self.alphabet.decode(np.arange(self.n_symbols)).astype(np.float64)
        counts = statistics.emission
        law = self._estimated(counts, values)
        new = self._floored(law, values)
        gain = (counts * (np.log(new) - np.log(self.emission))).sum(axis=1)
        better = (gain >= 0) & (counts.sum(axis=1) > 1e-9)
        kept = {name: np.where(better, law[name], self._law[name]) for name in law}
        return self._with(free.initial, free.transition, kept)

    @classmethod
    def _made(
        cls: type[_Self],
        initial: Floats,
        transition: Floats,
        law: Law,
        low: int,
        high: int,
        kind: Kind,
    ) -> _Self:
        ends = {"low": low, "high": high}
        given: dict[str, Any] = law | {name: ends[name] for name in cls._ends}
        return cls(initial, transition, **given, kind=kind)

    def _with(self: _Self, initial: Floats, transition: Floats, law: Law) -> _Self:
        low, high = self._range
        return self._made(initial, transition, law, low, high, self.kind)

    @property
    def _range(self) -> list[int]:
        low_high: list[int] = self.alphabet.decode([0, self.n_symbols - 1]).tolist()
        return low_high

    def _arrays(self) -> Arrays:
        ends = dict(zip(("low", "high"), self._range, strict=True))
        return {
            "initial": self.initial,
            "transition": self.transition,
            **self._law,
            **{name: np.array(ends[name]) for name in self._ends},
            "kind": np.array(self.kind.encode("ascii")),
        }

    @classmethod
    def _from_arrays(cls: type[_Self], arrays: Arrays) -> _Self:
        return cls(**arrays | {"kind": arrays["kind"].item().decode("ascii")})

    def _copy(self: _Self) -> _Self:
        return self._with(self.initial, self.transition, self._law)

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        first, step, _ = pseudo_counts
        return log2_prior(self._parameters, (first, step, 0.0))


def as_law(**parameters: ArrayLike) -> Law:
    """Parameters of K states each, checked to be finite.

    Raises
    ------
    ModelError
        If they are not, or not as many.
    """
    law = {name: as_reals(array, name).copy() for name, array in parameters.items()}
    names = " and ".join(law)
    for name, array in law.items():
        if array.ndim != 1 or not np.isfinite(array).all():
            raise ModelError(f"{name} must be finite, one a state")
    if len({array.shape for array in law.values()}) > 1 or 0 in array.shape:
        raise ModelError(f"{names} must be of the same shape (K,)")
    return law


def check_at_least_0(name: str, array: Floats) -> None:
    """Refuse a parameter below 0."""
    if (array < 0).any():
        state = int(np.flatnonzero(array < 0)[0])
        raise ModelError(
            f"{name} must be at least 0, not {array[state]} for state {state}"
        )


def parts_of(values: NDArray[np.int64], K: int) -> list[NDArray[np.int64]]:
    """Sorted data in K parts, about as long, none empty."""
    edges = np.linspace(0, values.size, K + 1).astype(np.int64)
    return [values[a : max(b, a + 1)] for a, b in itertools.pairwise(edges)]
