"""Frozen hidden Markov models whose states emit vectors: integers only, ready to code.

docs/maths.md, "Hidden Markov models of vectors".
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans._records import CRC
from bbans.distributions.family import Family
from bbans.distributions.location_scale import Mixture
from bbans.distributions.multivariate import (
    LOCATION_MAX,
    SCHEDULE_PREC,
    Multivariate,
    affine_row,
    point_of,
)
from bbans.errors import CorruptError, FormatError, ModelError
from bbans.frozen.base import (
    MODES,
    CFile,
    Mode,
    Start,
    VectorModel,
    header_bytes,
    read_header,
    written,
)
from bbans.frozen.engine import EngineModel
from bbans.frozen.hmm import (
    Belief,
    ChainSteps,
    as_weights,
    check_masses,
    posterior_weights,
)
from bbans.frozen.lgssm import Observed

__all__ = ["FrozenGaussianHMM", "GaussianHMMSteps"]

NUMBERS = 4  # of the header: K, D, c, whether covariances are full
HEADER_BYTES = header_bytes(NUMBERS)
STATES_MAX = int(lib.BBANS_COMPONENTS_MAX)
CHANNELS_MAX = int(lib.BBANS_LATENTS_MAX)


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    n_states: int
    n_channels: int
    start_length: int
    full: int

    def end(self) -> int:
        """Where the numbers end, which begin after the header."""
        K, D = self.n_states, self.n_channels
        lower = 4 * D * (1 + D) // 2 if self.full else 0
        return HEADER_BYTES + 4 * K * (1 + K) + K * (12 * D + lower)

    def facts(self) -> dict[str, Any]:
        """What it says of the model."""
        return {
            "kind": "frozen hidden Markov model of vectors",
            "states": self.n_states,
            "channels": self.n_channels,
            "covariances": "full" if self.full else "diagonal",
            "precision": f"{self.start.detail} bits",
        }


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If they begin none of a hidden Markov model of vectors.
    """
    start, numbers = read_header(data, NUMBERS)
    if start.model_type != FrozenGaussianHMM.TYPE:
        raise FormatError("model file is not that of a hidden Markov model of vectors")
    head = Head(start, *numbers)
    if lib.bbans_gaussian_hmm_bytes(head.n_states, head.n_channels) == 0:
        raise CorruptError("model file is inconsistent: no states or no channels")
    if start.kind != 0 or start.listed or head.full > 1:
        raise CorruptError("model file is inconsistent: it has an alphabet")
    return head


