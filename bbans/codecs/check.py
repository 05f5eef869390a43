"""Test a codec or a state space model for what coding needs; measure its rate."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_generator, as_integer
from bbans.codecs.iid import decode_iid, encode_iid
from bbans.codecs.metered import Metered, random_bits
from bbans.codecs.schedule import PredictiveGraph, Schedule
from bbans.codecs.sequence import decode_sequence, encode_sequence
from bbans.codecs.state_space import (
    PredictiveModel,
    SequenceModel,
    StateSpaceModel,
    as_sequence_model,
    likelihood,
)
from bbans.errors import BbansError, MessageError, ModelError
from bbans.message.codec import Codec, as_codec
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = ["CodecReport", "ModelReport", "check_codec", "check_model"]

LANES = 64

# A draw is far out if it is this many times further from the usual ones than these
# are from each other. A leak reaches to 2**63; what tables hold is below 2**16.
FAR_OUT = 2**20
USUAL_DRAWS = 8
END_BYTES = 4096  # of first or of last slots, for a draw


class ModelReport(NamedTuple):
    """What `check_model` found. All rates are in bits for the whole sequence.

    Attributes
    ----------
    length : int
        Observations T; those of a graph.
    elbo : float
        Mean of -log2 P(x, z) / Q(z | x) over samples of z: what bits back pays net.
        The negative evidence lower bound.
    elbo_error : float
        Standard error of `elbo`; 0 for an exact posterior but for rounding.
    information_content : float or None
        -log2 P(x), if the model has a predictive distribution that is exact.
    message : int
        Bits of one message, whole bytes counted: with start-up if the model can
        start by itself, else net of the bits that were lent.
    startup : float
        Bits that must be on a message before IconoCLaSM pushes the sequence: the most
        that its pops had taken, over the samples, when its pushes had given less.
    far_out : tuple
        Steps t whose posterior can draw a z_t far out, or fail: its first or its last
        slot does. Families with a leak are like that; then bits are lost now and then.
        Of a graph the latents.
    reference_elbo : float or None
        The ELBO of the model in floats, if one was given: what is above it, integers
        cost.
    memory : int or None
        Of a `Schedule`: the most latents that are outstanding at a time.
    """

    length: int
    elbo: float
    elbo_error: float
    information_content: float | None
    message: int
    startup: float
    far_out: tuple[Any, ...] = ()
    reference_elbo: float | None = None
    memory: int | None = None

    def __str__(self) -> str:
        content, floats = self.information_content, self.reference_elbo
        lines = [f"observations         {self.length}"]
        if floats is not None:
            lines.append(f"ELBO in floats       {floats:.3f} bits")
        lines += [
            f"ELBO                 {self.elbo:.3f} +- {self.elbo_error:.3f} bits",
            "information content  "
            + ("not tractable" if content is None else f"{content:.3f} bits"),
            f"message              {self.message} bits",
            f"start-up             {self.startup:.1f} bits",
        ]
        if self.memory is not None:
            lines.append(f"memory               {self.memory} latents")
        if self.far_out:
            lines.append(f"draws far out        {len(self.far_out)} posteriors")
        return "\n".join(lines)


class CodecReport(NamedTuple):
    """What `check_codec` found.

    Attributes
    ----------
    n_values : int
        Values that were coded.
    bits : float
        Mean of the bits that pushing a value adds to a message of one lane. For bits
        back this is the negative ELBO, a mean over draws of the latents.
    bits_error : float
        Standard error of `bits`: over draws, 0 without bits back.
    startup : float
        Bits that must be on the message before a value is pushed: the most that the
        codec's pops had taken when its pushes had given less. 0 but for bits back.
    several_lanes : bool
        Whether messages of several lanes can be used, or are refused.
    range_coder : bool
        Whether the range coder can be used; not by a codec that pops while it pushes.
    message : int or None
        Bits of one message of all the values, by `encode_iid`, start-up and whole bytes
        counted. None if the codec cannot start by itself.
    """

    n_values: int
    bits: float
    bits_error: float
    startup: float
    several_lanes: bool
    range_coder: bool
    message: int | None

    def __str__(self) -> str:
        error = f" +- {self.bits_error:.3f}" if self.bits_error else ""
        message = "none without random bits"
        if self.message is not None:
            message = f"{self.message} bits"
        lines = [
            f"values               {self.n_values}",
            f"rate                 {self.bits:.3f}{error} bits per value",
            f"start-up             {self.startup:.1f} bits",
            f"message              {message}",
            f"several lanes        {'yes' if self.several_lanes else 'refused'}",
            f"range coder          {'yes' if self.range_coder else 'refused'}",
        ]
        return "\n".join(lines)


def check_codec(
    values: Sequence[Any], codec: Codec[Any], *, samples: int = 8, seed: int = 0
) -> CodecReport:
    """Test whether a codec is what coding needs, and measure its rate.

    Parameters
    ----------
    values : sequence
        One or more values that the codec should code, rare ones among them.
    codec : Codec
    samples : int
        Values that are popped from random bits besides; for bits back, draws of the
        latents of each value.
    seed : int
        Of the random bits.

    Returns
    -------
    CodecReport

    Raises
    ------
    ModelError
        If a value does not pop again as it was pushed, or a pop after a push or a push
        after a pop does not restore the message; if a push gives another message the
        second time, or depends on words deep below; if a value popped from random bits
        cannot be pushed; if the range coder or `decode_iid` does not give the values
        back. The text names the value, its position and the number of lanes.

    Notes
    -----
    A codec that cannot use several lanes, or the range coder, should refuse by a
    `MessageError`: that is no fault.

    Examples
    --------
    >>> from bbans import check_codec
    >>> from bbans.distributions import Poisson
    >>> print(check_codec([0, 3, 4, 5, 30], Poisson(4.0)))
    values               5
    rate                 8.239 bits per value
    start-up             0.0 bits
    message              48 bits
    several lanes        yes
    range coder          yes
    """
    as_codec(codec, "codec")
    samples = as_integer(samples, "samples", 0)
    if not hasattr(values, "__len__") or len(values) == 0:
        raise ModelError(f"a check needs a value: values is a sequence, not {values!r}")
    rng = as_generator(seed)
    walks = [_walk_values(codec, values, random_bits(rng, len(values)))]
    borrows = walks[0][1] > 0  # by bits back
    if borrows:
        walks += [
            _walk_values(codec, values, random_bits(rng, len(values)))
            for _ in range(samples - 1)
        ]
    bits = [net / len(values) for net, _ in walks]
    _check_lanes(codec, values, samples, rng, 1, borrows)
    try:
        _check_lanes(codec, values, samples, rng, LANES, borrows)
    except _RefusedError:
        several_lanes = False
    else:
        several_lanes = True
    range_coder = _check_range(codec, values)
    return CodecReport(
        len(values),
        float(np.mean(bits)),
        _error(bits),
        max(startup for _, startup in walks),
        several_lanes,
        range_coder,
        _check_message(codec, values),
    )


def check_model(
    x: Sequence[Any] | Mapping[Any, Any],
    model: SequenceModel | StateSpaceModel | Schedule,
    *,
    samples: int = 8,
    seed: int = 0,
    reference: Any = None,
) -> ModelReport:
    """Test a model on a sequence, step by step, and measure what it costs.

    Parameters
    ----------
    x : sequence
        One or more observations that the model should code well; for a frozen model
        those of its `push`. For a graph a mapping from each observed node.
    model : FrozenModel, PredictiveModel, StateSpaceModel or Schedule
        A graph in the order in which it is to be coded: a `Schedule`.
    samples : int
        Draws of the latent states, for the ELBO.
    seed : int
        Of the random bits that the states are drawn with.
    reference : FloatModel, optional
        What the model was frozen from: its ``elbo(x)`` is reported too.

    Returns
    -------
    ModelReport

    Raises
    ------
    SymbolError
        If a frozen model cannot code the sequence.
    ModelError
        If a codec is not the exact inverse of itself, if it is not the same when it
        is asked for twice, if a state that the posterior draws has no mass under the
        prior or the observation none under its likelihood, or if the sequence does
        not come back. The text names the conditional and the step.

    Warns
    -----
    UserWarning
        If a posterior can draw states far out: `ModelReport.far_out`.
    """
    samples = as_integer(samples, "samples", 1)
    case: _Case
    case = _Graph(x, model) if isinstance(model, Schedule) else _Sequence(x, model)
    rng = as_generator(seed)
    far_out: list[Any] = []

    def look(latent: Any, posterior: Callable[[], Codec[Any]]) -> None:
        if _draws_far_out(posterior, rng):
            far_out.insert(0, latent)

    walks = [
        _measured(case, random_bits(rng, case.n_latents), look if k == 0 else None)
        for k in range(samples)
    ]
    nets = [net for net, _ in walks]
    if far_out:
        warnings.warn(
            f"{case.posterior(far_out[0])} can draw states far out, as do "
            f"{len(far_out)} of {case.n_latents}: each such draw costs many bits; give "
            "its distribution leak=False",
            stacklevel=2,
        )
    content = case.information_content(random_bits(rng, case.n_latents))
    try:
        message = _whole(case, None)
    except _RefusedError:  # what it draws has no modes
        message = _whole(case, rng.bytes(64 + 16 * case.n_latents))
    return ModelReport(
        len(x),
        float(np.mean(nets)),
        _error(nets),
        content,
        message,
        max(startup for _, startup in walks),
        tuple(far_out),
        None if reference is None else _elbo(reference, x, samples, seed),
        case.memory,
    )


def _elbo(reference: Any, x: Any, samples: int, seed: int) -> float:
    if not callable(getattr(reference, "elbo", None)):
        raise ModelError(
            "reference must be a model in floats, with a method elbo, not "
            f"{reference!r}"
        )
    return float(reference.elbo(x, samples=samples, seed=seed))


# ---- codecs


class _RefusedError(ModelError):
    """A codec does not take messages of this kind, and says so."""


def _walk_values(
    codec: Codec[Any], values: Sequence[Any], message: Metered
) -> tuple[float, float]:
    """Push all; return the bits that this adds, and the most that one borrowed."""
    start, startup = message.bits, 0.0
    for i, value in enumerate(values):
        before = message.least = message.bits
        with _naming(f"value {value!r} at position {i}, on 1 lane"):
            codec.push(message, value)
        startup = max(startup, before - message.least)
    return message.bits - start, startup


def _check_lanes(
    codec: Codec[Any],
    values: Sequence[Any],
    samples: int,
    rng: np.random.Generator,
    lanes: int,
    borrows: bool,
) -> None:
    def make() -> Codec[Any]:
        return codec

    for i, value in enumerate(values):
        where = f"value {value!r} at position {i}, on {lanes} lane(s)"
        message = random_bits(rng, 1, lanes)
        twin = _other_below(message, rng)
        start = message.copy()
        _checked_push(make, message, value, where)
        again = start.copy()
        _push(make, again, value, where)
        if again != message:
            raise ModelError(f"{where}: pushed again, it gives another message")
        _push(make, twin, value, where)
        heads, tail = message.state()
        half = len(start.state()[1]) // 2
        if (heads, tail[half:]) != (twin.state()[0], twin.state()[1][half:]):
            raise ModelError(f"{where}: the push depends on what is deep below")
    for k in range(samples):
        where = f"sample {k} popped from random bits, on {lanes} lane(s)"
        message = random_bits(rng, 1, lanes)
        if not borrows or _pops(codec, message.copy()):
            _checked_pop(make, message, where)


def _pops(codec: Codec[Any], message: Message) -> bool:
    """Whether bits back may have written this. A posterior without a leak has no mass
    for latents that no push draws with these values, and then the pop is refused."""
    try:
        codec.pop(message)
    except ModelError:
        return False
    return True


def _other_below(message: Message, rng: np.random.Generator) -> Message:
    """The same message with other words in the lower half of its stack."""
    heads, tail = message.state()
    half = len(tail) // 2
    return Message.from_state(
        np.array(heads, np.uint64),
        [*rng.integers(0, 1 << 32, half).tolist(), *tail[half:]],
    )


def _check_range(codec: Codec[Any], values: Sequence[Any]) -> bool:
    """Whether the range coder is taken; then it must give the values back."""
    encoder = RangeEncoder()
    for i, value in enumerate(values):
        try:
            with _naming(f"value {value!r} at position {i}, to the range coder"):
                encoder.encode(codec, value)
        except _RefusedError:
            return False
    decoder = RangeDecoder(encoder.finish())
    for i, value in enumerate(values):
        where = f"value {value!r} at position {i}, from the range coder"
        with _naming(where):
            again = decoder.decode(codec)
        if not _same(again, value):
            raise ModelError(f"{where}: {again!r} was decoded")
    with _naming("after the last value from the range coder"):
        decoder.check()
    return True


def _check_message(codec: Codec[Any], values: Sequence[Any]) -> int | None:
    """The bits of a message that starts by itself, if the codec can make one."""
    try:
        with _naming("encoding all values as one message"):
            data = encode_iid(values, codec).to_bytes()
    except _RefusedError:
        return None
    with _naming("decoding all values from one message"):
        decoded = decode_iid(Message.from_bytes(data), codec, len(values))
    for i, (value, again) in enumerate(zip(values, decoded, strict=True)):
        if not _same(value, again):
            raise ModelError(
                f"value {value!r} at position {i}, from a message of all: {again!r} "
                "was decoded"
            )
    return 8 * len(data)


# ---- models


def _error(nets: list[float]) -> float:
    """Standard error of a mean of draws."""
    return float(np.std(nets) / np.sqrt(max(1, len(nets) - 1)))


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except BbansError as error:
        # Without a code of the C library it was refused, not found to be too short.
        refused = isinstance(error, MessageError) and error.status is None
        raise (_RefusedError if refused else ModelError)(f"{where}: {error}") from error
    except Exception as error:  # of the user's code
        raise ModelError(f"{where}: {type(error).__name__}: {error}") from error


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    return np.array_equal(a, b) if np.ndim(a) or np.ndim(b) else bool(a == b)


def _numbers(z: Any) -> NDArray[np.float64]:
    """The numbers of a state, if it consists of such, in one row."""
    if isinstance(z, tuple | list):
        return np.concatenate([np.empty(0), *map(_numbers, z)])
    array = np.asarray(z)
    return array.astype(float).ravel() if array.dtype.kind in "biuf" else np.empty(0)


def _draws_far_out(
    posterior: Callable[[], Codec[Any]], rng: np.random.Generator
) -> bool:
    usual = [_numbers(posterior().pop(random_bits(rng, 0))) for _ in range(USUAL_DRAWS)]
    if len({row.size for row in usual}) > 1:  # states of no fixed form
        return False
    low, high = np.min(usual, axis=0), np.max(usual, axis=0)
    reach = FAR_OUT * (1 + high - low)
    for slots in (b"\0", b"\xff"):  # the first of every pop, or the last
        try:
            drawn = posterior().pop(Message.from_bytes(slots * END_BYTES + b"\1"))
        except Exception:  # of the codec, or of the user's code by what it was given
            return True
        row = _numbers(drawn)
        if row.size == low.size and ((row < low - reach) | (row > high + reach)).any():
            return True
    return False


def _push(
    make: Callable[[], Codec[Any]], message: Message, value: Any, where: str
) -> None:
    with _naming(where):
        make().push(message, value)


def _pop(make: Callable[[], Codec[Any]], message: Message, where: str) -> Any:
    with _naming(where):
        return make().pop(message)


def _checked_push(
    make: Callable[[], Codec[Any]], message: Message, value: Any, where: str
) -> None:
    before = message.copy()
    _push(make, message, value, where)
    copy = message.copy()
    if not _same(_pop(make, copy, where), value):
        raise ModelError(f"{where}: what was pushed, {value}, does not pop again")
    if copy != before:
        raise ModelError(f"{where}: pop after push does not restore the message")


def _checked_pop(make: Callable[[], Codec[Any]], message: Message, where: str) -> Any:
    before = message.copy()
    value = _pop(make, message, where)
    copy = message.copy()
    _push(make, copy, value, where)
    if copy != before:
        raise ModelError(f"{where}: push after pop does not restore the message")
    return value


_Look = Callable[[Any, Callable[[], Codec[Any]]], None]


class _Steps:
    """The steps of a sender on a message: checked, if there is a `look` at each
    posterior too."""

    def __init__(self, message: Metered, look: _Look | None) -> None:
        self._message, self._look = message, look

    def pop(self, latent: Any, make: Callable[[], Codec[Any]], where: str) -> Any:
        value = (_pop if self._look is None else _checked_pop)(
            make, self._message, where
        )
        if self._look is not None:
            self._look(latent, make)
        return value

    def push(self, make: Callable[[], Codec[Any]], value: Any, where: str) -> None:
        (_push if self._look is None else _checked_push)(
            make, self._message, value, where
        )


class _Case(ABC):
    """Observations under a model of some kind."""

    n_latents: int
    memory: int | None = None

    @abstractmethod
    def posterior(self, latent: Any) -> str:
        """What the posterior of a latent is called."""

    @abstractmethod
    def walk(self, steps: _Steps) -> None:
        """The sender's schedule."""

    @abstractmethod
    def information_content(self, message: Metered) -> float | None:
        """The bits of all predictive distributions, if there are such that are exact;
        checked on a message."""

    @abstractmethod
    def encode(self, lent: bytes | None) -> bytes:
        """A message of its own."""

    @abstractmethod
    def decode(self, data: bytes, lent: bytes | None) -> None:
        """Decode it, and compare."""


