"""What hidden states did: the likeliest path, their posterior, and scores of models.

docs/maths.md, "The likeliest states, and each state's posterior".
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array
from bbans.errors import ModelError, SymbolError
from bbans.models import _forward, em
from bbans.models._parameters import Floats, logs
from bbans.models.base import FloatModel

__all__ = ["Lookup", "Rows", "StateModel", "free_parameters"]

#: Gives ln P(x_t | z_t = k) of the steps from one number to below another.
Rows: TypeAlias = Callable[[int, int], Floats]

_PIECE = 1 << 16  # numbers of rows that are looked at together
_BLOCK = 1 << 24  # states before that are kept: 32 MiB

# docs/maths.md: what these leave out of a posterior is below 1e-28.
_LOWEST = 1e-100  # P(x_t | x_1 .. x_t-1) / max_k P(x_t | z_t = k)
_HIGHEST = 1e180  # P(rest | z_t = k) / P(rest | x_1 .. x_t)


class StateModel(FloatModel):
    """A model with one of K hidden states at each step, which follow a Markov chain."""

    __slots__ = ()

    # ---- what each kind says of itself

    @property
    @abstractmethod
    def n_states(self) -> int:
        """K."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Numbers that training is free to choose, as `aic` and `bic` count them.

        Initial states and transitions of probability 0 stay so, and are none.
        """

    @property
    @abstractmethod
    def _chain(self) -> tuple[Floats, Floats]:
        """P(z_1), shape (K,), and P(z_t+1 | z_t), shape (K, K)."""

    @abstractmethod
    def _observed(self, x: Any) -> NDArray[Any]:
        """What is observed, checked; the first axis counts the steps."""

    @abstractmethod
    def _log_emissions(
        self, observed: NDArray[Any], lengths: NDArray[np.int64]
    ) -> Rows:
        """What gives ln P(x_t | z_t = k) of steps, shape (steps, K), float64.

        The sequences, none of them empty, lie end to end. Any steps may be asked for,
        several times, whichever sequences they are of.
        """

    @abstractmethod
    def _named(self, observed: NDArray[Any], t: int) -> str:
        """What is observed at a step, as error messages say it."""

    # ---- what they all can say

    def viterbi(self, x: Any) -> tuple[float, NDArray[np.int64]]:
        """Find the likeliest states of a sequence, all together.

        Parameters
        ----------
        x : object
            One sequence, as for `information_content`. An array of shape (T, 1) is T
            observations of one feature.

        Returns
        -------
        bits : float
            ``-ln P(x, states)``, 0 of an empty sequence. Less
            `information_content`, it is ``-ln P(states | x)``.
        states : ndarray of int64, shape (T,)
            The lowest states where paths are equally likely, from the end on.

        Raises
        ------
        SymbolError
            If the model cannot code x, or excludes it (the text names the position), or
            if x has more features than the model.

        References
        ----------
        Viterbi (1967); Rabiner, A tutorial on hidden Markov models (1989), section
        III.B.
        """
        return _viterbi(self._laid(self._observed(x)), *self._chain)

    def predict(self, x: Any, lengths: ArrayLike | None = None) -> NDArray[np.int64]:
        """Find the likeliest states of sequences, each by itself, as `viterbi` does.

        Parameters
        ----------
        x : object
            As for `viterbi`; of several sequences, all of them end to end.
        lengths : array_like of int, optional
            Steps of each sequence; they add up to those of x.

        Returns
        -------
        states : ndarray of int64, shape (T,)
            Of the sequences, end to end.

        Raises
        ------
        SymbolError
            As for `viterbi`.
        ModelError
            If `lengths` are not such.
        """
        data = self._laid(self._observed(x), lengths)
        return _viterbi(data, *self._chain)[1]

    def posterior(self, x: Any, lengths: ArrayLike | None = None) -> Floats:
        """Compute the chance of each state at each step, given the whole sequence.

        Parameters
        ----------
        x, lengths
            As for `predict`.

        Returns
        -------
        posterior : ndarray of float64, shape (T, K)
            ``P(z_t = k | x_1 .. x_T)``; rows sum to 1.

        Raises
        ------
        SymbolError, ModelError
            As for `predict`.

        Notes
        -----
        Messages are scaled to sum to 1. Where something that falls out of the range of
        floats could matter, all is done anew with logarithms, which takes some 50 times
        as long.

        References
        ----------
        Rabiner (1989), section III.A, and V.A for the scaling.
        """
        data = self._laid(self._observed(x), lengths)
        found = _Scaled(data, *self._chain).posterior()
        return _Logarithms(data, *self._chain).posterior() if found is None else found

    def score(self, x: Any, lengths: ArrayLike | None = None) -> float:
        """Compute ln P(x), the sum of the sequences', in nats.

        Parameters
        ----------
        x, lengths
            As for `predict`.

        Returns
        -------
        score : float
            0 without any data, -inf if the model excludes a sequence.

        Raises
        ------
        SymbolError, ModelError
            As for `predict`, but that a sequence may be one that the model excludes.
        """
        return self._score(self._laid(self._observed(x), lengths))

    def _score(self, data: Sequences) -> float:
        """ln P of sequences, -inf if one is impossible."""
        found = _Scaled(data, *self._chain).log_likelihood()
        if found is None:
            return _Logarithms(data, *self._chain).log_likelihood()
        return found

    def _log_likelihood(self, observed: NDArray[Any]) -> float:
        """ln P(x) of one sequence, by logarithms from the first step on."""
        return _Logarithms(self._laid(observed), *self._chain).log_likelihood()

    def aic(self, x: Any, lengths: ArrayLike | None = None) -> float:
        """Compute Akaike's information criterion, ``-2 score + 2 n_parameters``.

        Parameters
        ----------
        x, lengths
            As for `score`.

        Returns
        -------
        aic : float
            The lower the better.

        References
        ----------
        Akaike, A new look at the statistical model identification (1974).
        """
        return -2 * self.score(x, lengths) + 2 * self.n_parameters

    def bic(self, x: Any, lengths: ArrayLike | None = None) -> float:
        """Compute the Bayesian information criterion,
        ``-2 score + n_parameters ln T``.

        Parameters
        ----------
        x, lengths
            As for `score`; T counts the steps of all sequences.

        Returns
        -------
        bic : float
            The lower the better.

        Raises
        ------
        ModelError
            If there is no data.

        References
        ----------
        Schwarz, Estimating the dimension of a model (1978). hmmlearn's `bic` is the
        same, but that it counts parameters that a topology excludes.
        """
        T = len(self._observed(x))
        if T == 0:
            raise ModelError("the criterion of no data is undefined: x is empty")
        return -2 * self.score(x, lengths) + self.n_parameters * math.log(T)

    @property
    def stationary(self) -> Floats:
        """The distribution of states that a step does not change, shape (K,): what they
        come to in long sequences.

        If there are several, it is the one with the least sum of squares.
        """
        _, A = self._chain
        K = len(A)
        # pi (A - I) = 0 and sum pi = 1: of several solutions lstsq gives the least.
        left = np.vstack([A.T - np.eye(K), np.ones(K)])
        right = np.zeros(K + 1)
        right[K] = 1.0
        found: Floats = np.maximum(np.linalg.lstsq(left, right, rcond=None)[0], 0.0)
        found /= found.sum()
        return found

    def _laid(
        self, observed: NDArray[Any], lengths: ArrayLike | None = None
    ) -> Sequences:
        """Sequences as the recursions read them."""
        T = len(observed)
        sizes = np.array([T]) if lengths is None else _as_lengths(lengths, T)
        rows = self._log_emissions(observed, sizes[sizes > 0])
        ends = np.cumsum(sizes)
        begins = np.zeros(T + 1, np.uint8)
        begins[ends] = 1
        begins[0] = 1

        def refuse(t: int) -> SymbolError:
            number = int(np.searchsorted(ends, t, side="right"))
            of = "" if lengths is None else f" of sequence {number}"
            return SymbolError(
                f"{self._named(observed, t)} at position "
                f"{t - (ends - sizes)[number]}{of} is impossible under this model"
            )

        return Sequences(rows, begins, refuse)


@dataclass(frozen=True)
class Lookup:
    """Rows of which many are equal."""

    table: Floats  # the different ones
    which: NDArray[np.int32]  # of a step

    def __call__(self, start: int, stop: int) -> Floats:
        return self.table[self.which[start:stop]]


class Sequences(NamedTuple):
    """Sequences, none of them empty, end to end."""

    rows: Rows
    begins: NDArray[np.uint8]  # where one begins, and where the last one ends
    refuse: Callable[[int], SymbolError]  # the error for a step that is impossible

    @property
    def n_steps(self) -> int:
        """Of all."""
        return self.begins.size - 1


def free_parameters(initial: Floats, transition: Floats) -> int:
    """Numbers of a Markov chain that are free: one less than there are in each row."""
    K = initial.size
    return int(np.count_nonzero(initial) - 1 + np.count_nonzero(transition) - K)


class _Scaled:
    """Messages that are scaled to sum to 1, in floats."""

    def __init__(self, data: Sequences, initial: Floats, transition: Floats) -> None:
        self.data = data
        self.K = initial.size
        self.S = _forward.columns(self.K, 8)
        self.initial = em.padded(initial, self.S)
        self.A = em.packed(transition, self.S)
        self.A_transposed = em.packed(transition.T, self.S)
        if isinstance(data.rows, Lookup):
            self.table = self.relative(data.rows.table)

    def relative(self, rows: Floats) -> tuple[Floats, Floats]:
        """P(x_t | z_t = k) relative to the greatest, and the logarithm of that."""
        top = rows.max(axis=1)
        top[top == -math.inf] = 0.0
        return em.padded(np.exp(rows - top[:, None]), self.S), top

    def emissions(self, start: int, stop: int) -> tuple[Floats, Floats]:
        """As `relative` gives them, of steps."""
        rows = self.data.rows
        if not isinstance(rows, Lookup):
            return self.relative(rows(start, stop))
        index = rows.which[start:stop]
        E, top = self.table
        return np.take(E, index, axis=0), np.take(top, index)

    def filtered(self) -> Iterator[tuple[int, int, Floats, Floats, Floats]]:
        """P(z_t | x_1 .. x_t) of pieces with their scales; ends before the first piece
        with a scale that is too low."""
        before = np.zeros(self.S)
        for start, stop in _pieces(self.data.n_steps, self.K):
            E, top = self.emissions(start, stop)
            alpha = np.empty((stop - start + 1, self.S))
            alpha[0] = before
            scale = np.empty(stop - start)
            bad = _forward.filter_rows(
                E, self.data.begins[start : stop + 1], self.K, self.initial, self.A,
                _LOWEST, alpha, scale,
            )  # fmt: skip
            if bad >= 0:
                return
            before = alpha[-1]
            yield start, stop, alpha[1:], scale, top

    def log_likelihood(self) -> float | None:
        """None if it is out of reach."""
        total, done = 0.0, 0
        for _, stop, _, scale, top in self.filtered():
            total += float(np.log(scale).sum() + top.sum())
            done = stop
        return total if done == self.data.n_steps else None

    def posterior(self) -> Floats | None:
        """None if it is out of reach."""
        out, scales = np.empty((self.data.n_steps, self.K)), np.empty(self.data.n_steps)
        done = 0
        for start, stop, alpha, scale, _ in self.filtered():
            out[start:stop], scales[start:stop] = alpha[:, : self.K], scale
            done = stop
        if done < self.data.n_steps:
            return None
        carry = np.zeros((2, self.S))
        for start, stop in reversed(_pieces(self.data.n_steps, self.K)):
            gamma = np.zeros((stop - start, self.S))
            bad = _forward.smooth_rows(
                self.emissions(start, stop)[0], self.data.begins[start : stop + 1],
                self.K, self.A_transposed, em.padded(out[start:stop], self.S),
                scales[start:stop], _HIGHEST, carry, gamma,
            )  # fmt: skip
            if bad >= 0:
                return None
            out[start:stop] = gamma[:, : self.K]
        return out


class _Logarithms:
    """Messages of any range."""

    def __init__(self, data: Sequences, initial: Floats, transition: Floats) -> None:
        self.data = data
        self.K = initial.size
        self.initial, self.A = logs(initial), logs(transition)

    def filtered(self) -> Iterator[tuple[int, int, Floats, float]]:
        """ln P(z_t | x_1 .. x_t) of pieces, and ln P of these.

        Raises
        ------
        SymbolError
            If it is 0.
        """
        before = np.zeros(self.K)
        A_transposed = np.ascontiguousarray(self.A.T)
        for start, stop in _pieces(self.data.n_steps, self.K):
            alpha = np.empty((stop - start + 1, self.K))
            alpha[0] = before
            found, bad = _forward.filter_logs(
                self.data.rows(start, stop), self.data.begins[start : stop + 1],
                self.initial, A_transposed, alpha,
            )  # fmt: skip
            if bad >= 0:
                raise self.data.refuse(start + bad)
            before = alpha[-1]
            yield start, stop, alpha[1:], found

    def log_likelihood(self) -> float:
        """-inf if the sequences are impossible."""
        try:
            return sum(total for *_, total in self.filtered())
        except SymbolError:
            return -math.inf

    def posterior(self) -> Floats:
        out = np.empty((self.data.n_steps, self.K))
        for start, stop, alpha, _ in self.filtered():
            out[start:stop] = alpha
        carry = np.zeros((2, self.K))
        for start, stop in reversed(_pieces(self.data.n_steps, self.K)):
            _forward.smooth_logs(
                self.data.rows(start, stop), self.data.begins[start : stop + 1], self.A,
                carry, out[start:stop],
            )  # fmt: skip
        return np.exp(out, out=out)


def _viterbi(
    data: Sequences, initial: Floats, transition: Floats
) -> tuple[float, NDArray[np.int64]]:
    """-ln P(x, states), and the states.

    Only the states before of a block are kept at a time. Of other blocks the path's
    recursion runs twice.
    """
    K = initial.size
    S = _forward.columns(K, 8)
    log_initial = logs(initial)
    log_A = em.packed(logs(transition), S, fill=-math.inf)
    delta = np.zeros((2, S))
    blocks = list(_cut(data.n_steps, max(_BLOCK // K, 1)))
    back = np.empty((blocks[0][1] if blocks else 0, K), np.uint16)

    def forward(begin: int, end: int) -> float:
        total = 0.0
        for start, stop in _cut(end - begin, max(_PIECE // K, 1)):
            total += _forward.viterbi(
                data.rows(begin + start, begin + stop),
                data.begins[begin + start : begin + stop + 1],
                log_initial, log_A, delta, back[start:stop],
            )  # fmt: skip
        return total

    total, kept = 0.0, []
    for begin, end in blocks:
        kept.append(delta.copy())
        total += forward(begin, end)
    total += float(delta[0, :K].max())
    if total == -math.inf:
        for _ in _Logarithms(data, initial, transition).filtered():
            pass  # until the step that is impossible
    states = np.empty(data.n_steps, np.int64)
    last = int(delta[0, :K].argmax())
    for (begin, end), before in zip(reversed(blocks), reversed(kept), strict=True):
        if end < data.n_steps:
            delta[:] = before
            forward(begin, end)
        last = _forward.trace(back[: end - begin], last, states[begin:end])
    return 0.0 - total / math.log(2), states


def _pieces(T: int, K: int) -> list[tuple[int, int]]:
    return list(_cut(T, max(_PIECE // K, 1)))


def _cut(T: int, steps: int) -> Iterator[tuple[int, int]]:
    """From where to where the pieces of T steps are."""
    return ((start, min(start + steps, T)) for start in range(0, T, steps))


def _as_lengths(lengths: ArrayLike, T: int) -> NDArray[np.int64]:
    array = as_array(lengths, "lengths", ModelError)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ModelError(f"lengths must be integers, not of dtype {array.dtype}")
    if array.ndim != 1 or (array < 0).any():
        raise ModelError("lengths must be integers of 0 or more, one a sequence")
    sizes: NDArray[np.int64] = array.astype(np.int64)
    if int(sizes.sum()) != T:
        raise ModelError(
            f"lengths add up to {int(sizes.sum())}, and x has {T} steps: give the "
            "length of every sequence"
        )
    return sizes
