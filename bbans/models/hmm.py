"""Hidden Markov models of discrete symbols, in floating point.

This is where models are trained and analysed.  Nothing here decides a coded bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import (
    as_generator,
    as_instance,
    as_integer,
    as_real,
)
from bbans._float_file import Arrays
from bbans.errors import (
    ModelError,
)
from bbans.frozen.alphabet import (
    MAX_SYMBOLS,
    Alphabet,
    Symbols,
    as_alphabet,
    text_of,
)
from bbans.frozen.base import MODES, Kind
from bbans.frozen.hmm import FrozenHMM, HiddenMarkov
from bbans.models import _forward, em
from bbans.models._checkpoint import opened
from bbans.models._data import (
    NoDataError,
    as_sequences,
    encode_all,
    encode_one,
    frequencies_of,
    passes_of,
    training_alphabet,
)
from bbans.models._parameters import (
    MAX_STATES,
    PSEUDO_COUNTS,
    Floats,
    Parameters,
    PseudoCounts,
    as_concentration,
    as_distributions,
    as_pseudo_counts,
    check_size,
    cumulative,
    log2_prior,
    logs,
    normalised,
    random_emission,
)
from bbans.models._start import DataStart
from bbans.models._states import Lookup, StateModel, free_parameters
from bbans.models._training import (
    Iteration,
    check_init,
    check_run,
    statistics_of,
    train,
)
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import frozen_hmm
from bbans.models.topology import Topology

__all__ = ["HMM", "MAX_STATES"]

# Of symbols, by their type in files.
_KINDS: dict[np.dtype[Any], Kind] = {
    np.dtype(np.int64): "integers",
    np.dtype(np.uint8): "bytes",
    np.dtype(np.uint32): "text",
}


class HMM(StateModel):
    """A hidden Markov model: K states, each with its distribution of M symbols.

    Parameters
    ----------
    initial : array_like of float, shape (K,)
        P(z_1). K is at most 4096.
    transition : array_like of float, shape (K, K)
        P(z_t+1 = j | z_t = i) in row i, column j.
    emission : array_like of float, shape (K, M)
        P(x_t | z_t = i) in row i. M is at most 65536.
    alphabet : Alphabet, str or array_like of int, optional
        The M symbols: distinct characters sorted by code point, or strictly
        increasing integers. By default the integers 0 .. M-1.

    Raises
    ------
    ModelError
        If the shapes do not agree, or if a row (the text names it) is not finite
        and non-negative with a sum of 1 within 1e-6. Rows are then divided by
        their sum, unless that is 1 within 1e-12.

    Examples
    --------
    >>> coins = HMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[1, 0], [0.5, 0.5]])
    >>> round(coins.information_content([0, 0, 1]), 6)
    3.545824
    """

    __slots__ = ("_alphabet", "_emission", "_initial", "_transition")

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        *,
        alphabet: Alphabet | str | ArrayLike | None = None,
    ) -> None:
        self._initial = as_distributions(initial, "initial", 1)
        self._transition = as_distributions(transition, "transition", 2)
        self._emission = as_distributions(emission, "emission", 2)
        self._history: tuple[Iteration, ...] = ()
        K, M = self._emission.shape
        if self._initial.shape != (K,) or self._transition.shape != (K, K):
            raise ModelError(
                "shapes must be (K,), (K, K) and (K, M), not "
                f"{self._initial.shape}, {self._transition.shape} and {(K, M)}"
            )
        check_size(K, M)
        self._alphabet = as_alphabet(M if alphabet is None else alphabet)
        if self._alphabet.size != M:
            raise ModelError(
                f"alphabet has {self._alphabet.size} symbols, emission {M} columns"
            )

    @classmethod
    def from_frozen(cls, frozen: FrozenHMM) -> HMM:
        """Return the float model with exactly a frozen model's probabilities.

        Raises
        ------
        ModelError
            If it is another kind of model.
        """
        as_instance(frozen, FrozenHMM, "frozen", "a FrozenHMM")
        return states_of(frozen)

    @property
    def n_states(self) -> int:
        """K."""
        return self._initial.size

    @property
    def n_symbols(self) -> int:
        """M."""
        return self._alphabet.size

    @property
    def initial(self) -> Floats:
        """P(z_1), shape (K,), read-only."""
        return self._initial

    @property
    def transition(self) -> Floats:
        """P(z_t+1 | z_t), shape (K, K), one distribution per row, read-only."""
        return self._transition

    @property
    def emission(self) -> Floats:
        """P(x_t | z_t), shape (K, M), one distribution per row, read-only."""
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
        return self._initial, self._transition, self._emission

    @property
    def n_parameters(self) -> int:
        """Numbers that training is free to choose: one less than there are in each row.

        Initial states and transitions of probability 0 stay so, and do not count.
        """
        return free_parameters(*self._chain) + self._free_emissions

    @property
    def _free_emissions(self) -> int:
        """Of the emissions, as `n_parameters`."""
        return self.n_states * (self.n_symbols - 1)

    @property
    def _chain(self) -> tuple[Floats, Floats]:
        return self._initial, self._transition

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.n_states} states, {self.n_symbols} "
            f"symbols, {self._alphabet!r}>"
        )

    @classmethod
    def random(
        cls,
        n_states: int,
        n_symbols: int,
        *,
        concentration: float = 1.0,
        seed: int | np.random.Generator,
    ) -> HMM:
        """Draw a model: every row from the same symmetric Dirichlet distribution.

        Parameters
        ----------
        n_states, n_symbols : int
            K and M.
        concentration : float
            The parameter of the Dirichlet distribution: 1 is uniform on the
            simplex, less gives sparse rows.
        seed : int or numpy.random.Generator

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        n_symbols = as_integer(n_symbols, "n_symbols", 1, MAX_SYMBOLS)
        concentration = as_concentration(concentration)
        rng = as_generator(seed)
        return cls(
            rng.dirichlet(np.full(n_states, concentration)),
            rng.dirichlet(np.full(n_states, concentration), n_states),
            rng.dirichlet(np.full(n_symbols, concentration), n_states),
        )

    def sample(
        self, length: int, *, seed: int | np.random.Generator
    ) -> tuple[NDArray[np.int64] | NDArray[np.uint32], NDArray[np.int64]]:
        """Draw a sequence and its states from the model.

        Parameters
        ----------
        length : int
            T >= 0. Of a model that ends, the most: a sample stops where it ends.
        seed : int or numpy.random.Generator

        Returns
        -------
        x : ndarray of int64, uint8 (bytes) or uint32 (code points), shape (T,)
            Symbols of the alphabet, without the end; of UTF-8, its bytes.
        z : ndarray of int64, shape (T,)
            States.
        """
        length = as_integer(length, "length", 0)
        u = as_generator(seed).random((length, 2))
        x = np.empty(length, dtype=np.int32)
        z = np.empty(length, dtype=np.int64)
        _forward.sample(
            cumulative(self._initial),
            cumulative(self._transition),
            cumulative(self._emission),
            u,
            x,
            z,
        )
        return drawn(self._alphabet, x, z)

    def information_content(self, x: Symbols) -> float:
        """Compute h(x) = -log2 P(x), summed over all states, in bits.

        Parameters
        ----------
        x : str, bytes-like or array_like of int
            One sequence; an array is read in C order.

        Returns
        -------
        bits : float
            At least 0; 0 for an empty sequence, +inf if the model excludes x.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet.

        Notes
        -----
        A state whose filtered probability falls below 1e-290 is left out from there
        on, so the result is an upper bound, in practice to the last digits. Where
        that could matter at once, at a symbol improbable beyond 1e-100, the sum is
        done anew with logarithms (which takes some 50 times as long).

        References
        ----------
        Rabiner, A tutorial on hidden Markov models (1989), section V.A: scaling.
        """
        indices = self._alphabet.encode(x)
        if indices.size == 0:
            return 0.0
        bits, *_, fault = em.expect(
            [em.Batch.of([(0, indices)])],
            self._parameters,
            counting=False,
            lowest=1e-100,
        )
        if fault is not None:
            bits = -self._log_likelihood(indices) / math.log(2)
        return max(0.0, bits)  # not -0.0

    def _observed(self, x: Symbols) -> NDArray[np.int32]:
        return encode_one(x, self._alphabet)

    def _log_emissions(
        self, observed: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> Lookup:
        return Lookup(logs(np.ascontiguousarray(self._emission.T)), observed)

    def _named(self, observed: NDArray[np.int32], t: int) -> str:
        return f"symbol {self._alphabet.name(int(observed[t]))}"

    def log_likelihood(self, x: Symbols) -> float:
        """Compute ln P(x) in nats: `information_content` times -ln 2."""
        return -self.information_content(x) * math.log(2)

    def expect(
        self,
        sequences: Symbols | Iterable[Symbols],
        *,
        dtype: DTypeLike = np.float64,
        threads: int | None = None,
    ) -> Statistics:
        """Count what the states did in data, in expectation: the E step of EM.

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, or an iterable of such
            One sequence or several. An iterator is read piece by piece, so data may
            be larger than memory.
        dtype : {float64, float32}
            Of the messages, as for `fit`.
        threads : int, optional
            At work at the same time, at most; the result does not depend on it.

        Returns
        -------
        statistics : Statistics
            They add up over parts of the data.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible where it stands.
        ModelError
            If an argument is out of range.

        References
        ----------
        Rabiner, A tutorial on hidden Markov models (1989), section III.C.
        """
        check_run(dtype, threads)
        encoded = encode_all(as_sequences(sequences), self._alphabet)
        found = em.expect(
            em.batches(encoded, self.n_symbols),
            self._parameters,
            dtype=dtype,
            threads=threads,
        )
        return statistics_of(found, self._alphabet, "this model")

    def maximise(
        self,
        statistics: Statistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
    ) -> HMM:
        """Normalise expected counts to a new model: the M step of EM.

        Parameters
        ----------
        statistics : Statistics
            Of any data, usually counted by this model.
        pseudo_count : float or tuple of 3 floats
            Added to the counts, as for `fit`; not to those of initial states and
            transitions of probability 0.

        Returns
        -------
        model : HMM
            Of this model's alphabet. A row whose counts are all zero is that of
            this model, and initial states and transitions of probability 0 stay so.

        Raises
        ------
        ModelError
            If the shapes do not agree, or counts are not finite or below 0.
        """
        counts = self._counts(statistics)
        extra = as_pseudo_counts(pseudo_count)
        initial, transition, emission = self._parameters
        return HMM(
            normalised(counts[0] + extra[0] * (initial > 0), initial),
            normalised(counts[1] + extra[1] * (transition > 0), transition),
            normalised(counts[2] + extra[2], emission),
            alphabet=self._alphabet,
        )

    def _counts(self, statistics: Statistics) -> Parameters:
        """Expected counts of this model's states, checked."""
        as_instance(statistics, Statistics, "statistics", "Statistics")
        if statistics.emission.shape != self._emission.shape:
            raise ModelError(
                f"statistics of shape {statistics.emission.shape} are not of a model "
                f"with {self.n_states} states and {self.n_symbols} symbols"
            )
        counts = (statistics.initial, statistics.transition, statistics.emission)
        for count in counts:
            if not (np.isfinite(count).all() and (count >= 0).all()):
                raise ModelError("counts must be finite and >= 0")
        return counts

    def _copy(self) -> HMM:
        """Return the same model without a history."""
        return HMM(*self._parameters, alphabet=self._alphabet)

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        """Sum of ``pseudo_count * log2(parameter)``."""
        return log2_prior(self._parameters, pseudo_counts)

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int,
        *,
        n_iter: int = 100,
        tol: float = 1e-5,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        topology: Topology | None = None,
        dtype: DTypeLike = np.float64,
        threads: int | None = None,
        callback: Callable[[HMM], object] | None = None,
        progress: bool | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> HMM:
        """Train a model by expectation maximisation (Baum-Welch).

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, an iterable of such, or a function
            One sequence or several of any lengths; empty ones count for nothing.
            An array has one axis, and is one sequence. For data larger than memory,
            a function without arguments that returns an iterator of the same sequences
            at each call: one call for each update and one more, and two to find a
            start without `init`.
        n_states : int
            K.
        n_iter : int
            Updates at most.
        tol : float
            Stop when an update lowers the objective by less, in bits per symbol.
        pseudo_count : float or tuple of 3 floats
            Added to each expected count of initial states, transitions and
            emissions before rows are normalised, in this order; >= 0. It is what
            leaves room for data unlike the training data.
        alphabet : Alphabet, int, str or array_like of int, optional
            As for `HMM`, or the number of symbols. By default that of `init`;
            else the characters that occur, for bytes the integers 0 .. 255, for
            integers 0 .. max. ``Alphabet.utf8()`` codes any text.
        ends : bool
            Train each sequence with an end, a symbol that is added to the alphabet: the
            model then says where a record ends (an empty sequence is one too). The end
            is no data: `encode` and containers do not write it. An `alphabet` or `init`
            that has an end keeps it.
        seed : int or numpy.random.Generator
            For what is random in the start; unused with `init`.
        init : HMM, optional
            Where to start, with K states and the same alphabet. Training that stops
            and goes on from its model is, bit for bit, training without a stop. A
            `FactorialHMM` stays one.
        topology : Topology, optional
            The initial states and transitions that the start has; all others have
            probability 0, and keep it. With `init`, its zeros are the topology.
        dtype : {float64, float32}
            Of the messages. float32 takes half the time, and gives the information
            content to about 6 digits.
        threads : int, optional
            Batches of sequences at a time, at most (12 sequences each, or
            more if they are short). The result does not depend on it.
        callback : callable, optional
            Called with the model after each update that was kept, for example to
            save it. An exception ends training.
        progress : bool, optional
            Show a progress bar on standard error. By default if that is a
            terminal and the work takes more than a second.
        checkpoint : path, optional
            A file that holds the state of the fit after each update, replaced at once;
            writing it takes a tenth of the time at most. With it, a function that gives
            the sequences is called once more.
        resume : bool
            Go on from the checkpoint, if there is one, to the same bits as without a
            stop: the same arguments, but for `threads`, `callback` and `progress`, on
            a machine with the same kernels (``BBANS_CPU``). A fit that had ended
            returns its model. Without `resume`, an existing file is replaced.

        Returns
        -------
        model : HMM
            With the `history` of its training.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible under `init`.
        ModelError
            If there is no data, if an argument is out of range, if a function
            gives other data at a later call, or if the checkpoint is of another fit;
            the text says what differs.
        FormatError
            If `checkpoint` is no whole checkpoint of this version.

        Notes
        -----
        Each update is `expect` and `maximise`: it replaces the parameters by
        normalised expected counts plus pseudo-counts. That never raises the objective
        of `Iteration` (Dempster, Laird, Rubin 1977), the posterior mode under
        Dirichlet priors with parameters ``1 + pseudo_count``. Should rounding raise it
        all the same, training stops and the parameters before that update are the
        result. A row whose counts are all zero keeps its previous parameters.

        Training starts from states that are classes of symbols, or of contexts, found
        by the exchange algorithm, but for some noise; with a topology, from emissions
        at random (docs/maths.md, "Where training starts").

        Sequences are never cut: long ones go through in blocks, with the forward
        message kept at the start of each and the others computed again, so
        memory is about 32 MiB for each thread besides data and parameters.

        With 64 states, the default pseudo-counts gave the least information
        content of held-out English among those tried.
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")

        def start(symbols: Alphabet, passes: Callable[[], Iterable[Symbols]]) -> HMM:
            return _start(init, n_states, symbols, seed, passes, topology)

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
                checkpoint,
                resume,
                cls.__name__,
                n_states=n_states,
                seed=seed,
                init=init,
                topology=topology,
            ),
        )

    @classmethod
    def fit_online(
        cls,
        batches: Iterable[Symbols | Iterable[Symbols]],
        n_states: int,
        *,
        exponent: float = 0.6,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        statistics: Statistics | None = None,
        updates: int = 0,
        dtype: DTypeLike = np.float64,
        threads: int | None = None,
        callback: Callable[[HMM, Statistics, int], object] | None = None,
    ) -> HMM:
        """Train a model by stepwise EM: one update for each batch of sequences.

        Parameters
        ----------
        batches : iterable of batches
            Each is what `fit` takes as its sequences. It may be an iterator without
            end that `callback` stops, and may give the same data several times.
        n_states : int
            K.
        exponent : float
            Above 0.5 and at most 1: update n weighs its batch by ``n ** -exponent``.
            Near 0.5 early batches are forgotten soon, at 1 all count alike.
        pseudo_count, alphabet, ends, seed, init, dtype, threads
            As for `fit`; without `alphabet` and `init`, the first batch that is not
            empty tells the alphabet.
        statistics : Statistics, optional
            Where to go on, with `init` and `updates`: what `callback` was given.
        updates : int
            That were made before.
        callback : callable, optional
            Called after each update with the model, its running statistics and the
            number of updates: what it takes to go on later, bit for bit. If it
            returns True, training ends.

        Returns
        -------
        model : HMM
            After the last update. Its `history` is empty.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible under the model so far
            (which no symbol is if pseudo-counts are above 0).
        ModelError
            If there is no data, or if an argument is out of range.

        Notes
        -----
        Running statistics s become ``(1 - n**-exponent) s + n**-exponent e``, with e
        the expected counts per symbol of batch n under the model so far
        (`Statistics.blend`); `maximise` makes the model of s times the number of
        symbols so far. A batch should have many more symbols than a row has
        parameters. Unlike in `fit`, an update may raise the information content.

        References
        ----------
        Cappé and Moulines, On-line expectation-maximization algorithm for latent data
        models (2009); Liang and Klein, Online EM for unsupervised models (2009).
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        if not 0.5 < as_real(exponent, "exponent") <= 1:
            raise ModelError(f"exponent must be in (0.5, 1], not {exponent}")
        updates = as_integer(updates, "updates", 0, 1 << 62)
        if statistics is not None:
            as_instance(statistics, Statistics, "statistics", "Statistics")
        as_pseudo_counts(pseudo_count)
        check_run(dtype, threads)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")
        model = None
        for batch in batches:
            items = passes_of(batch)
            if model is None:
                try:
                    symbols = training_alphabet(items, alphabet, init, ends)
                    model = _start(init, n_states, symbols, seed, items)
                except NoDataError:
                    continue
            part = model.expect(items(), dtype=dtype, threads=threads)
            if part.n_symbols == 0:
                continue
            updates += 1
            if statistics is None:
                statistics = part
            else:
                statistics = statistics.blend(part, updates**-exponent)
            model = model.maximise(statistics, pseudo_count=pseudo_count)
            if callback is not None and callback(model, statistics, updates) is True:
                break
        if model is None:
            raise ModelError("no data to train on: no batch has any")
        return model

    def freeze(self, prec: int = 24, *, predictive: bool = False) -> FrozenHMM:
        """Turn the parameters into integer tables, with which sequences are coded.

        Parameters
        ----------
        prec : int
            Precision r in bits, 1 to 28; K and M are at most ``2**r``.
        predictive : bool
            The mode: "predictive" codes each symbol by its distribution given those
            before it, "iconoclasm", the default, by bits back.

        Returns
        -------
        FrozenHMM
            Its masses are at least 1, so it can code any sequence of symbols.

        Notes
        -----
        docs/maths.md, "From float masses to tables". The cost is near
        ``1.4 (K + M) 2**-r`` bits per symbol if most parameters are near 0, and less
        otherwise.
        """
        return frozen_hmm(
            self.initial,
            self.transition,
            self.emission,
            prec=prec,
            alphabet=self.alphabet,
        ).with_mode(MODES[bool(predictive)])

    def _arrays(self) -> Arrays:
        return {
            "initial": self._initial,
            "transition": self._transition,
            "emission": self._emission,
            **alphabet_arrays(self._alphabet),
        }

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> HMM:
        parameters = {name: arrays[name] for name in arrays if name != "ends"}
        return cls(**parameters | {"alphabet": alphabet_of(arrays)})


def alphabet_arrays(alphabet: Alphabet) -> Arrays:
    """An alphabet as a file of floats holds it."""
    values = alphabet.values
    return {
        "alphabet": alphabet.decode([]) if values is None else values,
        "ends": np.array(alphabet.ends, np.int64),
    }


def alphabet_of(arrays: Arrays) -> Alphabet:
    """The alphabet that a file holds: of the kind that its type says; if it lists
    nothing, 0 .. N-1, or UTF-8."""
    values, ends = arrays["alphabet"], bool(arrays["ends"])
    kind = _KINDS[values.dtype]
    if values.size == 0:
        return Alphabet(arrays["emission"].shape[-1] - ends, kind, ends=ends)
    listed = text_of(values) if kind == "text" else values
    return Alphabet(listed, kind, ends=ends)


def drawn(
    alphabet: Alphabet, x: NDArray[np.int32], z: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Symbols and states of a sample, up to its end if it has one."""
    if alphabet.ends:
        ends = np.flatnonzero(x == alphabet.end)
        if ends.size:
            x, z = x[: ends[0]], z[: ends[0]]
    return alphabet.units.decode(x), z


def states_of(frozen: HiddenMarkov) -> HMM:
    """P(z_1), P(z_t+1 | z_t), and P(x_t | z_t) without contexts."""
    unit = 2.0**-frozen.prec
    return HMM(
        frozen.initial * unit,
        frozen.transition * unit,
        frozen.emission * unit,
        alphabet=frozen.alphabet,
    )


def _start(
    init: HMM | None,
    K: int,
    symbols: Alphabet,
    seed: int | np.random.Generator,
    passes: Callable[[], Iterable[Symbols]],
    topology: Topology | None = None,
) -> HMM:
    """Check the model that training starts from, or find one.

    With a topology, whose states have their places, states only differ by their
    emissions at random, and transitions start near uniform.
    """
    if init is not None:
        check_init(init, K, symbols)
        if topology is not None:
            raise ModelError("with init its zeros are the topology: give no other")
        return init._copy()
    rng = as_generator(seed)
    initial = rng.dirichlet(np.full(K, 10.0))
    if topology is None:
        data = DataStart(encode_all(passes(), symbols), symbols.size)
        transition, emission = data.classes(K, rng)
    else:
        as_instance(topology, Topology, "topology", "a Topology")
        transition = rng.dirichlet(np.full(K, 10.0), K)
        initial, transition = topology.mask(initial, transition)
        emission = random_emission(rng, K, frequencies_of(passes(), symbols))
    return HMM(initial, transition, emission, alphabet=symbols)