class _Sequence(_Case):
    def __init__(self, x: Any, model: Any) -> None:
        self._steps = as_sequence_model(model).state_space()
        if not hasattr(x, "__len__") or len(x) == 0:
            raise ModelError(
                f"a check needs an observation: x is a sequence, not {x!r}"
            )
        self._x, self._model = x, model
        if isinstance(model, SequenceModel):
            model.encode_message(x)  # refuses what it cannot code in better words
            self._x = model.observations(x)
        self.n_latents = len(x)

    def posterior(self, latent: Any) -> str:
        return f"the posterior of z[{latent}]"

    def walk(self, steps: _Steps) -> None:
        model, x = self._steps, self._x
        beliefs: list[Any] = []
        for t, value in enumerate(x):
            with _naming(f"update with x[{t}]"):
                beliefs.append(model.update(beliefs[-1] if beliefs else None, value))
        z_next = None
        for t in reversed(range(len(x))):
            posterior = partial(model.posterior, beliefs[t], z_next)
            z = steps.pop(t, posterior, f"posterior of z[{t}]")
            if t < len(x) - 1:
                steps.push(partial(model.prior, z), z_next, f"prior of z[{t + 1}]")
            before = beliefs[t - 1] if t > 0 else None
            observed = partial(likelihood, model, z, before)
            steps.push(observed, x[t], f"likelihood of x[{t}]")
            z_next = z
        steps.push(partial(model.prior, None), z_next, "prior of z[0]")

    def information_content(self, message: Metered) -> float | None:
        model, belief, start = self._steps, None, message.bits
        if not isinstance(model, PredictiveModel):
            return None
        for t, value in enumerate(self._x):
            predictive = partial(model.predictive, belief)
            _checked_push(predictive, message, value, f"predictive of x[{t}]")
            with _naming(f"update with x[{t}]"):
                belief = model.update(belief, value)
        exact = getattr(model, "exact_predictive", True)
        return message.bits - start if exact else None

    def encode(self, lent: bytes | None) -> bytes:
        return encode_sequence(self._x, self._model, initial_bits=lent).to_bytes()

    def decode(self, data: bytes, lent: bytes | None) -> None:
        message, n = Message.from_bytes(data), len(self._x)
        decoded = decode_sequence(message, self._model, n, initial_bits=lent)
        for t, (value, again) in enumerate(zip(self._x, decoded, strict=True)):
            if not _same(value, again):
                raise ModelError(f"x[{t}] = {value} decodes to {again}")


