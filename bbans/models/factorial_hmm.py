"""Hidden Markov models of several chains side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_generator, as_instance, as_integer, as_reals
from bbans._float_file import Arrays
from bbans.distributions.table import PREC_DEFAULT, quantise
from bbans.errors import ModelError
from bbans.frozen.alphabet import Alphabet, Symbols
from bbans.frozen.base import MODES
from bbans.frozen.factorial_hmm import FrozenFactorialHMM
from bbans.frozen.levels import LEVELS_MAX
from bbans.models._checkpoint import opened
from bbans.models._data import (
    frequencies_of,
    in_memory,
    passes_of,
    training_alphabet,
)
from bbans.models._parameters import (
    MAX_STATES,
    PSEUDO_COUNTS,
    PseudoCounts,
    as_pseudo_counts,
    check_size,
    log2_prior,
    normalised,
    random_emission,
)
from bbans.models._start_length import start_length
from bbans.models._states import free_parameters
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import SHORT_BITS, step_bits
from bbans.models.hmm import HMM, alphabet_of

__all__ = ["FactorialHMM"]

_Chain = tuple[NDArray[np.float64], NDArray[np.float64]]


class FactorialHMM(HMM):
    """Several Markov chains side by side, which emit each symbol together.

    It is an HMM of their joint states, the last chain's running fastest; training with
    it as `init` keeps the chains independent. Frozen, it codes each chain by itself,
    with ``K (K_1 + .. + K_n)`` products a step instead of ``K**2``. Its `viterbi`,
    `posterior` and `predict` are of joint states: ``np.unravel_index(states, sizes)``
    gives those of each chain.

    Parameters
    ----------
    chains : sequence of (initial, transition)
        P(z_1) of shape (K_i,) and P(z_t+1 | z_t) of shape (K_i, K_i). The product K of
        all K_i is at most 4096.
    emission : array_like of float, shape (K_1, .., K_n, M) or (K, M)
        P(x_t | all chains' states).
    alphabet : optional
        As for `HMM`.

    Raises
    ------
    ModelError
        As for `HMM`.

    References
    ----------
    Ghahramani and Jordan, Factorial hidden Markov models (1997).

    Examples
    --------
    >>> slow, fast = ([1, 0], [[0.99, 0.01], [0.01, 0.99]]), ([1, 0], [[0, 1], [1, 0]])
    >>> model = FactorialHMM([slow, fast], np.full((2, 2, 3), 1 / 3))
    >>> model.n_states, model.transition[0].tolist()
    (4, [0.0, 0.99, 0.0, 0.01])
    """

    __slots__ = ("_chains",)

    def __init__(
        self,
        chains: Sequence[tuple[ArrayLike, ArrayLike]],
        emission: ArrayLike,
        *,
        alphabet: Alphabet | str | ArrayLike | None = None,
    ) -> None:
        try:
            pairs = [(a, A) for a, A in chains]
        except (TypeError, ValueError):
            raise ModelError(
                "chains must be pairs of an initial and a transition distribution"
            ) from None
        if not pairs:
            raise ModelError("a factorial HMM has at least one chain")
        # Each chain is checked as an HMM of one symbol.
        checked = [HMM(a, A, np.ones((np.size(a), 1))) for a, A in pairs]
        self._chains: list[_Chain] = [(c.initial, c.transition) for c in checked]
        sizes = [chain.n_states for chain in checked]
        table = as_reals(emission, "emission")
        if table.ndim > 2 and table.shape[:-1] == tuple(sizes):
            table = table.reshape(math.prod(sizes), -1)
        if table.ndim != 2 or table.shape[0] != math.prod(sizes):
            raise ModelError(
                f"emission must have shape {(*sizes, 'M')}, not {table.shape}"
            )
        check_size(*table.shape)
        super().__init__(
            _product([initial for initial, _ in self._chains]),
            _product([transition for _, transition in self._chains]),
            table,
            alphabet=alphabet,
        )

    @classmethod
    def random(
        cls,
        n_states: int | Sequence[int],
        n_symbols: int,
        *,
        concentration: float = 1.0,
        seed: int | np.random.Generator,
    ) -> FactorialHMM:
        """Draw a model, as `HMM.random`.

        Parameters
        ----------
        n_states : int or sequence of int
            Of each chain.
        n_symbols, concentration, seed
            As for `HMM.random`.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        rng = as_generator(seed)
        chains = [
            HMM.random(K, 1, concentration=concentration, seed=rng)
            for K in _sizes(n_states)
        ]
        states = math.prod(chain.n_states for chain in chains)
        joint = HMM.random(states, n_symbols, concentration=concentration, seed=rng)
        pairs = [(chain.initial, chain.transition) for chain in chains]
        return cls(pairs, joint.emission)

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int | Sequence[int],
        *,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        **options: Any,
    ) -> FactorialHMM:
        """Train by expectation maximisation.

        Parameters
        ----------
        n_states : int or sequence of int
            Of each chain.
        sequences, seed, init, alphabet, ends, checkpoint, resume, **options
            As for `HMM.fit`, but `topology`.

        Raises
        ------
        ModelError, SymbolError
            As for `HMM.fit`.
        """
        data, sizes = in_memory(sequences), _sizes(n_states)
        states = math.prod(sizes)
        saved = opened(
            checkpoint, resume, cls.__name__, n_states=sizes, seed=seed, init=init
        )
        if saved is not None and saved.found:
            init = saved.model("best", needed=True)
        elif init is None:
            rng, passes = as_generator(seed), passes_of(data)
            symbols = training_alphabet(passes, alphabet, ends=ends)
            emission = random_emission(rng, states, frequencies_of(passes(), symbols))
            pairs = [
                (rng.dirichlet(np.full(K, 10.0)), rng.dirichlet(np.full(K, 10.0), K))
                for K in sizes
            ]
            init = cls(pairs, emission, alphabet=symbols)
        elif not isinstance(init, FactorialHMM):
            raise ModelError(f"init is another kind of model: {init!r}")
        model = HMM.fit(
            data, states, init=init, alphabet=alphabet, ends=ends, checkpoint=saved,
            **options,
        )  # fmt: skip
        assert isinstance(model, FactorialHMM)
        return model

    @property
    def chains(self) -> list[_Chain]:
        """P(z_1) and P(z_t+1 | z_t) of each chain."""
        return list(self._chains)

    @property
    def n_parameters(self) -> int:
        """As of `HMM`, of each chain by itself."""
        return self._free_emissions + sum(
            free_parameters(*chain) for chain in self._chains
        )

    def maximise(
        self,
        statistics: Statistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
    ) -> FactorialHMM:
        """As `HMM.maximise`, but of each chain by itself."""
        joint = super().maximise(statistics, pseudo_count=pseudo_count)
        first, step, _ = as_pseudo_counts(pseudo_count)
        sizes = [initial.size for initial, _ in self._chains]
        n, chains = len(sizes), []
        for k, (initial, transition) in enumerate(self._chains):
            others = tuple(i for i in range(n) if i != k)
            both = (*others, *(n + i for i in others))
            starts = statistics.initial.reshape(sizes).sum(axis=others)
            moves = statistics.transition.reshape(sizes * 2).sum(axis=both)
            chains.append(
                (
                    normalised(starts + first * (initial > 0), initial),
                    normalised(moves + step * (transition > 0), transition),
                )
            )
        return self._with(chains, joint.emission)

    def freeze(  # type: ignore[override]  # no other model has chains
        self, prec: int = PREC_DEFAULT, *, predictive: bool = False
    ) -> FrozenFactorialHMM:
        """Turn the parameters into integer tables, with which sequences are coded.

        Parameters
        ----------
        prec : int
            Precision r in bits, 1 to 28; all K_i and M are at most ``2**r``.
        predictive : bool
            The mode, as for `HMM.freeze`.

        Returns
        -------
        FrozenFactorialHMM
            Its masses are at least 1, so it can code any sequence of symbols. It has 8
            chains at most: of more the last ones are joined.
        """
        chains = self.chains
        while len(chains) > LEVELS_MAX:
            *chains, before, last = chains
            joined = [_product([a, b]) for a, b in zip(before, last, strict=True)]
            chains.append((joined[0], joined[1]))
        frozen = partial(
            FrozenFactorialHMM,
            [quantise(initial, prec) for initial, _ in chains],
            [quantise(transition, prec) for _, transition in chains],
            quantise(self.emission, prec),
            prec=prec,
            alphabet=self.alphabet,
            mode=MODES[bool(predictive)],
        )
        any_start = frozen(start_length=1)
        exact = FactorialHMM.from_frozen(any_start)
        bits = any_start.start_bits + SHORT_BITS
        return frozen(start_length=start_length(*step_bits(*exact._parameters), bits))

    @classmethod
    def from_frozen(  # type: ignore[override]
        cls, frozen: FrozenFactorialHMM
    ) -> FactorialHMM:
        """Return the float model with exactly a frozen model's probabilities.

        Raises
        ------
        ModelError
            If it is another kind of model.
        """
        as_instance(frozen, FrozenFactorialHMM, "frozen", "a FrozenFactorialHMM")
        unit = 2.0**-frozen.prec
        chains = zip(frozen.initial, frozen.transition, strict=True)
        return cls(
            [(initial * unit, transition * unit) for initial, transition in chains],
            frozen.emission * unit,
            alphabet=frozen.alphabet,
        )

    def _arrays(self) -> Arrays:
        arrays = super()._arrays()
        joint = {name: arrays[name] for name in ("emission", "alphabet", "ends")}
        for k, (initial, transition) in enumerate(self._chains):
            joint |= {f"initial_{k}": initial, f"transition_{k}": transition}
        return joint

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> FactorialHMM:
        chains = [
            (arrays[f"initial_{k}"], arrays[f"transition_{k}"])
            for k in range((len(arrays) - 3) // 2)
        ]
        return cls(chains, arrays["emission"], alphabet=alphabet_of(arrays))

    def _copy(self) -> FactorialHMM:
        return self._with(self._chains, self.emission)

    def _with(self, chains: Sequence[_Chain], emission: ArrayLike) -> FactorialHMM:
        return FactorialHMM(chains, emission, alphabet=self.alphabet)

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        first, step, _ = pseudo_counts
        nothing = np.ones(1)
        return log2_prior((nothing, nothing, self.emission), pseudo_counts) + sum(
            log2_prior((*chain, nothing), (first, step, 0.0)) for chain in self._chains
        )


def _sizes(n_states: int | Sequence[int]) -> list[int]:
    sizes = n_states if isinstance(n_states, (list, tuple)) else [n_states]
    found = [as_integer(K, "n_states", 1, MAX_STATES) for K in sizes]
    if math.prod(found) > MAX_STATES or not found:
        raise ModelError(
            f"n_states {n_states}: chains have 1 to {MAX_STATES} joint states"
        )
    return found


def _product(factors: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    joint = np.ones((1,) * factors[0].ndim)
    for factor in factors:
        joint = np.asarray(np.kron(joint, factor), np.float64)
    return joint
