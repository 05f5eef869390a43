"""Hidden Markov models of several levels, in floating point.

docs/maths.md, "Hierarchical hidden Markov models".
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_generator, as_instance, as_integer
from bbans._float_file import Arrays
from bbans.distributions.table import PREC_DEFAULT, quantise
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS, Alphabet, Symbols
from bbans.frozen.base import MODES, Kind
from bbans.frozen.hierarchical_hmm import LEVELS_MAX, FrozenHierarchicalHMM
from bbans.models._checkpoint import opened
from bbans.models._data import frequencies_of
from bbans.models._parameters import (
    MAX_STATES,
    PSEUDO_COUNTS,
    Floats,
    Parameters,
    PseudoCounts,
    as_concentration,
    as_distributions,
    as_pseudo_counts,
    log2_prior,
    normalised,
    random_emission,
)
from bbans.models._start_length import start_length
from bbans.models._training import Iteration, check_init, train
from bbans.models.base import FloatModel
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import SHORT_BITS, step_bits
from bbans.models.hmm import HMM, alphabet_arrays, alphabet_of

__all__ = ["HierarchicalHMM", "as_sizes"]

# Levels above the first, where training starts: found by trying, on text and on data
# of models whose levels change seldom. Without it most starts miss these.
_STAY = 0.9


class HierarchicalHMM(FloatModel):
    """A hidden Markov model whose state has several levels, each led by the one above.

    At each step the top level moves by itself, every other one as the level above it
    says, and the lowest emits the symbol:
    ``P(z_t^L | z_t-1^L)``, ``P(z_t^l | z_t^l+1, z_t-1^l)``, ``P(x_t | z_t^1)``.

    Parameters
    ----------
    initial : sequence of array_like of float
        ``P(z_1^l | z_1^l+1)`` for each level, the one next to the data first, of shapes
        (K_l+1, K_l); for the top level of shape (K_L,). There are at most 8 levels, and
        the product of all K_l is at most 4096.
    transition : sequence of array_like of float
        ``P(z_t^l | z_t^l+1, z_t-1^l)``, of shapes (K_l+1, K_l, K_l): the level
        above, the level itself a step before, and now; for the top level of shape
        (K_L, K_L).
    emission : array_like of float, shape (K_1, M)
        ``P(x_t | z_t^1)``. M is at most 65536.
    alphabet : Alphabet, str or array_like of int, optional
        As for `HMM`.

    Raises
    ------
    ModelError
        If the shapes do not agree, or if a row (the text names it) is no distribution,
        as for `HMM`.

    References
    ----------
    Fine, Singer, Tishby, The hierarchical hidden Markov model (1998), has levels that
    call each other; here all levels move at each step.

    Examples
    --------
    The upper level says whether the lower one stays or changes at each step.

    >>> stay, change = [[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]
    >>> model = HierarchicalHMM(
    ...     [[[0.5, 0.5]] * 2, [0.5, 0.5]],
    ...     [[stay, change], [[0.99, 0.01], [0.01, 0.99]]],
    ...     [[1, 0], [0, 1]],
    ... )
    >>> model.n_states, round(model.information_content([0, 1, 0, 1, 0, 1, 0, 1]), 3)
    ((2, 2), 3.147)
    """

    __slots__ = ("_alphabet", "_emission", "_initial", "_joint", "_transition")

    def __init__(
        self,
        initial: Sequence[ArrayLike],
        transition: Sequence[ArrayLike],
        emission: ArrayLike,
        *,
        alphabet: Alphabet | str | ArrayLike | None = None,
    ) -> None:
        self._initial = _distributions(initial, "initial", 1)
        self._transition = _distributions(transition, "transition", 2)
        self._emission = as_distributions(emission, "emission", 2)
        self._check_shapes()
        self._history: tuple[Iteration, ...] = ()
        self._joint = self._joint_hmm(alphabet)
        self._alphabet = self._joint.alphabet

    def _check_shapes(self) -> None:
        sizes = as_sizes(self.n_states)
        if len(self._transition) != len(sizes):
            raise ModelError(
                f"transition must have {len(sizes)} levels, as initial has, not "
                f"{len(self._transition)}"
            )
        for i, K in enumerate(sizes):
            above = sizes[i + 1 : i + 2]
            for name, array, shape in (
                ("initial", self._initial[i], (*above, K)),
                ("transition", self._transition[i], (*above, K, K)),
            ):
                if array.shape != shape:
                    raise ModelError(
                        f"{name}[{i}] must have shape {shape}, not {array.shape}"
                    )
        if self._emission.shape[0] != sizes[0]:
            raise ModelError(
                f"emission must have {sizes[0]} rows, one for each state of the first "
                f"level, not {self._emission.shape[0]}"
            )

    def _joint_hmm(self, alphabet: Alphabet | str | ArrayLike | None) -> HMM:
        """Join a level to those above it, from the top: its state runs fastest."""
        initial, transition = self._initial[-1], self._transition[-1]
        for first, step in zip(
            self._initial[-2::-1], self._transition[-2::-1], strict=True
        ):
            led = np.arange(initial.size) % len(first)  # the level above, of each state
            S = initial.size * first.shape[1]
            initial = (initial[:, None] * first[led]).reshape(S)
            moves = step[led].transpose(1, 0, 2)  # itself before, the others now
            transition = (transition[:, None, :, None] * moves).reshape(S, S)
        rows = np.arange(initial.size) % len(self._emission)
        return HMM(initial, transition, self._emission[rows], alphabet=alphabet)

    @classmethod
    def from_frozen(cls, frozen: FrozenHierarchicalHMM) -> HierarchicalHMM:
        """Return the float model with exactly a frozen model's probabilities.

        Raises
        ------
        ModelError
            If it is another kind of model.
        """
        as_instance(frozen, FrozenHierarchicalHMM, "frozen", "a FrozenHierarchicalHMM")
        unit = 2.0**-frozen.prec
        return cls(
            [mass * unit for mass in frozen.initial],
            [mass * unit for mass in frozen.transition],
            frozen.emission * unit,
            alphabet=frozen.alphabet,
        )

    @property
    def n_states(self) -> tuple[int, ...]:
        """K_l of each level, the one next to the data first."""
        return tuple(first.shape[-1] for first in self._initial)

    @property
    def n_levels(self) -> int:
        """L."""
        return len(self._initial)

    @property
    def n_symbols(self) -> int:
        """M."""
        return self._alphabet.size

    @property
    def initial(self) -> tuple[Floats, ...]:
        """``P(z_1^l | z_1^l+1)`` of each level, read-only."""
        return self._initial

    @property
    def transition(self) -> tuple[Floats, ...]:
        """``P(z_t^l | z_t^l+1, z_t-1^l)`` of each level, read-only."""
        return self._transition

    @property
    def emission(self) -> Floats:
        """``P(x_t | z_t^1)``, shape (K_1, M), read-only."""
        return self._emission

    @property
    def alphabet(self) -> Alphabet:
        """The M symbols."""
        return self._alphabet

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes: integers, bytes or text."""
        return self._alphabet.kind

    @property
    def _parameters(self) -> Parameters:
        return self._joint._parameters

    def __repr__(self) -> str:
        return (
            f"<HierarchicalHMM: {' x '.join(map(str, self.n_states))} states, "
            f"{self.n_symbols} symbols, {self._alphabet!r}>"
        )

    def to_hmm(self) -> HMM:
        """Return the HMM of the joint states ``z^1 + K_1 (z^2 + K_2 (z^3 + ..))``.

        It is the same distribution of sequences. Training it on forgets the levels.
        """
        return self._joint._copy()

    @classmethod
    def random(
        cls,
        n_states: Sequence[int],
        n_symbols: int,
        *,
        concentration: float = 1.0,
        seed: int | np.random.Generator,
    ) -> HierarchicalHMM:
        """Draw a model, as `HMM.random`.

        Parameters
        ----------
        n_states : sequence of int
            K_l of each level, the one next to the data first.
        n_symbols, concentration, seed
            As for `HMM.random`.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        sizes = as_sizes(n_states)
        n_symbols = as_integer(n_symbols, "n_symbols", 1, MAX_SYMBOLS)
        concentration = as_concentration(concentration)
        rng = as_generator(seed)
        initial, transition = _random_levels(rng, sizes, concentration)
        emission = rng.dirichlet(np.full(n_symbols, concentration), sizes[0])
        return cls(initial, transition, emission)

    def sample(
        self, length: int, *, seed: int | np.random.Generator
    ) -> tuple[NDArray[np.int64] | NDArray[np.uint32], NDArray[np.int64]]:
        """Draw a sequence and its states from the model.

        Parameters
        ----------
        length : int
            T >= 0, as for `HMM.sample`.
        seed : int or numpy.random.Generator

        Returns
        -------
        x : ndarray of int64, uint8 (bytes) or uint32 (code points), shape (T,)
            Symbols of the alphabet.
        z : ndarray of int64, shape (T, L)
            States, the level next to the data first.
        """
        x, joint = self._joint.sample(length, seed=seed)
        return x, np.stack(np.unravel_index(joint, self.n_states, order="F"), axis=1)

    def information_content(self, x: Symbols) -> float:
        """Compute h(x) = -log2 P(x), summed over all states, in bits; see
        `HMM.information_content`."""
        return self._joint.information_content(x)

    def expect(
        self,
        sequences: Symbols | Iterable[Symbols],
        *,
        dtype: DTypeLike = np.float64,
        threads: int | None = None,
    ) -> Statistics:
        """Count what the joint states did in data, in expectation: the E step of EM;
        see `HMM.expect`."""
        return self._joint.expect(sequences, dtype=dtype, threads=threads)

    def maximise(
        self,
        statistics: Statistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
    ) -> HierarchicalHMM:
        """Normalise the expected counts of each level to a new model: the M step of EM.

        Parameters
        ----------
        statistics : Statistics
            Of the joint states, usually counted by this model.
        pseudo_count : float or tuple of 3 floats
            As for `HMM.maximise`, added to the counts of each level.

        Raises
        ------
        ModelError
            If the shapes do not agree, or counts are not finite or below 0.
        """
        counts = self._joint._counts(statistics)
        extra = as_pseudo_counts(pseudo_count)
        initial, transition = [], []
        for i, (first, step) in enumerate(self._level_counts(*counts[:2])):
            old = self._initial[i], self._transition[i]
            initial.append(normalised(first + extra[0] * (old[0] > 0), old[0]))
            transition.append(normalised(step + extra[1] * (old[1] > 0), old[1]))
        emitted = counts[2].reshape(-1, *self._emission.shape).sum(axis=0)
        return HierarchicalHMM(
            initial,
            transition,
            normalised(emitted + extra[2], self._emission),
            alphabet=self._alphabet,
        )

    def _level_counts(
        self, first: Floats, step: Floats
    ) -> Iterable[tuple[Floats, Floats]]:
        """The expected counts of each level's initial states and transitions: those of
        the joint states, added up over all that the level does not depend on."""
        for K, above in zip(self.n_states[:-1], self.n_states[1:], strict=True):
            rest = first.size // (K * above)  # states of the levels further up
            moves = step.reshape(rest * above, K, rest, above, K)
            yield (
                first.reshape(rest, above, K).sum(axis=0),
                moves.sum(axis=(0, 2)).transpose(1, 0, 2),
            )
            first = first.reshape(-1, K).sum(axis=1)
            step = step.reshape(rest * above, K, rest * above, K).sum(axis=(1, 3))
        yield first, step

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: Sequence[int] | None = None,
        *,
        n_iter: int = 100,
        tol: float = 1e-5,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        seed: int | np.random.Generator = 0,
        init: HierarchicalHMM | None = None,
        dtype: DTypeLike = np.float64,
        threads: int | None = None,
        callback: Callable[[HierarchicalHMM], object] | None = None,
        progress: bool | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> HierarchicalHMM:
        """Train a model by expectation maximisation.

        Parameters
        ----------
        n_states : sequence of int
            K_l of each level, the one next to the data first. By default those of
            `init`.
        init : HierarchicalHMM, optional
            Where to start.
        sequences, n_iter, tol, pseudo_count, alphabet, ends, seed
            As for `HMM.fit`.
        dtype, threads, callback, progress, checkpoint, resume
            As for `HMM.fit`.

        Returns
        -------
        model : HierarchicalHMM
            With the `history` of its training.

        Raises
        ------
        ModelError, SymbolError
            As for `HMM.fit`.

        Notes
        -----
        The E step is that of the joint states, which takes the square of their number
        for each symbol; the M step adds up their counts level by level, which is
        exact, so the objective never rises. Training starts from levels that stay as
        they are for a while, all but the first. How good the optimum is depends on the
        start more than for an HMM: try several seeds, and keep the least
        ``history[-1].objective``.
        """
        if init is not None:
            as_instance(init, HierarchicalHMM, "init", "a HierarchicalHMM")
        elif n_states is None:
            raise ModelError("give n_states, or a model as init")
        sizes = init.n_states if n_states is None and init else as_sizes(n_states)

        def start(
            symbols: Alphabet, passes: Callable[[], Iterable[Symbols]]
        ) -> HierarchicalHMM:
            if init is not None:
                check_init(init, sizes, symbols)
                return init._copy()
            frequencies = frequencies_of(passes(), symbols)
            rng = as_generator(seed)
            initial, transition = _random_levels(rng, sizes, 10.0)
            for i, K in enumerate(sizes[1:], 1):
                transition[i] = _STAY * np.eye(K) + (1 - _STAY) * transition[i]
            emission = random_emission(rng, sizes[0], frequencies)
            return cls(initial, transition, emission, alphabet=symbols)

        return train(
            sequences,
            start,
            init=init,
            n_iter=n_iter,
            tol=tol,
            pseudo_count=pseudo_count,
            alphabet=alphabet,
            ends=ends,
            dtype=dtype,
            threads=threads,
            callback=callback,
            progress=progress,
            checkpoint=opened(
                checkpoint, resume, cls.__name__, n_states=sizes, seed=seed, init=init
            ),
        )

    def freeze(
        self, prec: int = PREC_DEFAULT, *, predictive: bool = False
    ) -> FrozenHierarchicalHMM:
        """Turn the parameters into integer tables, with which sequences are coded.

        Parameters
        ----------
        prec : int
            Precision r in bits, 1 to 28; every K_l and M are at most ``2**r``.
        predictive : bool
            The mode, as for `HMM.freeze`.

        Returns
        -------
        FrozenHierarchicalHMM
            Its masses are at least 1, so it can code any sequence of symbols.
        """
        initial, transition = (
            [quantise(rows, prec) for rows in tables]
            for tables in (self._initial, self._transition)
        )
        frozen = partial(
            FrozenHierarchicalHMM,
            initial,
            transition,
            quantise(self._emission, prec),
            prec=prec,
            alphabet=self._alphabet,
            mode=MODES[bool(predictive)],
        )
        any_start = frozen(start_length=1)
        exact = HierarchicalHMM.from_frozen(any_start)
        bits = any_start.start_bits + SHORT_BITS
        return frozen(start_length=start_length(*step_bits(*exact._parameters), bits))

    def _copy(self) -> HierarchicalHMM:
        """Return the same model without a history."""
        return HierarchicalHMM(
            self._initial, self._transition, self._emission, alphabet=self._alphabet
        )

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        first, step, emitted = pseudo_counts
        nothing = np.ones(1)
        return log2_prior((nothing, nothing, self._emission), (0, 0, emitted)) + sum(
            log2_prior((*level, nothing), (first, step, 0.0))
            for level in zip(self._initial, self._transition, strict=True)
        )

    def _arrays(self) -> Arrays:
        found = {"emission": self._emission, **alphabet_arrays(self._alphabet)}
        for i, (first, step) in enumerate(
            zip(self._initial, self._transition, strict=True)
        ):
            found |= {f"initial_{i}": first, f"transition_{i}": step}
        return found

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> HierarchicalHMM:
        levels = range((len(arrays) - 3) // 2)
        return cls(
            [arrays[f"initial_{i}"] for i in levels],
            [arrays[f"transition_{i}"] for i in levels],
            arrays["emission"],
            alphabet=alphabet_of(arrays),
        )


def _distributions(
    levels: Sequence[ArrayLike], name: str, ndim: int
) -> tuple[Floats, ...]:
    """Rows of each level: one array of `ndim` axes for the top, and one more axis below
    it, for the level above."""
    if not isinstance(levels, (list, tuple)):
        raise ModelError(f"{name} must be a list of an array for each level")
    n = as_integer(len(levels), f"the number of levels of {name}", 1, LEVELS_MAX)
    return tuple(
        as_distributions(rows, f"{name}[{i}]", ndim + (i + 1 < n))
        for i, rows in enumerate(levels)
    )


def as_sizes(n_states: Sequence[int] | None) -> tuple[int, ...]:
    """States of each level, checked."""
    if not isinstance(n_states, (list, tuple)):
        raise ModelError(
            f"n_states must be a list, the states of each level, not {n_states!r}"
        )
    as_integer(len(n_states), "the number of levels", 1, LEVELS_MAX)
    sizes = tuple(as_integer(K, "n_states", 1, MAX_STATES) for K in n_states)
    if math.prod(sizes) > MAX_STATES:
        raise ModelError(
            f"n_states {list(sizes)}: levels have at most {MAX_STATES} joint states"
        )
    return sizes


def _random_levels(
    rng: np.random.Generator, sizes: tuple[int, ...], concentration: float
) -> tuple[list[Floats], list[Floats]]:
    """Initial and transition distributions, every row by itself."""
    initial, transition = [], []
    for i, K in enumerate(sizes):
        above = sizes[i + 1 : i + 2]
        row = np.full(K, concentration)
        initial.append(rng.dirichlet(row, above))
        transition.append(rng.dirichlet(row, (*above, K)))
    return initial, transition
