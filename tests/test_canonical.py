"""What decodes is what encode writes: no message decodes that another input, or no
input at all, would have given; and marks, by which range decoders know it."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared import in_mode

import bbans
from bbans import records
from bbans.codecs import encode_sequence
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder
from bbans.models import HMM
from bbans.models.freeze_hmm import frozen_hmm

EXACT = settings(derandomize=True, deadline=None)
RNG = np.random.default_rng(3)


def dull(n_states, p):
    """Binary symbols of little information, so that tails often hold too little."""
    stay = np.full((n_states, n_states), 0.1 / n_states) + 0.9 * np.eye(n_states)
    emission = np.linspace([1 - p, p], [1 - p / 9, p / 9], n_states)
    return frozen_hmm(np.ones(n_states), stay, emission, prec=20)


HMMS = {
    "random": bbans.HMM.random(3, 5, seed=1).freeze(16),
    "dull": dull(2, 0.3),
    "contexts": bbans.ARHMM.fit(
        np.random.default_rng(0).choice(3, 400, p=[0.6, 0.3, 0.1]), 2, order=2, n_iter=1
    ).freeze(),
}
OTHER = bbans.HMM.random(3, 5, seed=2).freeze(16)
LINEAR = bbans.LGSSM([[0.9]], [[1.0]], [[0.3]], [[0.02]]).freeze()
VECTORS = bbans.MultivariateGaussianHMM(
    [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0], [1]], [[[0.3]], [[0.3]]]
).freeze()
ROWS = [LINEAR, VECTORS, VECTORS.with_mode("predictive")]


def attempts(n, most_bytes, seed):
    """Strings of bytes that are messages, and lengths."""
    draw = random.Random(seed)
    for _ in range(n):
        data = draw.randbytes(draw.randrange(most_bytes)) + bytes([draw.randrange(256)])
        if data[-1]:
            # A third end with the flag of the range coder.
            first = data[0] | 15 if draw.random() < 0.3 else data[0]
            yield bytes([first]) + data[1:], draw.randrange(1, 90)


def damaged(model, n, seed, predictive):
    """Messages with a bit flipped, and their lengths: of tails of little information
    too."""
    draw = np.random.default_rng(seed)
    for _ in range(n):
        x = draw.integers(0, model.n_symbols, model.start_length + draw.integers(1, 50))
        x[draw.integers(0, x.size) :] = 0
        data = bytearray(bbans.encode(x, in_mode(model, predictive)))
        bit = draw.integers(0, 8 * len(data))
        data[bit >> 3] ^= 1 << (bit & 7)
        if data[-1]:
            yield bytes(data), x.size


@pytest.mark.parametrize("name", HMMS)
@pytest.mark.parametrize("predictive", [False, True])
def test_bare_messages(name, predictive):
    model, taken, flagged = HMMS[name], 0, 0
    for data, length in (
        *attempts(1500, 12, 1),
        *damaged(model, 1000, 1, predictive),
    ):
        try:
            x = bbans.decode(data, in_mode(model, predictive), length)
        except bbans.CorruptError:
            continue
        assert bbans.encode(x, in_mode(model, predictive)) == data
        taken += length > model.start_length
        flagged += length > model.start_length and data[0] & 15 == 15
    assert taken > 40
    assert flagged > 5


def test_a_flag_that_no_encoder_would_choose():
    """223 = 13 * 16 + 15: after the flag, the range code 13 of 29 symbols."""
    model = HMMS["random"]
    x = bbans.decode(b"\x0d", in_mode(model, True), 29)
    assert bbans.encode(x, model).hex() == "864a07ee696885d703"
    with pytest.raises(bbans.CorruptError, match="length, mode, model or lanes"):
        bbans.decode(b"\xdf", model, 29)


def test_flags_that_encoders_do_choose():
    model, flagged = HMMS["dull"], 0
    for seed in range(300):
        x = HMM.from_frozen(model).sample(model.start_length + 40, seed=seed)[0]
        x[20:] = 0
        data = bbans.encode(x, model)
        flagged += data[0] & 15 == 15
        assert (bbans.decode(data, model, x.size) == x).all()
    assert flagged > 250


@pytest.mark.parametrize("model", ROWS)
def test_messages_of_rows(model):
    taken = 0
    for data, length in attempts(4000, 14, 2):
        try:
            x = bbans.decode(data, model, length)
        except bbans.CorruptError:
            continue
        assert bbans.encode(x, model) == data
        taken += length > model.start_length
    assert taken > 20


def test_packed_messages():
    model, taken = HMMS["dull"], 0
    for data, length in attempts(2500, 12, 3):
        lengths = [length, 0, model.start_length // 2, length, 9]
        try:
            parts = records.unchain(data, lengths, model)
        except bbans.CorruptError:
            continue
        assert records.chain(parts, model) == data
        taken += 1
    assert taken > 40


def test_batches():
    model, taken = HMMS["dull"], 0
    for data, length in attempts(2500, 12, 4):
        offsets = [0, len(data), 2 * len(data)]
        try:
            parts = records.decode_batch(data * 2, offsets, [length, length], model)
        except bbans.CorruptError:
            continue
        again, ends = records.encode_batch(parts, model)
        assert (again, ends.tolist()) == (data * 2, offsets)
        taken += 1
    assert taken > 40


def test_models_in_python():
    """The schedule of any model, by the codecs of an HMM."""
    frozen, taken = HMMS["random"], 0
    model = frozen.state_space()
    for data, length in attempts(600, 12, 5):
        try:
            x = bbans.codecs.decode_sequence(Message.from_bytes(data), model, length)
        except bbans.CorruptError:
            continue
        assert encode_sequence(x, model).to_bytes() == data
        taken += length > frozen.start_length
    assert taken > 10


# ---- marks


def intervals(seed, n):
    draw = random.Random(seed)
    for _ in range(n):
        total = draw.choice([2, 3, 16, 1000, 1 << 20, 1 << 28])
        freq = draw.choice([1, total, draw.randrange(1, total + 1)])
        yield draw.randrange(total - freq + 1), freq, total


def code_of(parts):
    encoder = RangeEncoder()
    for part in parts:
        encoder.encode_interval(*part)
    return encoder.finish()


def decoded(message, parts, mark, bits):
    decoder = RangeDecoder(message)
    for i, (start, freq, total) in enumerate(parts):
        if i == mark:
            decoder.mark(bits)
        assert start <= decoder.peek(total) < start + freq
        decoder.advance(start, freq, total)
    decoder.check()


@EXACT
@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 30))
@example(0, 0, 1)
def test_a_mark_refuses_what_could_have_started_bits_back(seed, before, after):
    """By itself, what follows is an integer of so many bits: that is the bound."""
    parts = [*intervals(seed, before + after)]
    own = code_of(parts[before:])
    bits = int.from_bytes(own.to_bytes(), "little").bit_length() - 1
    message = code_of(parts)
    for longer in (1, 2, 17, 70):
        decoded(message, parts, before, bits + longer)
    for shorter in {0, 1, 2, 7, 8, 9, 40, bits} & {*range(bits + 1)}:
        with pytest.raises(bbans.CorruptError):
            decoded(message, parts, before, bits - shorter)


@pytest.mark.parametrize("bits", [-1, 65536])
def test_marks_that_cannot_be(bits):
    with pytest.raises(bbans.ModelError, match=f"bits must be .* not {bits}"):
        RangeDecoder(Message()).mark(bits)


# ---- what cannot be told


def test_the_mode_belongs_to_the_model():
    """No message says its mode, and no call asks for it: the model has it, and one of
    the other mode is another model, which containers refuse."""
    hmm = bbans.HMM.random(3, 5, seed=1)
    model, other = hmm.freeze(16), hmm.freeze(16, predictive=True)
    assert model != other == model.with_mode("predictive")
    assert model.fingerprint != other.fingerprint
    x = hmm.sample(60, seed=0)[0]
    for one, another in ((model, other), (other, model)):
        assert (one.decode(one.encode(x), 60) == x).all()
        with pytest.raises(bbans.WrongModelError, match=one.fingerprint.hex()):
            bbans.decompress(bbans.compress(x, one), another)


@pytest.mark.parametrize(
    "restore",
    [
        lambda data, model: bbans.decode(data, model, 61),
        lambda data, model: bbans.decode(data, in_mode(model, True), 60),
        lambda data, model: bbans.decode(
            data, bbans.HMM.random(3, 5, seed=2).freeze(16), 60
        ),
        lambda data, model: records.unchain(data, [30, 31], model),
        lambda data, model: records.decode_batch(data, [0, len(data)], [61], model),
        lambda data, model: bbans.codecs.decode_sequence(
            Message.from_bytes(data), model.state_space(), 61
        ),
        lambda data, model: Message.from_bytes(data + b"\0"),
        lambda data, model: Message.from_bytes(data, lanes=64),
        lambda data, model: Message.from_bytes(Message(64).to_bytes()),
    ],
    ids=range(9),
)
def test_errors_name_what_may_differ(restore):
    hmm = bbans.HMM.random(3, 5, seed=1)
    model, refused = hmm.freeze(16), 0
    for seed in range(12):
        data = bbans.encode(hmm.sample(60, seed=seed)[0], model)
        try:
            restore(data, model)
        except bbans.CorruptError as error:
            text = str(error)
            refused += all(word in text for word in ("length", "mode", "model"))
        else:
            continue
    assert refused > 3