class FrozenGaussianHMM(VectorModel):
    """A hidden Markov model in integers whose states emit vectors of integers.

    Parameters
    ----------
    initial, transition : array_like of int
        Masses of shape (K,) and (K, K); each at least 1, each row sums to ``2**prec``.
        K is 1 to 64.
    location : array_like of int64, shape (K, D)
        Means, in units of 2^-16, below 2^46 either side of 0. D is 1 to 64.
    scale : array_like of int32, shape (K, D)
        256 log2 of the standard deviation of each channel given those before it, -3072
        to 12031.
    lower : array_like of int32, shape (K, D, 1 + D), optional
        How each channel depends on those before it, as of `Multivariate`; 0 from the
        channel itself on. By default they are independent.
    prec : int
        Precision r of the masses in bits, 1 to 28.
    start_length : int
        Vectors at the end of a sequence that start it, 1 to 65535.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If a shape or a number is outside its limits.

    Notes
    -----
    Immutable; may be shared between threads. Most come from
    ``MultivariateGaussianHMM.freeze()``. docs/maths.md, "Hidden Markov models of
    vectors".
    """

    TYPE = 9
    NAME = "a hidden Markov model of vectors"

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        location: ArrayLike,
        scale: ArrayLike,
        lower: ArrayLike | None = None,
        *,
        prec: int,
        start_length: int,
        mode: Mode = "iconoclasm",
    ) -> None:
        masses = [as_uint32(mass, "mass").copy() for mass in (initial, transition)]
        self._location = _exact(location, np.int64, 2, "location")
        K, D = self._location.shape
        self._scale = _exact(scale, np.int32, 2, "scale")
        self._lower = None if lower is None else _exact(lower, np.int32, 3, "lower")
        self._initial, self._transition = masses
        for name, array, shape in (
            ("initial", self._initial, (K,)),
            ("transition", self._transition, (K, K)),
            ("scale", self._scale, (K, D)),
            ("lower", self._lower, (K, D, 1 + D)),
        ):
            if array is not None and array.shape != shape:
                raise ModelError(f"{name} must have shape {shape}, not {array.shape}")
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        size = lib.bbans_gaussian_hmm_bytes(K, D)
        if size == 0:
            raise ModelError(
                f"{K} states of {D} channels: there must be 1 to {STATES_MAX} states, "
                f"and 1 to {CHANNELS_MAX} channels"
            )
        for name, table in zip(("initial", "transition"), masses, strict=True):
            check_masses(name, np.atleast_2d(table), prec)
            table.flags.writeable = False
        self._memory = np.empty(size // 8 + 1, np.uint64)
        c = ffi.new("bbans_gaussian_hmm *")
        self._keep = [
            pointer(self._location, "int64_t[]"),
            pointer(self._scale, "int32_t[]"),
            ffi.NULL if self._lower is None else pointer(self._lower, "int32_t[]"),
        ]
        status = lib.bbans_gaussian_hmm_init(
            c, K, D, prec, start_length, pointer(self._initial),
            pointer(self._transition), *self._keep,
            pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
        )  # fmt: skip
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(
                f"locations must be below {LOCATION_MAX + 1} either side of 0, scales "
                f"{lib.BBANS_SCALE_MIN} to {lib.BBANS_SCALE_MAX}, and rows of lower "
                "have a shift of -40 to 60, and 0 from their own channel on",
                status,
            )
        check(status)
        super().__init__(c, mode)
        self._file: CFile | None = None

    @classmethod
    def _read(cls, data: bytes) -> FrozenGaussianHMM:
        """See `FrozenModel`. The C library reads it; arrays are made when they are
        asked for."""
        file = CFile(data)
        model = object.__new__(cls)
        model._file = file
        EngineModel.__init__(
            model,
            ffi.cast("bbans_gaussian_hmm *", file.model.frozen),
            MODES[file.model.predictive],
        )
        return model

    def _payload(self) -> bytes:
        file = self._file
        if file is not None and file.model.predictive == self._space.predictive:
            return file.data[: -CRC.size]
        return written(self)[: -CRC.size]

    # ---- what it is

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return int(self.c.chain.states)

    @property
    def n_channels(self) -> int:
        """Integers of a vector: D."""
        return int(self.c.channels)

    @property
    def width(self) -> int:
        """Integers of an observation: D."""
        return self.n_channels

    @property
    def prec(self) -> int:
        """Precision r of the masses, in bits."""
        return int(self.c.chain.prec)

    @property
    def initial(self) -> NDArray[np.uint32]:
        """Integer masses of z_1, shape (K,)."""
        return self._initial

    @property
    def transition(self) -> NDArray[np.uint32]:
        """Integer masses of z_t given z_t-1 (row), shape (K, K)."""
        return self._transition

    @property
    def location(self) -> NDArray[np.int64]:
        """Means in units of 2^-16, shape (K, D)."""
        return self._location

    @property
    def scale(self) -> NDArray[np.int32]:
        """256 log2 of deviations given the channels before, shape (K, D)."""
        return self._scale

    @property
    def lower(self) -> NDArray[np.int32] | None:
        """How channels depend on those before, shape (K, D, 1 + D), or None."""
        return self._lower

    # Of a model from a file; one that is made of arrays has them already.

    @cached_property
    def _initial(self) -> NDArray[np.uint32]:
        edges = self._array(self.c.chain.initial_cdf, np.uint32, self.n_states + 1)
        return _frozen(np.diff(edges))

    @cached_property
    def _transition(self) -> NDArray[np.uint32]:
        K = self.n_states
        edges = self._array(self.c.chain.transition_cdf, np.uint32, K, K + 1)
        return _frozen(np.diff(edges))

    @cached_property
    def _location(self) -> NDArray[np.int64]:
        return self._array(self.c.location, np.int64, self.n_states, self.n_channels)

    @cached_property
    def _scale(self) -> NDArray[np.int32]:
        return self._array(self.c.scale, np.int32, self.n_states, self.n_channels)

    @cached_property
    def _lower(self) -> NDArray[np.int32] | None:
        K, D = self.n_states, self.n_channels
        if self.c.lower == ffi.NULL:
            return None
        return self._array(self.c.lower, np.int32, K, D, 1 + D)

    def _array(self, data: Any, dtype: Any, *shape: int) -> NDArray[Any]:
        """What C has, which lives as long as this model."""
        size = np.dtype((dtype, shape)).itemsize
        array = np.frombuffer(ffi.buffer(data, size), dtype).reshape(shape)
        return _frozen(array)

    def state_space(self) -> GaussianHMMSteps:
        """Return the model step by step; observations are ints, or tuples of D."""
        return GaussianHMMSteps(self)

    def __repr__(self) -> str:
        kind = "diagonal" if self.c.lower == ffi.NULL else "full"
        return (
            f"<FrozenGaussianHMM {self.fingerprint.hex()}: {self.n_states} states, "
            f"{self.n_channels} channels, {kind} covariances, {self.prec} bits>"
        )

    # ---- the recursions

    def filter(
        self, x: ArrayLike, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Compute exact forward messages.

        Parameters
        ----------
        x : array_like of int, shape (T, D)
        predicted : ndarray of uint32, shape (K,), optional
            Weights of the first state given the past; by default those of z_1.

        Returns
        -------
        filtered : ndarray of uint32, shape (T, K)
            Weights of z_t given x_1 .. x_t; unnormalised.
        predicted : ndarray of uint32, shape (K,)
            Weights of z_T+1 given x_1 .. x_T.
        """
        values = self._observations(x)
        K, stride = self.n_states, self.c.chain.stride
        state = np.zeros(stride, np.uint32)
        state[:K] = self._weights(predicted)
        filtered = np.empty((len(values), stride), np.uint32)
        check(
            lib.bbans_gaussian_hmm_filter(
                self.c, pointer(state), pointer(values, "int64_t[]"), len(values),
                pointer(filtered),
            )
        )  # fmt: skip
        return filtered[:, :K], state[:K]

    def forward(self, x: Any) -> NDArray[np.uint32]:
        """Compute the exact forward messages of a sequence: see `FrozenModel`."""
        return self.filter(self._symbols(x))[0]

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return masses (initial, transition) and parameters (location, scale)."""
        return {
            "initial": self.initial,
            "transition": self.transition,
            "location": self.location,
            "scale": self.scale,
        }

    def posterior(
        self, filtered: NDArray[np.uint32], next_state: int | None = None
    ) -> NDArray[np.uint32]:
        """Weights of z_t given x_1 .. x_t, and z_t+1 unless it is None; shape (K,)."""
        chain = ffi.addressof(self.c, "chain")
        return posterior_weights(chain, self._weights(filtered), next_state)

    def _weights(self, values: ArrayLike | None) -> NDArray[np.uint32]:
        """Weights of the states, by default those of z_1, within the bounds that
        the kernels rely on."""
        if values is None:
            return self._initial
        return as_weights(values, self.n_states)


def _exact(values: ArrayLike, dtype: Any, ndim: int, what: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != ndim:
        raise ModelError(f"{what} must be integers in {ndim} dimensions")
    limits = np.iinfo(dtype)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise ModelError(f"a number of {what} is out of range")
    return _frozen(array.astype(dtype, order="C"))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


# ---- step by step


class GaussianHMMSteps(ChainSteps):
    """The conditionals of a frozen model of vectors; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenGaussianHMM

    Notes
    -----
    docs/maths.md, "Hidden Markov models of vectors". Observations are ints, or tuples
    of D of them.
    """

    _frozen: FrozenGaussianHMM

    def likelihood(self, z: int) -> Observed:
        """P(x_t | z_t)."""
        model = self._frozen
        lower = None if model.lower is None else model.lower[z]
        codec = Multivariate(model.location[z].tolist(), model.scale[z].tolist(), lower)
        return Observed(codec, model.n_channels == 1)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        filtered, predicted = self._frozen.filter([x], predicted)
        return Belief(filtered[0], predicted)

    def predictive(self, belief: Belief | None) -> Observed:
        """P(x_t+1 | x_1 .. x_t)."""
        model = self._frozen
        predicted = model.initial if belief is None else belief.predicted
        return Observed(Mixed(model, predicted.tolist()), model.n_channels == 1)


class Mixed:
    """A vector, channel by channel, under the mixture of the states by their weights
    given the past and the channels before.

    Parameters
    ----------
    frozen : FrozenGaussianHMM
    predicted : list of int
        Weights of the states.
    """

    def __init__(self, frozen: FrozenGaussianHMM, predicted: list[int]) -> None:
        self._frozen = frozen
        self._predicted = predicted

    def push(self, message: Any, value: Any) -> None:
        """Push D integers."""
        sums, laws = _Masses(self._frozen), []
        for i, v in enumerate(value):
            laws.append(sums.law(self._predicted, i))
            sums.multiply(i, v)
        for law, v in zip(reversed(laws), reversed(list(value)), strict=True):
            law.push(message, np.int64(v))

    def pop(self, message: Any) -> tuple[int, ...]:
        """Pop D integers."""
        sums, values = _Masses(self._frozen), []
        for i in range(self._frozen.n_channels):
            values.append(int(sums.law(self._predicted, i).pop(message)))
            sums.multiply(i, values[i])
        return tuple(values)


class _Masses:
    """Of the channels so far, under each state: mantissas of 32 bits, exponents."""

    def __init__(self, frozen: FrozenGaussianHMM) -> None:
        K = frozen.n_states
        self._frozen = frozen
        self._family = Family.gaussian()
        self._mantissa, self._exponent = [1 << 31] * K, [0] * K
        self._moved: list[list[int]] = [[] for _ in range(K)]
        self._at = [0] * K

    def _shares(self) -> list[int]:
        """Next to the likeliest state, which has 27 bits or more of 28."""
        most = max(self._exponent)
        return [
            m >> min(4 + most - e, 32)
            for m, e in zip(self._mantissa, self._exponent, strict=True)
        ]

    def law(self, predicted: list[int], i: int) -> Mixture:
        """Of channel i, given those before."""
        model, K = self._frozen, self._frozen.n_states
        products = [p * e for p, e in zip(predicted, self._shares(), strict=True)]
        shift = sum(products).bit_length() - lib.BBANS_PREC_MAX
        weights = [w >> shift if shift > 0 else w << -shift for w in products]
        for k in range(K):
            at = int(model.location[k, i])
            if model.lower is not None:
                at = affine_row(at, model.lower[k, i].tolist(), self._moved[k])
            self._at[k] = at
        used = [k for k in range(K) if weights[k]]
        return Mixture(
            self._family,
            np.array([weights[k] for k in used], np.uint32),
            np.array([self._at[k] for k in used], np.int64),
            model.scale[used, i],
        )

    def multiply(self, i: int, value: int) -> None:
        """By the masses of channel i, as the schedule codes them."""
        start, freq = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        low, bits = ffi.new("uint64_t *"), ffi.new("unsigned *")
        for k, at in enumerate(self._at):
            check(
                lib.bbans_family_span(
                    self._family._c, at, int(self._frozen.scale[k, i]), SCHEDULE_PREC,
                    value, start, freq, low, bits,
                )
            )  # fmt: skip
            product = self._mantissa[k] * freq[0]
            down = product.bit_length() - 32
            self._mantissa[k] = product >> down
            self._exponent[k] += down - SCHEDULE_PREC - bits[0]
            self._moved[k].append(point_of(value) - at)
