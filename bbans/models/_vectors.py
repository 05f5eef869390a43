"""Vectors under Gaussians: data, densities, moments, and clusters to start from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_reals
from bbans._threads import in_order
from bbans.distributions.fixed_gaussian import ROUNDING, ldl
from bbans.errors import ModelError, SymbolError
from bbans.models import em
from bbans.models._parameters import Floats

__all__ = [
    "COVARIANCES",
    "Covariance",
    "Data",
    "VectorStatistics",
]

Covariance: TypeAlias = Literal["full", "diag", "spherical", "tied"]
COVARIANCES: tuple[Covariance, ...] = ("full", "diag", "spherical", "tied")

Moments: TypeAlias = tuple[Floats, Floats, Floats]  # weight, first, second

_PIECE = 1 << 14  # rows at a time
_LEAST = -650.0  # nats below the likeliest state: there a state is as good as none
_SAMPLED = 1 << 15  # rows that the start looks at
_LLOYD = 25  # steps of k-means, at most
_WINDOW = 16  # rows whose energy says how much is going on
_BITS = 1 / math.log(2)
_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True, eq=False)
class VectorStatistics:
    """Expected counts and moments of data under a model: what an update needs to know.

    They add up: ``a + b`` is what the data of both would give.

    Parameters
    ----------
    initial : ndarray of float64, shape (K,)
        Expected number of sequences that begin in each state.
    transition : ndarray of float64, shape (K, K)
        Expected number of transitions from the row's state to the column's.
    weight : ndarray of float64, shape (K,)
        Expected number of vectors of each state.
    first : ndarray of float64, shape (K, D)
        Sums of vectors less `centre`, times the chance of the state.
    second : ndarray of float64, shape (K, D, D)
        The same of their outer products.
    centre : ndarray of float64, shape (D,)
        What vectors are counted from, so that sums lose no digits.
    information_content : float
        ``-log2`` of the density of the data under the model that counted.
    n_vectors, n_sequences : int
        Of the data. Empty sequences do not count.
    """

    initial: Floats
    transition: Floats
    weight: Floats
    first: Floats
    second: Floats
    centre: Floats
    information_content: float
    n_vectors: int
    n_sequences: int

    def __repr__(self) -> str:
        K, D = self.first.shape
        return (
            f"<VectorStatistics: {K} states, {D} channels; {self.n_sequences} "
            f"sequences, {self.n_vectors} vectors in all>"
        )

    @property
    def n_symbols(self) -> int:
        """What rates are divided by: `n_vectors`."""
        return self.n_vectors

    def __add__(self, other: object) -> VectorStatistics:
        """Merge with the statistics of other data, under the same model."""
        if not isinstance(other, VectorStatistics):
            return NotImplemented
        if self.first.shape != other.first.shape:
            raise ModelError(
                f"statistics of shapes {self.first.shape} and {other.first.shape} do "
                "not add up"
            )
        theirs = other.centred(self.centre)
        return VectorStatistics(
            self.initial + theirs.initial,
            self.transition + theirs.transition,
            self.weight + theirs.weight,
            self.first + theirs.first,
            self.second + theirs.second,
            self.centre,
            self.information_content + theirs.information_content,
            self.n_vectors + theirs.n_vectors,
            self.n_sequences + theirs.n_sequences,
        )

    def __radd__(self, other: object) -> VectorStatistics:
        """Let `sum` begin with its 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def centred(self, centre: Floats) -> VectorStatistics:
        """The same, with vectors counted from elsewhere.

        Raises
        ------
        ModelError
            If `centre` is none of real numbers, one for each channel.
        """
        centre = as_reals(centre, "centre")
        if centre.shape != self.centre.shape:
            raise ModelError(
                f"centre must have shape {self.centre.shape}, not {centre.shape}"
            )
        by = self.centre - centre
        if not by.any():
            return self
        moved = self.first[:, :, None] * by
        second = self.second + moved + moved.transpose(0, 2, 1)
        second += self.weight[:, None, None] * np.outer(by, by)
        return VectorStatistics(
            self.initial, self.transition, self.weight,
            self.first + self.weight[:, None] * by, second, centre,
            self.information_content, self.n_vectors, self.n_sequences,
        )  # fmt: skip


