"""Hidden Markov models of discrete symbols, in floating point.

This is where models are trained and analysed.  Nothing here decides a coded bit.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import (
    as_array,
    as_generator,
    as_instance,
    as_integer,
    as_real,
    as_reals,
)
from bbans._files import replacing
from bbans._kinds import START_BYTES, wrong_kind
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
)
from bbans.frozen.alphabet import (
    MAX_SYMBOLS,
    Alphabet,
    Symbols,
    as_alphabet,
    as_integers,
)
from bbans.frozen.hmm import FrozenARHMM, FrozenHMM
from bbans.models import _forward, em
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import frozen_hmm

if TYPE_CHECKING:
    from bbans.models.structured import Topology

__all__ = ["HMM", "MAX_STATES", "Iteration"]

MAX_STATES = 4096
_FORMAT_VERSION = 1
_MAX_FILE_BYTES = 2**32
_BYTES = (bytes, bytearray, memoryview)

_PSEUDO_COUNTS = (0.1, 0.1, 0.01)
_NO_DATA = "no data to train on: every sequence is empty"

_Floats = NDArray[np.float64]
_Parameters = tuple[_Floats, _Floats, _Floats]  # initial, transition, emission
_PseudoCounts: TypeAlias = float | tuple[float, float, float]


class Iteration(NamedTuple):
    """What training knew of the parameters after some number of updates.

    Attributes
    ----------
    objective : float
        What EM lowers, in bits per symbol: the information content of the data
        less the sum of ``pseudo_count * log2(parameter)`` over all parameters.
    information_content : float
        ``-log2 P(data)``, in bits per symbol.
    """

    objective: float
    information_content: float


class HMM:
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

    __slots__ = ("_alphabet", "_emission", "_history", "_initial", "_transition")

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        *,
        alphabet: Alphabet | str | ArrayLike | None = None,
    ) -> None:
        self._initial = _distributions(initial, "initial", 1)
        self._transition = _distributions(transition, "transition", 2)
        self._emission = _distributions(emission, "emission", 2)
        self._history: tuple[Iteration, ...] = ()
        K, M = self._emission.shape
        if self._initial.shape != (K,) or self._transition.shape != (K, K):
            raise ModelError(
                "shapes must be (K,), (K, K) and (K, M), not "
                f"{self._initial.shape}, {self._transition.shape} and {(K, M)}"
            )
        _check_size(K, M)
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
        if isinstance(frozen, FrozenARHMM):
            raise ModelError("frozen is no HMM: see ARHMM.from_frozen")
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
    def initial(self) -> _Floats:
        """P(z_1), shape (K,), read-only."""
        return self._initial

    @property
    def transition(self) -> _Floats:
        """P(z_t+1 | z_t), shape (K, K), one distribution per row, read-only."""
        return self._transition

    @property
    def emission(self) -> _Floats:
        """P(x_t | z_t), shape (K, M), one distribution per row, read-only."""
        return self._emission

    @property
    def alphabet(self) -> Alphabet:
        """The M symbols."""
        return self._alphabet

    @property
    def history(self) -> tuple[Iteration, ...]:
        """The course of training: entry n after n updates, the last for this model.

        Empty if the model does not come from `fit`.
        """
        return self._history

    @property
    def _parameters(self) -> _Parameters:
        return self._initial, self._transition, self._emission

    def __repr__(self) -> str:
        return (
            f"<HMM: {self.n_states} states, {self.n_symbols} symbols, "
            f"{self._alphabet!r}>"
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
        if not 0 < as_real(concentration, "concentration") < math.inf:
            raise ModelError(f"concentration must be above 0, not {concentration}")
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
            T >= 0.
        seed : int or numpy.random.Generator

        Returns
        -------
        x : ndarray of int64, or of uint32 code points, shape (T,)
            Symbols of the alphabet.
        z : ndarray of int64, shape (T,)
            States.
        """
        length = as_integer(length, "length", 0)
        u = as_generator(seed).random((length, 2))
        x = np.empty(length, dtype=np.int32)
        z = np.empty(length, dtype=np.int64)
        _forward.sample(
            _cumulative(self._initial),
            _cumulative(self._transition),
            _cumulative(self._emission),
            u,
            x,
            z,
        )
        return self._alphabet.decode(x), z

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
            with np.errstate(divide="ignore"):
                logs = [np.ascontiguousarray(np.log(p.T)) for p in self._parameters]
            bits = -_forward.log_likelihood(indices, *logs) / math.log(2)
        return max(0.0, bits)  # not -0.0

    def log_likelihood(self, x: Symbols) -> float:
        """Compute ln P(x) in nats: `information_content` times -ln 2."""
        return -self.information_content(x) * math.log(2)

    def expect(
        self,
        sequences: Symbols | Iterable[Symbols],
        *,
        dtype: DTypeLike = np.float64,
        threads: int = 1,
    ) -> Statistics:
        """Count what the states did in data, in expectation: the E step of EM.

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, or an iterable of such
            One sequence or several. An iterator is read piece by piece, so data may
            be larger than memory.
        dtype : {float64, float32}
            Of the messages, as for `fit`.
        threads : int
            At most so many at work; the result does not depend on it.

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
        _check_run(dtype, threads)
        encoded = _encode(_sequences(sequences), self._alphabet)
        found = em.expect(
            em.batches(encoded, self.n_symbols),
            self._parameters,
            dtype=dtype,
            threads=threads,
        )
        return _statistics(found, self._alphabet, "this model")

    def maximise(
        self,
        statistics: Statistics,
        *,
        pseudo_count: _PseudoCounts = _PSEUDO_COUNTS,
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
        extra = _pseudo_counts(pseudo_count)
        initial, transition, emission = self._parameters
        return HMM(
            _normalised(counts[0] + extra[0] * (initial > 0), initial),
            _normalised(counts[1] + extra[1] * (transition > 0), transition),
            _normalised(counts[2] + extra[2], emission),
            alphabet=self._alphabet,
        )

    def _copy(self) -> HMM:
        """Return the same model without a history."""
        return HMM(*self._parameters, alphabet=self._alphabet)

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        """Sum of ``pseudo_count * log2(parameter)``."""
        return _log2_prior(self._parameters, pseudo_counts)

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int,
        *,
        n_iter: int = 100,
        tol: float = 1e-5,
        pseudo_count: _PseudoCounts = _PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        topology: Topology | None = None,
        dtype: DTypeLike = np.float64,
        threads: int = 1,
        callback: Callable[[HMM], object] | None = None,
        progress: bool | None = None,
    ) -> HMM:
        """Train a model by expectation maximisation (Baum-Welch).

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, an iterable of such, or a function
            One sequence or several of any lengths; empty ones count for nothing.
            An array has one axis, and is one sequence. For data larger than memory,
            a function without arguments that returns an iterator of the same sequences
            at each call: one call for each update and one more, and one for what
            `alphabet` or `init` does not tell.
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
            integers 0 .. max.
        seed : int or numpy.random.Generator
            For the random start; unused with `init`.
        init : HMM, optional
            Where to start, with K states and the same alphabet. Training that stops
            and goes on from its model is, bit for bit, training without a stop. A
            `FactorialHMM` stays one.
        topology : Topology, optional
            The initial states and transitions that the random start has; all others
            have probability 0, and keep it. With `init`, its zeros are the topology.
        dtype : {float64, float32}
            Of the messages. float32 takes half the time, and gives the information
            content to about 6 digits.
        threads : int
            At most so many batches of sequences at a time (12 sequences each, or
            more if they are short). The result does not depend on it.
        callback : callable, optional
            Called with the model after each update that was kept, for example to
            save it. An exception ends training.
        progress : bool, optional
            Show a progress bar on standard error. By default if that is a
            terminal and the work takes more than a second.

        Returns
        -------
        model : HMM
            With the `history` of its training.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible under `init`.
        ModelError
            If there is no data, if an argument is out of range, or if a function
            gives other data at a later call.

        Notes
        -----
        Each update is `expect` and `maximise`: it replaces the parameters by
        normalised expected counts plus pseudo-counts. That never raises the objective
        of `Iteration` (Dempster, Laird, Rubin 1977), the posterior mode under
        Dirichlet priors with parameters ``1 + pseudo_count``. Should rounding raise it
        all the same, training stops and the parameters before that update are the
        result. A row whose counts are all zero keeps its previous parameters.

        Sequences are never cut: long ones go through in blocks, with the forward
        message kept at the start of each and the others computed again, so
        memory is about 32 MiB for each thread besides data and parameters.

        With 64 states, the default pseudo-counts gave the least information
        content of held-out English among those tried.
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        n_iter = as_integer(n_iter, "n_iter", 0)
        if not 0 <= as_real(tol, "tol") < math.inf:
            raise ModelError(f"tol must be at least 0 and finite, not {tol}")
        _check_run(dtype, threads)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")
        pseudo_counts = _pseudo_counts(pseudo_count)
        passes = _passes(sequences)
        if alphabet is not None:
            symbols = as_alphabet(alphabet)
        else:
            symbols = init.alphabet if init is not None else _infer_alphabet(passes())
        model = _start(init, n_states, symbols, seed, passes, topology)

        def batches() -> Iterator[em.Batch]:
            return em.batches(_encode(passes(), symbols), symbols.size)

        # What is in memory anyway is arranged once.
        held = None if callable(sequences) else list(batches())
        history: list[Iteration] = []
        best = model
        with _progress_bar(n_iter, progress) as bar:
            for n in range(n_iter + 1):
                found = em.expect(
                    batches() if held is None else held,
                    model._parameters,
                    counting=n < n_iter,
                    dtype=dtype,
                    threads=threads,
                )
                if n == 0:
                    if found.fault is not None:
                        raise _impossible(found.fault, symbols, "init")
                    size = found.n_symbols
                    if size == 0:
                        raise ModelError(_NO_DATA)
                elif found.fault is None and found.n_symbols != size:
                    raise ModelError(
                        f"data have {found.n_symbols} symbols, and had {size} before"
                    )
                penalty = model._log2_prior(pseudo_counts)
                objective = (found.bits - penalty) / size
                gain = history[-1].objective - objective if n else math.inf
                if not gain >= 0:
                    break
                history.append(Iteration(objective, found.bits / size))
                best = model
                best._history = tuple(history)
                if n and callback is not None:
                    callback(best)
                if gain < tol or found.counts is None:
                    break
                model = best.maximise(
                    _statistics(found, symbols, "init"), pseudo_count=pseudo_count
                )
                bar.set_postfix_str(f"{found.bits / size:.4f} bits/symbol", False)
                bar.update()
        return best

    @classmethod
    def fit_online(
        cls,
        batches: Iterable[Symbols | Iterable[Symbols]],
        n_states: int,
        *,
        exponent: float = 0.6,
        pseudo_count: _PseudoCounts = _PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        statistics: Statistics | None = None,
        updates: int = 0,
        dtype: DTypeLike = np.float64,
        threads: int = 1,
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
        pseudo_count, alphabet, seed, init, dtype, threads
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
        updates = as_integer(updates, "updates", 0)
        _pseudo_counts(pseudo_count)
        _check_run(dtype, threads)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")
        model = None
        if alphabet is None and init is not None:
            alphabet = init.alphabet
        for batch in batches:
            items = _passes(batch)
            if model is None:
                try:
                    symbols = as_alphabet(
                        _infer_alphabet(items()) if alphabet is None else alphabet
                    )
                    model = _start(init, n_states, symbols, seed, items)
                except _NoDataError:
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

    def freeze(self, prec: int = 24) -> FrozenHMM:
        """Turn the parameters into integer tables, with which sequences are coded.

        Parameters
        ----------
        prec : int
            Precision r in bits, 1 to 28; K and M are at most ``2**r``.

        Returns
        -------
        FrozenHMM
            Its masses are at least 1, so it can code any sequence of symbols.

        Notes
        -----
        docs/maths.md, section 2. The cost is near ``1.4 (K + M) 2**-r`` bits a
        symbol if most parameters are near 0, and less otherwise.
        """
        return frozen_hmm(
            self.initial,
            self.transition,
            self.emission,
            prec=prec,
            alphabet=self.alphabet,
        )

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the parameters to a .npz file; an existing file is replaced at once.

        An open binary file will do too.

        Notes
        -----
        The arrays are ``format_version``, ``initial``, ``transition``, ``emission``
        and ``alphabet``, little-endian: int64 for integers (none for 0 .. M-1),
        uint32 for characters. The history is not kept.
        """
        values = self._alphabet.values
        symbols = np.zeros(0, dtype="<i8") if values is None else values
        arrays = {
            "format_version": np.array(_FORMAT_VERSION, dtype="<i8"),
            "initial": self._initial.astype("<f8"),
            "transition": self._transition.astype("<f8"),
            "emission": self._emission.astype("<f8"),
            "alphabet": symbols.astype(symbols.dtype.newbyteorder("<")),
        }
        with replacing(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> HMM:
        """Read a model that `save` wrote.

        Raises
        ------
        TruncatedError
            If the file ends too early.
        VersionError
            If a later release wrote it.
        CorruptError
            If it was damaged.
        FormatError
            If it is something else; the text says what.
        OSError
            If it cannot be read.
        """
        with open(path, "rb") as file:
            content = file.read(4)
            if content != b"PK\3\4"[: len(content)]:
                content += file.read(START_BYTES - len(content))
                raise wrong_kind(content, f"a saved {cls.__name__}")
            if os.fstat(file.fileno()).st_size > _MAX_FILE_BYTES:
                raise CorruptError(f"too large for a saved HMM: {path}")
            content += file.read()
        # Writers of .npz files end them with this record of 22 bytes.
        if content[-22:-18] != b"PK\5\6":
            raise TruncatedError(f"the end of the file is missing: {path}")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                version = int(_read_array(archive, "format_version", 0, "<i8"))
                if version != _FORMAT_VERSION:
                    raise VersionError(f"format version {version}: {path}")
                symbols = _read_array(archive, "alphabet", 1, "<i8", "<u4")
                emission = _read_array(archive, "emission", 2, "<f8")
                if symbols.size == 0:
                    alphabet = Alphabet(emission.shape[1])
                elif symbols.dtype.itemsize == 8:
                    alphabet = Alphabet(symbols)
                else:
                    text = symbols.astype("<u4").tobytes()
                    alphabet = Alphabet(text.decode("utf-32-le", "surrogatepass"))
                return cls(
                    _read_array(archive, "initial", 1, "<f8"),
                    _read_array(archive, "transition", 2, "<f8"),
                    emission,
                    alphabet=alphabet,
                )
        except FormatError:
            raise
        except Exception as error:  # zipfile alone raises a dozen types
            raise CorruptError(f"damaged file: {path}: {error}") from error


def states_of(frozen: FrozenHMM) -> HMM:
    """P(z_1), P(z_t+1 | z_t), and P(x_t | z_t) without contexts."""
    unit = 2.0**-frozen.prec
    return HMM(
        frozen.initial * unit,
        frozen.transition * unit,
        frozen.emission * unit,
        alphabet=frozen.alphabet,
    )


class _NoDataError(ModelError):
    """Sequences without a symbol."""


def _start(
    init: HMM | None,
    K: int,
    symbols: Alphabet,
    seed: int | np.random.Generator,
    passes: Callable[[], Iterable[Symbols]],
    topology: Topology | None = None,
) -> HMM:
    """Check the model that training starts from, or draw it.

    States differ by their emissions: the symbols' frequencies, each times an
    exponential variate. Transitions start near uniform.
    """
    if init is not None:
        if init.n_states != K or init.alphabet != symbols:
            raise ModelError(f"init is another kind of model: {init!r}")
        if topology is not None:
            raise ModelError("with init its zeros are the topology: give no other")
        return init._copy()
    M = symbols.size
    frequencies = np.zeros(M)
    for x in _encode(passes(), symbols):
        frequencies += np.bincount(x, minlength=M)
    if not frequencies.any():
        raise _NoDataError(_NO_DATA)
    rng = as_generator(seed)
    initial = rng.dirichlet(np.full(K, 10.0))
    transition = rng.dirichlet(np.full(K, 10.0), K)
    if topology is not None:
        if not hasattr(topology, "transition"):
            raise ModelError(f"topology must be a Topology, not {topology!r}")
        initial = _masked(initial[None], topology.initial, "initial")[0]
        transition = _masked(transition, topology.transition, "transition")
    noise = rng.standard_exponential((K, M))
    emission = noise * (frequencies + 1.0)
    emission /= emission.sum(axis=1, keepdims=True)
    return HMM(initial, transition, emission, alphabet=symbols)


def _masked(p: _Floats, mask: ArrayLike, name: str) -> _Floats:
    array = as_array(mask, f"topology: {name}", ModelError)
    if not np.isin(array, (0, 1)).all():
        raise ModelError(f"topology: {name} must be True or False for each state")
    allowed = np.atleast_2d(array.astype(bool))
    if allowed.shape != p.shape:
        raise ModelError(f"topology: {name} has shape {np.shape(mask)}")
    bare = np.flatnonzero(~allowed.any(axis=1))
    if bare.size:
        raise ModelError(f"topology: {name} row {bare[0]} allows no state")
    kept = np.where(allowed, p, 0.0)
    rows: _Floats = kept / kept.sum(axis=1, keepdims=True)
    return rows


def _normalised(counts: _Floats, previous: _Floats) -> _Floats:
    total = counts.sum(axis=-1, keepdims=True)
    alive = total > 1e-290  # below, the quotient would lose digits
    return np.where(alive, counts / np.where(alive, total, 1.0), previous)


def _statistics(found: em.Expectation, alphabet: Alphabet, model: str) -> Statistics:
    if found.fault is not None:
        raise _impossible(found.fault, alphabet, model)
    assert found.counts is not None
    return Statistics(*found.counts, found.bits, found.n_symbols, found.n_sequences)


def _impossible(fault: em.Fault, alphabet: Alphabet, model: str) -> SymbolError:
    return SymbolError(
        f"symbol {alphabet.name(fault.symbol)} at position {fault.position} of "
        f"sequence {fault.sequence} is impossible under {model}"
    )


def _check_run(dtype: DTypeLike, threads: int) -> None:
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ModelError(f"dtype must be float32 or float64, not {dtype!r}")
    as_integer(threads, "threads", 1)


def _log2_prior(parameters: _Parameters, pseudo_counts: tuple[float, ...]) -> float:
    """Of initial states and transitions, those alone that the model has."""
    initial, transition, emission = parameters
    kept = (initial[initial > 0], transition[transition > 0], emission)
    with np.errstate(divide="ignore"):
        return sum(
            c * float(np.log2(p).sum())
            for p, c in zip(kept, pseudo_counts, strict=True)
            if c > 0
        )


def _pseudo_counts(value: float | tuple[float, float, float]) -> tuple[float, ...]:
    counts = as_reals(value, "pseudo_count")
    if counts.shape not in ((), (3,)):
        raise ModelError(f"pseudo_count must be one number or three, not {value}")
    counts = np.broadcast_to(counts, 3)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ModelError(f"pseudo_count must be finite and >= 0, not {value}")
    return tuple(counts.tolist())


def _sequences(sequences: Any) -> Iterable[Symbols]:
    """Return an iterable of sequences, which may have been given as one alone."""
    _check_axes(sequences)
    if isinstance(sequences, (str, *_BYTES, np.ndarray)):
        return [sequences]
    if isinstance(sequences, (list, tuple)):
        if sequences and isinstance(sequences[0], (int, np.integer)):
            return [sequences]  # a list of integers is one sequence
        return sequences
    try:
        iterator = iter(sequences)
    except TypeError:
        raise ModelError(
            f"sequences must be data or a list of such, not {type(sequences).__name__}"
        ) from None
    head = next(iterator, None)
    if head is None:
        return []
    if isinstance(head, (int, np.integer)):
        return [[head, *iterator]]
    return itertools.chain([head], iterator)


def _passes(sequences: Any) -> Callable[[], Iterable[Symbols]]:
    """Return a function that gives the sequences at each call."""
    if callable(sequences):
        return lambda: _sequences(sequences())
    items = _sequences(sequences)
    held = items if isinstance(items, (list, tuple)) else list(items)
    return lambda: held


def _infer_alphabet(items: Iterable[Symbols]) -> Alphabet:
    mixed = "sequences must be all text, all bytes or all integers"
    characters: set[str] = set()
    M, kinds = 1, set()
    for n, item in enumerate(items):
        if isinstance(item, str):
            kinds.add("text")
            characters.update(item)
            continue
        _check_axes(item)
        array = as_integers(item)
        if isinstance(item, _BYTES):
            kinds.add("bytes")
        elif array.dtype != np.uint8:
            kinds.add("integers")
        if array.size:
            M = max(M, int(array.max()) + 1)
            if int(array.min()) < 0:
                at = int((array < 0).argmax())
                raise SymbolError(
                    f"sequence {n}: symbol {array[at]} at position {at} is negative: "
                    "give the values that occur as `alphabet`"
                )
        if len(kinds) > 1:
            break
    if len(kinds) > 1:
        raise ModelError(mixed)
    if kinds == {"text"}:
        if not characters:
            raise _NoDataError(_NO_DATA)
        return Alphabet("".join(sorted(characters)))
    if kinds == {"bytes"}:
        return Alphabet(256)
    if M > MAX_SYMBOLS:
        raise ModelError(
            f"symbol {M - 1} is above {MAX_SYMBOLS - 1}: give the values that occur "
            "as `alphabet`"
        )
    return Alphabet(M)


def _check_axes(item: Any) -> None:
    """Refuse an array that could be several sequences as well as one."""
    if getattr(item, "ndim", 1) > 1:
        raise SymbolError(
            f"a sequence has one axis, not shape {item.shape}: pass list(x) if each "
            "row is a sequence, x.ravel() if all are one; LGSSM codes rows of channels"
        )


def _encode(
    items: Iterable[Symbols], alphabet: Alphabet
) -> Iterator[NDArray[np.int32]]:
    for n, item in enumerate(items):
        try:
            _check_axes(item)
            yield alphabet.encode(item)
        except SymbolError as error:
            if isinstance(items, (list, tuple)) and len(items) == 1:
                raise
            raise SymbolError(f"sequence {n}: {error}") from None


def _check_size(K: int, M: int) -> None:
    if not (1 <= K <= MAX_STATES and 1 <= M <= MAX_SYMBOLS):
        raise ModelError(
            f"a model has 1 to {MAX_STATES} states and 1 to {MAX_SYMBOLS} symbols, "
            f"not {K} and {M}"
        )


def _distributions(values: ArrayLike, name: str, ndim: int) -> _Floats:
    """Return a read-only copy with rows that sum to 1, or say which does not."""
    array = as_reals(values, name).copy()
    if array.ndim != ndim or array.size == 0:
        raise ModelError(f"{name} must have {ndim} axes, not shape {array.shape}")
    rows = array.reshape(-1, array.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        total = rows.sum(axis=1)
    # A comparison with NaN is false, so this refuses it too.
    good = (rows >= 0).all(axis=1) & (np.abs(total - 1) <= 1e-6)
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        where = name if ndim == 1 else f"{name} row {k}"
        raise ModelError(
            f"{where} must be finite, >= 0 and sum to 1; its least value is "
            f"{rows[k].min()}, its sum {total[k]}"
        )
    # Rows that are right stay as they are, to the last bit.
    off = np.abs(total - 1) > 1e-12
    rows[off] /= total[off, np.newaxis]
    array.setflags(write=False)
    return array


def _cumulative(p: _Floats) -> _Floats:
    edges = np.cumsum(p, axis=-1)
    quotient: _Floats = edges / edges[..., -1:]  # ends in exactly 1
    return quotient


def _progress_bar(total: int, progress: bool | None) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc="training",
        unit="iteration",
        leave=False,
        delay=1.0 if progress is None else 0.0,
        disable=None if progress is None else not progress,  # None: on terminals
    )


def _read_array(
    archive: zipfile.ZipFile, name: str, ndim: int, *dtypes: str
) -> NDArray[Any]:
    """Read an array whose size is that of its bytes, whatever its header says."""
    if archive.getinfo(f"{name}.npy").compress_type != zipfile.ZIP_STORED:
        raise CorruptError(f"{name} is compressed")  # could inflate without end
    file = io.BytesIO(archive.read(f"{name}.npy"))  # checks the CRC
    if np.lib.format.read_magic(file) != (1, 0):
        raise CorruptError(f"{name} is not in .npy format 1.0")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.str not in dtypes or fortran_order or len(shape) != ndim:
        raise CorruptError(f"{name} has the wrong type or shape")
    array = np.frombuffer(file.read(), dtype=dtype)
    return array.reshape(shape).astype(dtype.newbyteorder("="))
