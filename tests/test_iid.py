"""Values one after another: a start without random bits, for any codec."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans import CorruptError, Message, ModelError, SymbolError, check_codec
from bbans.codecs import (
    BitsBack,
    Dependent,
    Iconoclasm,
    Schedule,
    Serial,
    decode_iid,
    encode_iid,
)
from bbans.distributions import (
    Categorical,
    Family,
    Gaussian,
    Multivariate,
    Poisson,
    Table,
    Uniform,
    Weighted,
)
from bbans.errors import MessageError

EXACT = settings(derandomize=True, deadline=None, max_examples=60)

PRIOR = Table([0, 5, 16], 4)
EMISSION = Table([[0, 1, 6, 16], [0, 14, 15, 16]], 4)
JOINT = np.array([[5 * 1, 5 * 5, 5 * 10], [11 * 14, 11 * 1, 11 * 1]])  # 2^-8
LETTERS = BitsBack(
    Categorical(PRIOR),
    lambda z: Categorical(EMISSION, z),
    lambda x: Weighted(JOINT[:, x % 3]),
)
LEVELS = BitsBack(
    BitsBack(
        Gaussian(np.zeros(20), 60.0),
        lambda z: Gaussian(z.astype(float), 25.0),
        lambda y: Gaussian(0.85 * y, 23.0, leak=False),
    ),
    lambda y: Gaussian(y.astype(float), 6.0),
    lambda x: Gaussian(0.99 * x, 5.9, leak=False),
)
TOP_DOWN = BitsBack(
    Dependent([Gaussian(0.0, 50.0), lambda a: Gaussian(a, 9.0)]),
    lambda z: Serial([Gaussian(z[1], 3.0), Poisson(4.0)]),
    lambda x: Dependent(
        [Gaussian(x[0], 9.0, leak=False), lambda a: Gaussian((a + x[0]) / 2, 3.0)]
    ),
)


class Chain:
    def parents(self, node):
        return {"x": ["z"], "z": []}[node]

    def conditional(self, node, values):
        return Gaussian(values["z"], 3.0) if values else Gaussian(0.0, 90.0)

    def posterior(self, node, known):
        return Gaussian(known["x"], 3.0, leak=False)


GRAPH = Schedule.eager(Chain(), ["z"], ["x"])


def images(n, seed=0):
    rng = np.random.default_rng(seed)
    return [np.rint(rng.normal(0, 60, 20)).astype(np.int64) for _ in range(n)]


CASES = {
    "letters": (LETTERS, [0, 1, 2, 2, 1, 0] * 40),
    "few letters": (LETTERS, [2, 1]),
    "two levels of arrays": (LEVELS, images(5)),
    "one array": (LEVELS, images(1)),
    "top down": (TOP_DOWN, [(t * 7 % 90 - 45, t % 9) for t in range(60)]),
    "a graph": (GRAPH, [{"x": t * t % 200 - 100} for t in range(50)]),
    "no bits back": (Poisson(4.0), [3, 5, 4, 0]),
    "serial": (Serial([LETTERS, Uniform(9)]), [(t % 3, t % 9) for t in range(90)]),
    "intervals": (Multivariate([0, 0], [512, 512]), [(1, 5), (-4, 0)]),
    "nothing": (LETTERS, []),
}


def same(a, b):
    return len(a) == len(b) and all(map(np.array_equal, a, b))


@pytest.mark.parametrize("name", CASES)
def test_values_come_back_from_nothing(name):
    codec, values = CASES[name]
    data = encode_iid(values, codec).to_bytes()
    assert encode_iid(values, codec).to_bytes() == data
    assert same(decode_iid(Message.from_bytes(data), codec, len(values)), values)


@pytest.mark.parametrize("name", CASES)
def test_values_come_back_from_initial_bits(name):
    codec, values = CASES[name]
    message = encode_iid(values, codec, initial_bits=b"bits to start from")
    other = message.copy()
    assert same(
        decode_iid(message, codec, len(values), initial_bits=b"bits to start from"),
        values,
    )
    with pytest.raises(CorruptError, match="does not end as it was started"):
        decode_iid(other, codec, len(values), initial_bits=b"other bits")


@EXACT
@given(st.lists(st.integers(0, 2), max_size=60), st.binary(max_size=4))
def test_a_message_decodes_only_if_it_is_the_one_of_its_values(values, data):
    message = encode_iid(values, LETTERS)
    assert decode_iid(message.copy(), LETTERS, len(values)) == values
    try:
        other = Message.from_bytes(message.to_bytes() + data)
    except CorruptError:  # zeros at its end
        return
    for n in {len(values), len(values) + 1, max(0, len(values) - 1)}:
        again = other.copy()
        try:
            decoded = decode_iid(again, LETTERS, n)
        except CorruptError:
            continue
        assert encode_iid(decoded, LETTERS) == other


VECTORS = json.loads((Path(__file__).parent / "vectors/iid_v1.json").read_text())


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 24


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_messages_are_the_stored_ones(case):
    """Of this version, and of the reference, which decodes them too."""
    prior, emission, posterior = case["prior"], case["emission"], case["posterior"]
    codec = BitsBack(
        Weighted(prior),
        lambda z: Weighted(emission[z]),
        lambda x: Weighted(posterior[x]),
    )
    xs, data = case["xs"], bytes.fromhex(case["bytes"])
    assert encode_iid(xs, codec).to_bytes() == data
    assert ref.encode_iid(prior, emission, posterior, xs) == data
    assert ref.decode_iid(prior, emission, posterior, data, len(xs)) == xs
    for n in range(len(xs) + 2):
        try:
            decoded = decode_iid(Message.from_bytes(data), codec, n)
        except CorruptError:
            with pytest.raises(ref.Damage):
                ref.decode_iid(prior, emission, posterior, data, n)
        else:
            assert ref.decode_iid(prior, emission, posterior, data, n) == decoded


def plain_values(message, n):
    """How many values the start has: the count is what is popped first."""
    low = Uniform(n.bit_length() + 1).pop(message) - 1
    return 0 if low < 0 else (1 << low) + Uniform(1 << low).pop(message)


def test_the_start_costs_what_the_modes_cost():
    """-log2 Q(mode | x) for each value of the start, a count, and no more."""
    values = [0, 1, 2, 2, 1, 0] * 40
    message = encode_iid(values, LETTERS)
    count = plain_values(message.copy(), len(values))
    assert 10 <= count <= 30  # for 40 bits, some 2 a value
    weights = JOINT.sum(0) / 2**8
    content = -sum(math.log2(weights[x]) for x in values)
    modes = JOINT.max(0) / JOINT.sum(0)
    start = -sum(math.log2(modes[x]) for x in values[-count:])
    low = count.bit_length() - 1
    flag = math.log2(len(values).bit_length() + 1) + low
    # The first pushes, onto the integer 1, round by up to 2 bits.
    assert message.bits == pytest.approx(content + start + flag, abs=2)


def test_one_image_starts_a_message():
    values = images(6)
    assert plain_values(encode_iid(values, LEVELS), 6) == 1
    lent = np.random.default_rng(0).bytes(4000)
    net = encode_iid(values, LEVELS, initial_bits=lent).bits - 8 * len(lent)
    over = encode_iid(values, LEVELS).bits - net
    # Two levels of 20 latents, about log2(sqrt(2 pi) sigma) bits each.
    modes = 20 * (math.log2(math.sqrt(2 * math.pi) * 5.9))
    modes += 20 * (math.log2(math.sqrt(2 * math.pi) * 23))
    assert over == pytest.approx(modes, abs=30)


def test_no_draw_is_made_from_a_message_that_is_nearly_dry():
    """Each latent drawn leaves 2**40 or more."""
    drawn = []

    class Spy(Gaussian):
        def pop(self, message):
            value = super().pop(message)
            if type(message) is Message:
                drawn.append(message.is_at_least(40))
            return value

    codec = BitsBack(
        Gaussian(0.0, 90.0),
        lambda z: Gaussian(z, 3.0),
        lambda x: Spy(x, 3.0, leak=False),
    )
    encode_iid(list(range(50)), codec)
    assert len(drawn) > 40
    assert all(drawn)


def test_a_latent_that_is_no_mode_is_damage():
    """As written under another posterior."""
    other = BitsBack(
        Categorical(PRIOR),
        lambda z: Categorical(EMISSION, z),
        lambda x: Weighted(JOINT[::-1, x]),
    )
    for x in range(3):
        message = encode_iid([x], other)
        assert decode_iid(message.copy(), other, 1) == [x]
        with pytest.raises(CorruptError, match="latent is not the mode"):
            decode_iid(message, LETTERS, 1)


@pytest.mark.parametrize("name", ["no bits back", "intervals"])
def test_codecs_that_draw_nothing_need_no_start(name):
    codec, values = CASES[name]
    assert plain_values(encode_iid(values, codec), len(values)) == 0


def test_what_cannot_be_coded():
    with pytest.raises(SymbolError, match="observation 3 at position 1 cannot be"):
        encode_iid([0, 3, 1], LETTERS)
    with pytest.raises(SymbolError, match="observation 7 at position 0 cannot be"):
        encode_iid([7, *[1] * 100], LETTERS)
    with pytest.raises(SymbolError, match="values must be a sequence"):
        encode_iid(3, LETTERS)


def test_draws_without_a_mode_are_refused():
    codec = BitsBack(
        Multivariate([0], [512]),
        lambda z: Gaussian([float(z[0])], 3.0),
        lambda x: Multivariate([int(x[0]) << 16], [512]),
    )
    with pytest.raises(MessageError, match="initial_bits"):
        encode_iid([[3]], codec)
    message = encode_iid([[3]], codec, initial_bits=bytes(range(40)))
    assert same(decode_iid(message, codec, 1, initial_bits=bytes(range(40))), [[3]])


def test_out_arrays_take_modes_too():
    class Out:
        def push(self, message, z):
            message.push(Gaussian(4.2, 3.0), z)

        def pop(self, message):
            out = np.empty(3, np.int16)
            message.pop(Gaussian(4.2, 3.0), out=out)
            return out

    codec = BitsBack(
        Gaussian([0.0] * 3, 9.0),
        lambda z: Gaussian(z.astype(float), 1.0),
        lambda x: Out(),
    )
    values = [np.array([1, 2, 3])]
    assert same(decode_iid(encode_iid(values, codec), codec, 1), values)


def test_sequences_of_a_model_without_a_predictive_start_by_themselves():
    class Walk:
        def prior(self, z):
            return Gaussian(z or 0.0, 9.0)

        def likelihood(self, z):
            return Gaussian(z, 3.0)

        def update(self, belief, x):
            return x

        def posterior(self, belief, z_next):
            return Gaussian(belief, 3.0, leak=False)

    codec = Iconoclasm(Walk(), 10)
    values = [list(range(k, k + 10)) for k in range(8)]
    assert decode_iid(encode_iid(values, codec), codec, 8) == values


def test_check_codec_measures_bits_back():
    values = [0, 1, 2, 2, 1, 0] * 20
    report = check_codec(values, LETTERS, samples=3)
    weights = JOINT.sum(0) / 2**8
    content = -sum(math.log2(weights[x]) for x in values)
    assert report.bits == pytest.approx(content / len(values), abs=1e-3)
    assert report.bits_error < 1e-3
    assert report.message == 8 * len(encode_iid(values, LETTERS).to_bytes())
    poor = BitsBack(
        Categorical(PRIOR), lambda z: Categorical(EMISSION, z), lambda x: Uniform(2)
    )
    worse = check_codec(values, poor, samples=20)
    elbo = sum(
        0.5 * math.log2(p)
        for x in values
        for p in 2**8 / 2 / JOINT[:, x]  # -log2 P(x, z) / Q(z), each z half the time
    )
    assert worse.bits > report.bits + 0.1
    assert worse.bits_error > 0.001
    assert abs(worse.bits - elbo / len(values)) < 5 * worse.bits_error
    assert f"+- {worse.bits_error:.3f} bits" in str(worse)


def test_check_codec_takes_posteriors_that_do_not_cover_the_prior():
    """Messages that no push writes may be refused by a pop."""
    codec = BitsBack(
        Gaussian(np.zeros(9), 90.0),
        lambda z: Gaussian(z.astype(float), 30.0),
        lambda x: Gaussian(0.9 * x, 3.0, leak=False),
    )
    report = check_codec([np.arange(9), np.arange(9) * 7], codec)
    assert report.several_lanes
    assert report.message is not None


def test_check_codec_draws_values_from_bits_back_too():
    """A fault that the given values do not show."""

    class Odd(Uniform):
        def push(self, message, value):
            if value == 3:
                raise SymbolError("3 is not taken")
            super().push(message, value)

    codec = BitsBack(Uniform(8), lambda z: Odd(4), lambda x: Uniform(8))
    with pytest.raises(ModelError, match=r"sample \d+ popped .*3 is not taken"):
        check_codec([0, 1, 2], codec, samples=50)


def test_check_codec_of_a_codec_that_cannot_start():
    codec = BitsBack(
        Multivariate([0], [512]),
        lambda z: Serial([Gaussian(float(z[0]), 3.0)]),
        lambda x: Multivariate([x[0] << 16], [512], family=Family.gaussian(leak=False)),
    )
    report = check_codec([(3,)], codec)
    assert report.message is None
    assert "message              none" in str(report)