class VectorModel(Protocol):
    """What counts need of a `MultivariateGaussianHMM`, which see."""

    @property
    def initial(self) -> Floats: ...
    @property
    def transition(self) -> Floats: ...
    @property
    def means(self) -> Floats: ...
    @property
    def factors(self) -> Floats: ...
    @property
    def covariance_type(self) -> Covariance: ...


class Data(NamedTuple):
    """Sequences end to end, cut into batches that are run together."""

    rows: Floats  # less `centre`
    centre: Floats
    lengths: list[int]
    batches: list[em.Batch]  # of numbers of rows


# ---- data


def vectors(x: Any, n_channels: int | None) -> Floats:
    """One sequence as floats, shape (T, D)."""
    array = as_array(x, "observations")
    if array.dtype.kind not in "iufb":
        raise SymbolError(f"observations must be numbers, not of {array.dtype}")
    shape = array.shape
    if array.size == 0 and array.ndim < 2:
        array = np.zeros((0, n_channels or 1))
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != (n_channels or array.shape[1] or 1):
        wanted = "D" if n_channels is None else n_channels
        raise SymbolError(f"observations of shape {shape} are not (T, {wanted})")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        t, d = np.argwhere(~np.isfinite(values))[0].tolist()
        raise SymbolError(
            f"observation {values[t, d]} at position {t}, channel {d} is not finite: "
            "leave such rows out, or fill them in"
        )
    return values


def sequences_of(sequences: Any, n_channels: int | None) -> list[Floats]:
    """Training data, of one width; an error names the sequence."""
    if isinstance(sequences, str | bytes | bytearray):
        raise SymbolError(
            f"vectors are numbers, not {type(sequences).__name__}: HMM has symbols"
        )
    items = [sequences]
    if not hasattr(sequences, "ndim"):
        # Numbers, rows of them, or sequences of rows.
        items = list(sequences)
        one = items[0] if items else 0
        if not hasattr(one, "ndim") and np.ndim(one) < 2:
            items = [items]
    elif sequences.ndim > 2:
        raise SymbolError(
            f"a sequence has shape (T, D), not {sequences.shape}: pass list(x) if each "
            "is a sequence of its own"
        )
    found: list[Floats] = []
    for n, item in enumerate(items):
        try:
            found.append(vectors(item, n_channels))
        except SymbolError as error:
            raise SymbolError(f"sequence {n}: {error}") from None
        n_channels = found[0].shape[1] if len(found[-1]) else n_channels
    return found


def laid(sequences: list[Floats], centre: Floats | None = None) -> Data:
    sequences = [x for x in sequences if len(x)] or sequences[:1]
    rows = np.concatenate(sequences)
    if centre is None:
        centre = rows.mean(axis=0)
    ends = np.cumsum([len(x) for x in sequences])
    numbers = (
        np.arange(end - len(x), end, dtype=np.int32)
        for x, end in zip(sequences, ends.tolist(), strict=True)
    )
    lengths = [len(x) for x in sequences]
    return Data(rows - centre, centre, lengths, list(em.batches(numbers, 1)))


# ---- densities and moments


def log_densities(rows: Floats, means: Floats, factors: Floats) -> Floats:
    """ln of Gaussian densities, shape (T, K)."""
    K, D = means.shape
    found = np.empty((len(rows), K))
    for k in range(K):
        inverse = np.linalg.inv(factors[k]).T
        constant = D / 2 * math.log(2 * math.pi) + np.log(np.diag(factors[k])).sum()
        for start in range(0, len(rows), _PIECE):
            white = (rows[start : start + _PIECE] - means[k]) @ inverse
            found[start : start + _PIECE, k] = np.einsum("td,td->t", white, white)
        found[:, k] *= -0.5
        found[:, k] -= constant
    return found


def log_masses(rows: Floats, means: Floats, covariances: Floats) -> Floats:
    """ln of the masses of integers, each element given those before; shape (T, K)."""
    found = np.empty((len(rows), len(means)))
    for k, (mean, cov) in enumerate(zip(means, covariances, strict=True)):
        lower, variances = ldl(cov)
        sigma = np.sqrt(np.maximum(variances - ROUNDING, 2.0**-12))
        for start in range(0, len(rows), _PIECE):
            part = rows[start : start + _PIECE] - mean
            white = np.linalg.solve(lower, part.T).T
            found[start : start + _PIECE, k] = log_cells(white, sigma)
    return found


