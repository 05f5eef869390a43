"""Every codec under every coder: both laws, one lane and 64, the range coder, codecs of
codecs, bits back, state space models. A new codec needs a line in CASES."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import (
    BbansError,
    CorruptError,
    Message,
    ModelError,
    SymbolError,
    check_codec,
    codecs,
    distributions,
)
from bbans.codecs import (
    BitsBack,
    Dependent,
    Iconoclasm,
    ImportanceSampling,
    Multiset,
    Permutation,
    Repeat,
    Schedule,
    Serial,
    decode_sequence,
    encode_sequence,
)
from bbans.distributions import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Categorical,
    Custom,
    Family,
    Gaussian,
    Geometric,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    Multivariate,
    NegativeBinomial,
    Poisson,
    Ragged,
    RaggedTable,
    StudentT,
    Table,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

TABLE = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]], prec=12)
LEAST, MOST = -(2**63), 2**63 - 1
GAUSSIAN, LOGISTIC = Family.gaussian(), Family.logistic()
HMM = bbans.HMM.random(3, 3, seed=1).freeze(14)
LGSSM = bbans.LGSSM([[0.9]], [[1.0]], [[20.0]], [[4.0]]).freeze()
ARHMM = bbans.ARHMM.fit([0, 1, 2, 1, 0, 2] * 30, 2, order=2, n_iter=2).freeze(14)
MANY = np.arange(70) % 7  # more than there are lanes


@dataclass
class Case:
    """A codec, values that it has, and some that it refuses, changing nothing."""

    codec: object
    values: list
    refused: list
    lanes: bool = True  # whether several lanes are taken
    range_coder: bool = True


GUESSED = Uniform(5), lambda z: Poisson(1.0 + z), lambda x: Uniform(5)
BACK = BitsBack(*GUESSED)


RAGGED = RaggedTable([[0, 5, 9, 16], [0, 1, 2, 16]], 4, offsets=[0, -2])
ESCAPES = RaggedTable([[0, 5, 9, 16], [0, 1, 2, 16]], 4, offsets=[0, -2], escape=True)


def exponential(x, mean):
    return -np.expm1(-np.maximum(x, 0) / mean)


class Chain:
    """Two latents above an observation."""

    def parents(self, node):
        return {"x": ["z1"], "z1": ["z2"], "z2": []}[node]

    def conditional(self, node, values):
        return Gaussian(*values.values(), 3.0) if values else Gaussian(0.0, 9.0)

    def posterior(self, node, known):
        return Gaussian(known["x" if node == "z1" else "z1"], 3.0, leak=False)


CASES = {
    "Categorical": Case(Categorical(TABLE, 1), [0, 1, 2], [3, -1, 1.5]),
    "Categorical, rows": Case(
        Categorical(TABLE, [[0, 1], [1, 0]]),
        [np.array([[2, 0], [1, 1]])],
        [np.array([[2, 0], [3, 1]]), [0, 1]],
    ),
    "Categorical, array": Case(
        Categorical(TABLE, 0, 70), [MANY % 3], [MANY % 4], lanes=True
    ),
    "Uniform": Case(Uniform(6), [0, 5], [6, -1]),
    "Uniform, array": Case(Uniform(2**28, (2, 35)), [MANY.reshape(2, 35)], [[1]]),
    "Weighted": Case(Weighted([1, 0, 9]), [0, 2], [1, 3, -1]),
    "Weighted, array": Case(
        Weighted(np.arange(1, 211).reshape(70, 3)), [MANY % 3], [MANY]
    ),
    "Bernoulli": Case(Bernoulli(0.2), [0, 1], [2, -1]),
    "Bernoulli, array": Case(Bernoulli(np.linspace(0, 1, 70)), [MANY % 2], [MANY]),
    "UniformRange": Case(UniformRange(LEAST, MOST), [LEAST, 0, MOST], [MOST + 1]),
    "UniformRange, array": Case(UniformRange(-1, 2**40, 70), [MANY - 1], [MANY - 2]),
    "UniformRange, ends": Case(
        UniformRange([LEAST, -5], [[MOST, -5], [7, 9]]),
        [[[0, -5], [7, 9]], [[LEAST, -5], [LEAST, -5]]],
        [[[0, -4], [7, 9]], [0, -5]],
    ),
    "Ragged": Case(Ragged(RAGGED, 1), [-2, 0], [-3, 1, 1.5]),
    "Ragged, array": Case(
        Ragged(RAGGED, MANY % 2), [MANY % 2 * -2, MANY * 0], [MANY * 0 - 1, MANY[1:]]
    ),
    "Ragged, escape": Case(Ragged(ESCAPES), [0, 1, LEAST, MOST], [MOST + 1, 1.5]),
    "Ragged, escapes": Case(
        Ragged(ESCAPES, MANY % 2), [MANY, MANY * 10**17 - 3], [MANY * 1.0]
    ),
    "Custom": Case(Custom(exponential, 0, 50, 4.0), [0, 3, 50], [-1, 51]),
    "Custom, array": Case(
        Custom(exponential, 0, 9, np.linspace(0.1, 9, 70)), [MANY], [MANY + 4]
    ),
    "Gaussian": Case(Gaussian(2.5, 3.0), [2, LEAST, MOST], [2**63, 1.5, [1, 2]]),
    "Gaussian, array": Case(
        Gaussian(np.arange(70.0), np.geomspace(2.0**-12, 2.0**46, 70)),
        [MANY, MANY * 10**17],
        [MANY * 1.0, MANY[1:]],
    ),
    "Laplace": Case(Laplace(0.0, 1e9), [0, -(10**10)], [2**63]),
    "Logistic": Case(Logistic([0.0, 5.0], 2.0), [[1, 9]], [[1]]),
    "StudentT": Case(StudentT(3, -4.0, [1.0, 1e6]), [[-3, 10**7]], ["ab"]),
    "LocationScale": Case(LocationScale(LOGISTIC, 1e6, 0.5), [10**6, 0], [None]),
    "Mixture": Case(
        Mixture(LOGISTIC, [0.75, 0.25], [20.5, 90.0], 8.0, 0, 255),
        [0, 21, 255],
        [-1, 256],
    ),
    "Mixture, array": Case(
        Mixture(GAUSSIAN, None, np.arange(140.0).reshape(70, 2) * 1e6, [3.0, 1e12]),
        [MANY, MANY * 10**17],
        [MANY[1:]],
    ),
    "Geometric": Case(Geometric(3.0), [0, 5, MOST], [-1]),
    "Geometric, array": Case(Geometric(np.geomspace(0.01, 1e9, 70)), [MANY], [-MANY]),
    "Binomial": Case(Binomial(500, 0.3), [0, 160, 500], [501, -1]),
    "Binomial, array": Case(Binomial(7, np.linspace(0, 1, 70)), [MANY], [MANY + 2]),
    "BetaBinomial": Case(BetaBinomial(255, 0.5, 2.0), [0, 255], [256]),
    "BetaBinomial, array": Case(
        BetaBinomial(9, np.linspace(0, 9, 70), 2.0), [MANY], [MANY + 4]
    ),
    "NegativeBinomial": Case(NegativeBinomial(1.5, 0.1), [0, 14, MOST], [-1]),
    "NegativeBinomial, array": Case(
        NegativeBinomial(np.linspace(0, 9, 70), 0.3), [MANY], [MANY - 1]
    ),
    "Poisson": Case(Poisson(40.0), [40, 0, MOST], [-1]),
    "Poisson, array": Case(Poisson(np.linspace(0, 900, 70)), [MANY], [MANY - 1]),
    "Multivariate": Case(
        Multivariate.from_covariance([0.5, 1e9], [[9.0, 8.0], [8.0, 1e12]]),
        [(3, 12), (LEAST, MOST)],
        [(1,), (1, 2**63)],
    ),
    "Multivariate, leakless": Case(
        Multivariate.from_covariance([0.5], [[9.0]], leak=False), [(3,)], [(10**9,)]
    ),
    "Serial": Case(
        Serial([Uniform(5), Poisson([3.0, 9.0]), Serial([Gaussian(0.0, 1.0)])]),
        [(4, np.array([2, 8]), (-1,))],
        [(1, 2)],
    ),
    "Dependent": Case(
        Dependent(
            [Uniform(5), lambda a: Gaussian([0.0, a], 2.0), lambda a, b: Poisson(a)]
        ),
        [(4, np.array([2, 8]), 3)],
        [(1, 2)],
    ),
    "Repeat": Case(Repeat(Geometric(2.0), 3), [(0, 1, 9)], [(1, 2)]),
    "Schedule": Case(
        Schedule.eager(Chain(), ["z1", "z2"], ["x"]),
        [{"x": 5}, {"x": -40}],
        [{"x": 1, "z1": 0}],
        range_coder=False,
    ),
    "BitsBack": Case(BACK, [0, 3], [], range_coder=False),
    "ImportanceSampling": Case(
        ImportanceSampling(*GUESSED, samples=3), [0, 3], [], range_coder=False
    ),
    "ImportanceSampling, coupled": Case(
        ImportanceSampling(*GUESSED, samples=5, coupled=True),
        [0, 3],
        [],
        range_coder=False,
    ),
    "Multiset": Case(
        Multiset(Poisson(3.0), 4), [[0, 2, 2, 7]], [[1, 2]], range_coder=False
    ),
    "Permutation": Case(Permutation(4), [[2, 0, 3, 1]], [[0, 0, 1, 2]]),
    "Iconoclasm": Case(
        Iconoclasm(HMM, 4), [np.array([0, 1, 2, 1])], [], False, range_coder=False
    ),
    "Iconoclasm, LGSSM": Case(
        Iconoclasm(LGSSM, 3), [np.array([0, 9, -30])], [], False, range_coder=False
    ),
    "Iconoclasm, step by step": Case(
        Iconoclasm(HMM.state_space(), 3), [[0, 1, 2]], [], range_coder=False
    ),
    "Iconoclasm, LGSSM, step by step": Case(
        Iconoclasm(LGSSM.state_space(), 3), [[0, 9, -30]], [], range_coder=False
    ),
    "Iconoclasm, AR-HMM, step by step": Case(
        Iconoclasm(ARHMM.state_space(), 3), [[0, 1, 2]], [], range_coder=False
    ),
}
NO_LAWS = {"Distribution", "Family", "RaggedTable", "Table"}
NO_CODECS = {
    "Codec",
    "GraphModel",
    "PredictiveModel",
    "SequenceModel",
    "StateSpaceModel",
}
MODELS = {"HMMSteps", "ARHMMSteps", "LGSSMSteps"}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_no_codec_is_missing_here():
    tested = {name.split(",")[0] for name in CASES}
    laws = set(distributions.__all__) - NO_LAWS
    assert {name for name in laws if name[0].isupper()} <= tested
    made = {name for name in codecs.__all__ if hasattr(getattr(codecs, name), "push")}
    assert tested - laws == made - NO_CODECS
    assert {
        type(case.codec._model.state_space()).__name__
        for case in CASES.values()
        if isinstance(case.codec, Iconoclasm)
    } >= MODELS


def check(codec, values, case):
    report = check_codec(values, codec, samples=2)
    assert (report.several_lanes, report.range_coder) == (case.lanes, case.range_coder)
    return report


@ALL
def test_alone(case):
    assert check(case.codec, case.values, case).bits > 0


@ALL
def test_inside_serial_and_repeat(case):
    serial = Serial([Uniform(3), case.codec, Serial([case.codec, Poisson(2.0)])])
    value = case.values[0]
    check(serial, [(2, value, (case.values[-1], 5))], case)
    check(Repeat(case.codec, 2), [(value, case.values[-1])], case)


@ALL
@pytest.mark.parametrize("place", ["prior", "likelihood", "posterior"])
def test_inside_bits_back(case, place):
    """Of z and x the codec has one; the other is uniform."""
    z = Uniform(7) if place == "likelihood" else case.codec
    x = case.codec if place == "likelihood" else Uniform(7)
    values = case.values if place == "likelihood" else [3]
    report = check_codec(values, BitsBack(z, lambda z: x, lambda x: z), samples=1)
    assert (report.several_lanes, report.range_coder) == (case.lanes, False)
    assert report.startup > 0


class Everywhere:
    """A state space model all of whose conditionals are one codec."""

    start_length = 2

    def __init__(self, codec):
        self.codec = codec

    def prior(self, z):
        return self.codec

    likelihood = prior

    def update(self, belief, x):
        return 0 if belief is None else belief + 1

    def posterior(self, belief, z_next):
        return self.codec

    predictive = prior


@ALL
def test_inside_iconoclasm(case):
    x = [case.values[0], case.values[-1], case.values[0]]
    model = Everywhere(case.codec)
    report = check_codec([x], Iconoclasm(model, 3), samples=1)
    assert (report.several_lanes, report.range_coder) == (case.lanes, False)


def same(a, b):
    if isinstance(a, tuple):
        return all(map(same, a, b))
    return np.array_equal(a, b)


class Observed(Everywhere):
    """The same with uniform states: as posteriors, distributions that have every value
    pop some that no prior should have to code."""

    def prior(self, z):
        return Uniform(7)

    def posterior(self, belief, z_next):
        return Uniform(7)


@ALL
@pytest.mark.parametrize("predictive", [True, False])
def test_as_the_predictive_distribution(case, predictive):
    model, x = Observed(case.codec), [*case.values, *case.values[::-1]] * 2
    if not case.range_coder:
        with pytest.raises(MessageError, match="needs a Message"):
            encode_sequence(x, model, predictive=predictive)
        return
    data = encode_sequence(x, model, predictive=predictive).to_bytes()
    message = Message.from_bytes(data)
    decoded = decode_sequence(message, model, len(x), predictive=predictive)
    assert same(tuple(x), tuple(decoded))
    # Another message is another sequence, or an error.
    for other in (data[:-1] + b"\1", data + b"\1", bytes([data[0] ^ 4]) + data[1:]):
        try:
            message = Message.from_bytes(other)
            decoded = decode_sequence(message, model, len(x), predictive=predictive)
        except (CorruptError, MessageError):
            continue
        assert other == data or not same(tuple(x), tuple(decoded))


@ALL
@pytest.mark.parametrize("lanes", [1, 64])
def test_what_is_refused_changes_nothing(case, lanes):
    if lanes > 1 and not case.lanes:
        message = Message(lanes)
        with pytest.raises(
            MessageError, match="needs a message of one lane, not of 64"
        ):
            case.codec.push(message, case.values[0])
        with pytest.raises(
            MessageError, match="needs a message of one lane, not of 64"
        ):
            case.codec.pop(message)
        assert message.is_empty
    for value in case.refused:
        message = Message(lanes)
        message.push(Uniform(2**28), np.arange(1000))
        before = message.copy()
        with pytest.raises(SymbolError):
            case.codec.push(message, value)
        assert message == before


@ALL
def test_what_is_refused_leaves_the_range_encoder_as_it_was(case):
    encoder, plain = RangeEncoder(), RangeEncoder()
    for value in case.values if case.range_coder else []:
        for bad in case.refused:
            with pytest.raises(SymbolError):
                encoder.encode(case.codec, bad)
            with pytest.raises(SymbolError):  # part of it can be encoded
                encoder.encode(
                    Serial([Uniform(3), case.codec, Uniform(3)]), (0, bad, 1)
                )
        encoder.encode(case.codec, value)
        plain.encode(case.codec, value)
    if not case.range_coder:
        with pytest.raises(MessageError, match="needs a Message"):
            encoder.encode(Serial([case.codec, Uniform(3)]), (case.values[0], 1))
    assert encoder.finish() == plain.finish()


@ALL
def test_what_cannot_be_coded_is_named_by_its_position(case):
    if not case.range_coder:
        return
    for bad in case.refused:
        with pytest.raises(SymbolError, match="at position 1 cannot be coded"):
            encode_sequence(
                [case.values[0], bad], Everywhere(case.codec), predictive=True
            )


@ALL
def test_damage_is_an_error_or_other_data(case):
    """Any message: a value of the codec, or an error of the library, never more."""
    rng = np.random.default_rng(0)
    for size in [0, 1, 2, 5, 9, 20, 60, 400] if case.range_coder else []:
        for data in (rng.bytes(size) + b"\1", b"\xff" * (size + 1)):
            decoder = RangeDecoder(Message.from_bytes(data))
            try:
                value = decoder.decode(case.codec)
            except BbansError:
                continue
            RangeEncoder().encode(case.codec, value)


# ---- the range coder's two ends


def test_arrays_come_first_in_first_out():
    encoder = RangeEncoder()
    encoder.encode(Uniform(10, 5), [0, 1, 2, 3, 4])
    encoder.encode(Poisson(3.0), 7)
    decoder = RangeDecoder(encoder.finish())
    assert [decoder.decode(Uniform(10)) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert decoder.decode(Poisson(3.0)) == 7
    decoder.check()


def test_a_push_outside_encode_is_refused():
    """A codec of several pushes would come out in the wrong order."""
    encoder = RangeEncoder()
    for push in (
        lambda: Serial([Uniform(2), Uniform(3)]).push(encoder, (1, 2)),
        lambda: encoder.push(Poisson(2.0), 1),
        lambda: encoder.push_interval(0, 1, 2),
    ):
        with pytest.raises(MessageError, match=r"encode\(codec, value\)"):
            push()

    class Nested:
        def push(self, message, value):
            message.encode(Uniform(2), value)

    with pytest.raises(MessageError, match="in use"):
        encoder.encode(Nested(), 1)
    encoder.encode(Uniform(2), 1)
    assert encoder.finish().to_bytes() == b"\3"
    with pytest.raises(MessageError, match="spent"):
        encoder.encode(Uniform(2), 1)


def test_a_decoder_cannot_be_pushed_to_nor_an_encoder_popped_from():
    encoder, decoder = RangeEncoder(), RangeDecoder(Message())
    for call in (
        lambda: decoder.push(Uniform(2), 1),
        lambda: encoder.pop(Poisson(2.0)),
    ):
        with pytest.raises(MessageError, match="first in, first out"):
            call()
    with pytest.raises(MessageError, match="__init__"):
        RangeDecoder.__new__(RangeDecoder).pop(Uniform(2))


def test_a_decoder_that_refuses_an_array_is_as_it_was():
    encoder = RangeEncoder()
    encoder.encode(UniformRange(0, 10**6, 9), np.arange(9) * 10**5)
    decoder = RangeDecoder(encoder.finish())
    with pytest.raises(SymbolError, match="data type does not hold"):
        decoder.decode(UniformRange(0, 10**6, 9, dtype=np.int16))
    assert decoder.decode(UniformRange(0, 10**6, 9))[8] == 8 * 10**5
    decoder.check()


def test_one_interval_goes_on_the_first_lane():
    message, whole = Message(3), Message(3)
    message.push_interval(2, 1, 5)
    whole.push_interval([2, 0, 0], [1, 5, 5], 5)
    assert message == whole
    assert message.peek(5)[0] == 2
    message.advance(2, 1, 5)
    assert message.is_empty


@pytest.mark.parametrize(
    ("codec", "value", "text"),
    [
        (Poisson([1.0, 2.0, 3.0]), [1, 0, -4], "value -4 at position 2 cannot"),
        (UniformRange(0, 9, 2), [9, 12], "value 12 at position 1 .*outside 0 .. 9"),
        (Gaussian(np.zeros(2), 1.0), np.array([2, 2**63], np.uint64), "not below"),
        (Categorical(TABLE, 0, 3), [0, 1, 7], "symbol 7 at position 2"),
    ],
)
def test_a_value_that_is_refused_is_named(codec, value, text):
    with pytest.raises(SymbolError, match=text):
        codec.push(Message(), value)
    with pytest.raises(SymbolError, match=text):
        RangeEncoder().encode(codec, value)


# ---- stored vectors

VALUES = json.loads((Path(__file__).parent / "vectors/values_v1.json").read_text())
SHAPES = {
    "gaussian": GAUSSIAN,
    "logistic": LOGISTIC,
    "laplace": Family.laplace(),
}


def codec_of(law, given, rows, n):
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    if law == "range":
        return UniformRange(given["low"], given["high"], n)
    if n == 0:
        return Gaussian(np.zeros(0), 1.0)
    if law == "located":
        at, by = columns[0].astype(np.int64), columns[1].astype(np.int32)
        return LocationScale(SHAPES[given["shape"]], at, by)
    if law == "mixture":
        at, by = columns[1].astype(np.int64), columns[2].astype(np.int32)
        return Mixture(
            SHAPES[given["shape"]], columns[0], at, by, given["low"], given["high"]
        )
    if law == "geometric":
        return Geometric(columns[0].astype(np.int32))
    fixed = [column.astype(np.uint32) for column in columns]
    return getattr(distributions, law.title().replace("_", ""))(*fixed)


@pytest.mark.parametrize("case", VALUES["cases"])
def test_range_codes_of_values(case):
    n, integer = len(case["values"]), int(case["integer"], 16)
    codec = codec_of(case["law"], case["given"], case["rows"], n)
    data = integer.to_bytes((integer.bit_length() + 7) // 8, "little")
    encoder = RangeEncoder()
    encoder.encode(codec, np.array(case["values"], np.int64))
    assert encoder.finish().to_bytes() == data
    decoder = RangeDecoder(Message.from_bytes(data))
    assert decoder.decode(codec).tolist() == case["values"]
    decoder.check()


def test_the_vectors_are_whole():
    assert VALUES["format"] == 1
    assert len(VALUES["cases"]) == 48


# ---- check_codec


def test_it_measures_rate_and_start_up():
    report = check_codec([1, 2, 3], Uniform(2**20))
    assert report.n_values == 3
    assert report.bits == pytest.approx(20, abs=1e-6)
    assert report.startup == 0
    assert report.bits_error == 0
    assert report.message == 64  # 60 bits, and how many values are coded plainly
    report = check_codec([0, 2], BACK)
    assert report.startup == pytest.approx(np.log2(5), abs=0.01)
    assert "start-up             2.3 bits" in str(report)
    assert "range coder          refused" in str(report)


class Faulty(Uniform):
    """A uniform codec, and a fault that only one kind of call shows."""

    def __init__(self):
        super().__init__(6)
        self.calls = 0


class Off(Faulty):
    def pop(self, message):
        return (super().pop(message) + 1) % 6


class Leaving(Faulty):
    def push(self, message, value):
        message.push(Uniform(3), 1)
        super().push(message, value)


class Counting(Faulty):
    def push(self, message, value):
        self.calls += 1
        message.push(Uniform(7), self.calls % 7)
        super().push(message, value)

    def pop(self, message):
        value = super().pop(message)
        message.pop(Uniform(7))
        return value


class Looking(Faulty):
    """Looks at the bottom of the stack for what to push."""

    def _seen(self, message):
        tail = message.state()[1] if isinstance(message, Message) else ()
        return tail[0] % 6 if tail else 0

    def push(self, message, value):
        super().push(message, (value + self._seen(message)) % 6)

    def pop(self, message):
        seen = self._seen(message)
        return (super().pop(message) - seen) % 6


class Unpushable(Faulty):
    def pop(self, message):
        return super().pop(message) + 6 * (message.lanes > 1)


class SingleLane(Faulty):
    def push(self, message, value):
        message.push(Uniform(6), np.full(message.lanes, value, np.uint32))

    def pop(self, message):
        return int(message.pop(Uniform(6), message.lanes)[-1])


class Reversed(Faulty):
    """Pops in another order than a stack gives, to a decoder."""

    def pop(self, message):
        value = super().pop(message)
        return value if isinstance(message, Message) else 5 - value


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        (Off(), "does not pop again"),
        (Leaving(), "pop after push does not restore"),
        (Counting(), "pushed again, it gives another message"),
        (Looking(), "depends on what is deep below"),
        (Unpushable(), "64 lane"),
        (SingleLane(), "64 lane"),
        (Reversed(), "from the range coder: "),
        (Uniform(3), "value 4 at position 1, on 1 lane"),
        (object(), "codec must be a codec"),
    ],
)
def test_a_fault_of_a_codec_is_named(codec, text):
    with pytest.raises(ModelError, match=text):
        check_codec([1, 4], codec, samples=20)


def test_a_check_needs_values():
    with pytest.raises(ModelError, match="needs a value"):
        check_codec([], Uniform(3))


def test_a_model_report_has_the_start_up():
    x = [0, 1, 2, 1, 0]
    report = bbans.check_model(x, HMM.state_space())
    assert 0 <= report.startup < 3 * np.log2(3)
    assert f"start-up             {report.startup:.1f} bits" in str(report)
    report = bbans.check_model(x, Everywhere(Uniform(2**20)))
    assert report.startup == pytest.approx(20, abs=1e-3)