class _Graph(_Case):
    def __init__(self, x: Any, schedule: Schedule) -> None:
        if not schedule.observed:
            raise ModelError(f"a check needs an observation: {schedule} has none")
        self._x, self._schedule = x, schedule
        self.memory = schedule.memory
        self.n_latents = len([1 for action, _ in schedule.order if action == "pop"])

    def posterior(self, latent: Any) -> str:
        return f"the posterior of {latent!r}"

    def walk(self, steps: _Steps) -> None:
        self._schedule.walk(
            self._x,
            lambda node, make: steps.pop(node, make, f"posterior of {node!r}"),
            lambda node, make, x: steps.push(make, x, f"conditional of {node!r}"),
        )

    def information_content(self, message: Metered) -> float | None:
        model, start = self._schedule.model, message.bits
        if not isinstance(model, PredictiveGraph):
            return None
        predictions = model.predictive(self._schedule.order)()
        for node in reversed(self._schedule.observed):
            law, value = partial(predictions.law, node), self._x[node]
            _checked_push(law, message, value, f"predictive of {node!r}")
            with _naming(f"what follows {node!r}"):
                predictions.observe(node, value)
        exact = getattr(model, "exact_predictive", True)
        return message.bits - start if exact else None

    def encode(self, lent: bytes | None) -> bytes:
        return self._schedule.encode(self._x, initial_bits=lent)

    def decode(self, data: bytes, lent: bytes | None) -> None:
        decoded = self._schedule.decode(data, initial_bits=lent)
        for node, value in self._x.items():
            if not _same(value, decoded[node]):
                raise ModelError(f"{node!r}, {value}, decodes to {decoded[node]}")


def _measured(case: _Case, message: Metered, look: _Look | None) -> tuple[float, float]:
    """The sender's schedule: the net bits that it adds, and those borrowed."""
    start = message.bits
    case.walk(_Steps(message, look))
    return message.bits - start, start - message.least


def _whole(case: _Case, lent: bytes | None) -> int:
    """Encode a message, twice, and decode it; return its bits, less those lent."""
    with _naming("encoding"):
        data = case.encode(lent)
        if case.encode(lent) != data:
            raise ModelError("the same data give other bytes the second time")
    with _naming("decoding"):
        case.decode(data, lent)
    return 8 * (len(data) - (0 if lent is None else len(lent) + 1))