def log_cells(u: Floats, sigma: Floats) -> Floats:
    """Sum over the last axis of ln of Gaussian masses of (u - 1/2, u + 1/2)."""
    a, unit = np.abs(u), 1.0 / (sigma * math.sqrt(2.0))
    near, far = (a - 0.5) * unit, (a + 0.5) * unit
    mass = 0.5 * np.asarray(_erfc(near) - _erfc(far), np.float64)
    # Beyond 38 deviations: the density's logarithm, of the near edge.
    remote = -(near**2) - np.log(np.maximum(a, 0.5) / sigma)
    with np.errstate(divide="ignore"):
        logs: Floats = np.where(mass > 0.0, np.log(mass), remote).sum(axis=-1)
    return logs


def statistics_of(
    data: Data, model: VectorModel, threads: int | None
) -> VectorStatistics:
    """Expected counts and moments, batch by batch."""
    K, D = model.means.shape
    initial, transition, weight = np.zeros(K), np.zeros((K, K)), np.zeros(K)
    first, second = np.zeros((K, D)), np.zeros((K, D, D))
    bits, n_sequences = 0.0, 0
    count = partial(_count, data=data, model=model)
    for found, sums in in_order(count, data.batches, threads):
        if found.fault is not None or found.counts is None:
            raise SymbolError(
                "a sequence is impossible under init: give it transitions above 0"
            )
        bits += found.bits
        n_sequences += found.n_sequences
        initial += found.counts[0]
        transition += found.counts[1]
        weight += sums[0]
        first += sums[1]
        second += sums[2]
    return VectorStatistics(
        initial, transition, weight, first, second, data.centre, bits,
        len(data.rows), n_sequences,
    )  # fmt: skip


def _count(
    batch: em.Batch, data: Data, model: VectorModel
) -> tuple[em.Expectation, Moments]:
    """Of a batch: counts of states, and moments."""
    rows = data.rows[batch.x]
    logs = log_densities(rows, model.means - data.centre, model.factors)
    top = logs.max(axis=1)
    likelihood = np.exp(np.maximum(logs - top[:, None], _LEAST)).T
    found = em.expect(
        [batch._replace(x=np.arange(len(rows), dtype=np.int32))],
        (model.initial, model.transition, likelihood),
        threads=1,
    )
    gamma = likelihood if found.counts is None else found.counts[2]
    found = found._replace(bits=found.bits - float(top.sum()) * _BITS)
    return found, moments(gamma, rows, model.covariance_type)


def moments(gamma: Floats, rows: Floats, kind: Covariance) -> Moments:
    """Sums of 1, rows and their products, times chances of states (K, T)."""
    K, D = len(gamma), rows.shape[1]
    second = np.zeros((K, D, D))
    if kind in ("diag", "spherical"):
        second[:, range(D), range(D)] = gamma @ rows**2
    else:
        for k in range(K):
            second[k] = (gamma[k, :, None] * rows).T @ rows
    return gamma.sum(axis=1), gamma @ rows, second


def shaped(spread: Floats, weight: Floats, kind: Covariance) -> Floats:
    """Covariances of a type, of those that the states have by themselves."""
    D = spread.shape[1]
    if kind == "tied":
        total = max(float(weight.sum()), 1e-9)
        pooled = np.einsum("k,kij->ij", weight / total, spread)
        spread = np.broadcast_to(pooled, spread.shape)
    elif kind != "full":
        variances = np.diagonal(spread, axis1=1, axis2=2)
        if kind == "spherical":
            variances = variances.mean(axis=1, keepdims=True)
        spread = np.broadcast_to(variances, spread.shape[:2])[:, :, None] * np.eye(D)
    symmetric: Floats = (spread + spread.transpose(0, 2, 1)) / 2
    return symmetric


def raised(covariances: Floats, least: float) -> Floats:
    """Covariances without a direction of less variance, or of 10^-11 of the greatest:
    no factor of these would be exact."""
    raised = covariances.copy()
    for k, cov in enumerate(covariances):
        diagonal = np.diag(np.diag(cov))
        if np.array_equal(cov, diagonal):
            sizes = np.diag(cov)
            floor = max(least, 1e-11 * float(sizes.max()))
            raised[k] = np.diag(np.maximum(sizes, floor))
            continue
        sizes, axes = np.linalg.eigh(cov)
        floor = max(least, 1e-11 * float(sizes[-1]))
        if sizes[0] < floor:
            higher = (axes * np.maximum(sizes, floor)) @ axes.T
            raised[k] = (higher + higher.T) / 2
    return raised


# ---- where to start


def part_of(data: Data) -> Data:
    """Pieces of the sequences, of so many rows in all."""
    ends = np.cumsum(data.lengths).tolist()
    share = min(1.0, _SAMPLED / max(len(data.rows), 1))
    if share == 1.0:
        return data
    pieces = []
    for n, end in zip(data.lengths, ends, strict=True):
        count = max(1, n // (1 << 12))
        size = max(1, round(share * n / count))
        pieces += [data.rows[end - n + i * n // count :][:size] for i in range(count)]
    kept = pieces[:: max(1, len(pieces) * len(pieces[0]) // _SAMPLED)]
    part = laid(kept, np.zeros_like(data.centre))
    return part._replace(centre=data.centre)


def features(data: Data) -> Iterator[Floats]:
    """What to cluster: the vectors, and how much they move about."""
    rows = data.rows
    scale = rows.std(axis=0)
    scale[scale == 0.0] = 1.0
    yield rows / scale
    if len(rows) < 4 * _WINDOW:
        return
    energy = (np.diff(rows, axis=0, prepend=rows[:1]) / scale) ** 2
    sums = np.cumsum(np.concatenate([np.zeros((1, rows.shape[1])), energy]), axis=0)
    at = np.arange(len(rows))
    low, high = (np.clip(at + d, 0, len(rows)) for d in (-_WINDOW // 2, _WINDOW // 2))
    mean = (sums[high] - sums[low]) / (high - low)[:, None]
    yield np.log(np.maximum(mean, 1e-6))


def clusters(x: Floats, K: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cluster of each row, by k-means from a start of k-means++."""
    centres = x[rng.integers(len(x))][None]
    nearest = ((x - centres[0]) ** 2).sum(axis=1)
    for _ in range(K - 1):
        edges = np.cumsum(nearest)
        drawn = rng.random(2 + int(math.log(K))) * edges[-1]
        tried = x[np.minimum(np.searchsorted(edges, drawn, "right"), len(x) - 1)]
        distances = [np.minimum(nearest, ((x - c) ** 2).sum(axis=1)) for c in tried]
        k = int(np.argmin([d.sum() for d in distances]))
        centres, nearest = np.vstack([centres, tried[k]]), distances[k]
    labels = np.full(len(x), -1)
    for _ in range(_LLOYD):
        squares = (centres**2).sum(axis=1) - 2 * x @ centres.T
        before, labels = labels, squares.argmin(axis=1)
        if np.array_equal(before, labels):
            break
        sizes = np.bincount(labels, minlength=K)
        for d in range(x.shape[1]):
            sums = np.bincount(labels, x[:, d], minlength=K)
            centres[:, d] = np.where(
                sizes > 0, sums / np.maximum(sizes, 1), centres[:, d]
            )
    return labels


def labelled(
    data: Data, labels: NDArray[np.int64], K: int, kind: Covariance
) -> VectorStatistics:
    """Counts and moments of states that are known. Each has a few vectors more, of
    the mean spread within all: clusters may be of one row."""
    gamma = np.zeros((K, len(labels)))
    gamma[labels, np.arange(len(labels))] = 1.0
    weight, first, second = moments(gamma, data.rows, kind)
    mean = first / np.maximum(weight, 1.0)[:, None]
    outer = mean[:, :, None] * mean[:, None, :]
    pooled = (second - weight[:, None, None] * outer).sum(axis=0) / len(labels)
    extra = data.rows.shape[1] + 1
    starts = np.cumsum([0, *data.lengths[:-1]])
    inside = np.ones(len(labels), bool)
    inside[starts[starts < len(labels)]] = False
    after = np.flatnonzero(inside)
    transition = np.zeros((K, K))
    np.add.at(transition, (labels[after - 1], labels[after]), 1.0)
    return VectorStatistics(
        np.bincount(labels[~inside], minlength=K).astype(np.float64),
        transition,
        weight + extra,
        first + extra * mean,
        second + extra * (pooled + outer),
        data.centre,
        math.inf,
        len(labels),
        len(data.lengths),
    )
