"""A sequence as one message: the C engine, the generic schedule and the reference
give the same bytes; what else decodes to nothing but an error."""

import random
from functools import partialmethod
from types import SimpleNamespace

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode, random_parameters, reference_of

from bbans import CorruptError, Message, ModelError, SymbolError
from bbans._lib import lib
from bbans.codecs import (
    Iconoclasm,
    SequenceModel,
    Serial,
    decode_sequence,
    encode_sequence,
)
from bbans.codecs.start import Pushes, push_count
from bbans.codecs.state_space import as_sequence_model
from bbans.distributions import Categorical, Table, Uniform, Weighted
from bbans.errors import MessageError
from bbans.frozen import FrozenHMM, FrozenModel
from bbans.models.freeze_hmm import frozen_hmm

# ---- models: small, of odd sizes, and hostile


def left_to_right(K, M):
    transition = np.triu(np.ones((K, K))) + 1e-300
    return np.eye(K)[0] + 1e-300, transition, random_parameters(K, M, 0.3)[2] + 1e-300


def periodic(K, M):
    emission = np.eye(M)[np.arange(K) % M] + 1e-300
    return np.eye(K)[0] + 1e-300, np.roll(np.eye(K), 1, axis=1) + 1e-300, emission


def tiny(K, M):
    """Every parameter 1e-300, but for one symbol that the states agree on."""
    emission = np.full((K, M), 1e-300)
    emission[:, 0] = 1
    return np.full(K, 1e-300) + np.eye(K)[0], np.eye(K) + 1e-300, emission


MODELS = {
    "one state": (random_parameters(1, 5, 1.0), 24, 9),
    "one symbol": (random_parameters(3, 1, 1.0), 24, 9),
    "one of each": ([[1.0], [[1.0]], [[1.0]]], 1, 4),
    "least precision": (random_parameters(2, 2, 1.0), 1, 45),
    "3 bits": (random_parameters(7, 8, 1.0), 3, 20),
    "15 bits": (random_parameters(5, 3, 1.0), 15, 30),
    "16 bits": (random_parameters(5, 3, 1.0), 16, 30),
    "17 states": (random_parameters(17, 33, 1.0), 24, 12),
    "16 states": (random_parameters(16, 16, 0.1), 28, 30),
    "peaked": (random_parameters(15, 10, 0.02), 28, 30),
    "left to right": (left_to_right(9, 5), 24, 20),
    "periodic": (periodic(6, 4), 24, 60),
    "periodic, 28 bits": (periodic(19, 3), 28, 3),
    "tiny": (tiny(4, 5), 28, 50),
}


def frozen(name):
    parameters, prec, start_length = MODELS[name]
    model = frozen_hmm(*parameters, prec=prec)
    tables = (model.initial, model.transition, model.emission)
    return FrozenHMM(*tables, prec=prec, start_length=start_length)


def draw(model, T, seed):
    """Drawn from the model in its first half, then of equally likely symbols."""
    rng, xs, row = random.Random(seed), [], model.initial
    for _ in range(T):
        z = rng.choices(range(model.n_states), weights=row.tolist())[0]
        xs += rng.choices(range(model.n_symbols), weights=model.emission[z].tolist())
        row = model.transition[z]
    rest = range(T // 2, T) if seed % 2 else []
    for t in rest:
        xs[t] = rng.randrange(model.n_symbols)
    return xs


def lengths(c):
    return sorted({0, 1, 2, c - 1, c, c + 1, c + 2, 40, 300})


# ---- the same bytes three times


@pytest.mark.parametrize("name", MODELS)
def test_three_implementations_give_the_same_bytes(name):
    model = frozen(name)
    theirs, generic = reference_of(model), model.state_space()
    for T in lengths(model.start_length):
        xs = draw(model, T, seed=T)
        data = encode_sequence(xs, model).to_bytes()
        assert data == ref.encode(theirs, xs)
        assert data == encode_sequence(xs, generic).to_bytes()
        assert ref.decode(theirs, data, T) == xs
        assert decode_sequence(Message.from_bytes(data), generic, T) == xs
        decoded = decode_sequence(Message.from_bytes(data), model, T)
        assert decoded.dtype == np.uint32
        assert decoded.tolist() == xs


@pytest.mark.parametrize("name", MODELS)
def test_every_isa_gives_the_same_bytes(name, best_isa_afterwards):
    model = frozen(name)
    xs = draw(model, 300, seed=7)
    data = ref.encode(reference_of(model), xs)
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        again = frozen(name)  # its tables may be laid out for the set
        assert encode_sequence(xs, again).to_bytes() == data
        decoded = decode_sequence(Message.from_bytes(data), again, len(xs))
        assert decoded.tolist() == xs


@pytest.mark.parametrize("name", MODELS)
def test_predictive_coding_gives_the_same_bytes_three_times(name):
    model = frozen(name)
    theirs, generic = reference_of(model), model.state_space()
    for T in lengths(model.start_length)[:6]:
        xs = draw(model, T, seed=T)
        model = in_mode(model, True)
        data = encode_sequence(xs, model).to_bytes()
        assert data == ref.encode_predictive(theirs, xs)
        assert data == encode_sequence(xs, generic, predictive=True).to_bytes()
        message = Message.from_bytes(data)
        assert decode_sequence(message, model, T).tolist() == xs
        message = Message.from_bytes(data)
        assert decode_sequence(message, generic, T, predictive=True) == xs


@pytest.mark.parametrize("name", MODELS)
def test_recursions_equal_the_reference(name):
    model = frozen(name)
    theirs, xs = reference_of(model), draw(model, 60, seed=3)
    filtered, predicted = model.filter(xs)
    their_filtered, their_predicted = ref.forward(theirs, xs)
    assert filtered.tolist() == their_filtered
    assert predicted.tolist() == their_predicted
    half, middle = model.filter(xs[:30])
    rest, end = model.filter(xs[30:], middle)
    assert np.array_equal(np.concatenate([half, rest]), filtered)
    assert np.array_equal(end, predicted)
    for t in (0, 1, 59):
        for z in (None, *range(model.n_states)):
            assert model.posterior(filtered[t], z).tolist() == ref.posterior(
                theirs, their_filtered[t], z
            )
    for ours, p in ((None, theirs.initial), (middle, middle.tolist())):
        assert model.predictive_cdf(ours).tolist() == ref.predictive_edges(
            theirs, p, []
        )


@pytest.mark.parametrize("name", ["17 states", "periodic", "one state"])
def test_a_small_workspace_changes_nothing(name, monkeypatch):
    """The C engine then keeps checkpoints, and computes each message twice."""
    model = frozen(name)
    workspace = FrozenModel._workspace
    for T in (1, 61, 62, 65, 200, 1000):
        xs = draw(model, T, seed=T)
        monkeypatch.undo()
        data = encode_sequence(xs, model).to_bytes()
        for limit in (0, 64 * 100, 64 * 700):
            monkeypatch.setattr(
                FrozenModel, "_workspace", partialmethod(workspace, limit=limit)
            )
            assert encode_sequence(xs, model).to_bytes() == data
        assert decode_sequence(Message.from_bytes(data), model, T).tolist() == xs


@pytest.mark.parametrize("last", [0, 1])
def test_the_schedule_starts_from_40_bits(last):
    """40 symbols of one bit each: the integer is 2^40 or more unless they end in 0."""
    model = FrozenHMM([2], [[2]], [[1, 1]], prec=1, start_length=40)
    xs = [1] * 10 + [0, 1] * 19 + [1, last]
    theirs = reference_of(model)
    assert (ref.range_encode(theirs, ([2], xs[:10], xs[10:])) >= 2**40) == last
    for space in (model, model.state_space()):
        message = encode_sequence(xs, space)
        assert (message.peek(16)[0] < 15) == last
        assert message.to_bytes() == ref.encode(theirs, xs)
        assert list(decode_sequence(message, space, len(xs))) == xs
    if last:  # one bit less at the end, and the start has less than 40
        short = ref.Message.from_int(2**39 + 1)
        ref.schedule_push(theirs, short, xs[:10])
        short.push(0, 15, 16)
        for space in (model, model.state_space()):
            with pytest.raises(CorruptError):
                decode_sequence(Message.from_bytes(short.to_bytes()), space, len(xs))


def test_symbols_of_any_integer_type():
    model = frozen("17 states")
    xs = draw(model, 50, seed=1)
    data = encode_sequence(xs, model).to_bytes()
    for dtype in (np.uint8, np.int16, np.int64, ">u4", np.uint64):
        assert encode_sequence(np.array(xs, dtype), model).to_bytes() == data
    every_other = np.repeat(np.array(xs, np.uint32), 2)[::2]
    assert encode_sequence(every_other, model).to_bytes() == data
    assert encode_sequence(np.array([], float), model).to_bytes() == b"\1"


# ---- models without a predictive distribution, and models of one's own


def without_predictive(model):
    space = model.state_space()
    names = ("prior", "likelihood", "update", "posterior")
    return SimpleNamespace(**{name: getattr(space, name) for name in names})


@pytest.mark.parametrize("T", [0, 1, 2, 50])
@pytest.mark.parametrize("seed", [b"", b"\0", b"some bits to start from", bytes(9)])
def test_initial_bits_come_back(T, seed):
    model = frozen("15 bits")
    xs, bare = draw(model, T, seed=1), without_predictive(model)
    message = encode_sequence(xs, bare, initial_bits=seed)
    theirs = ref.Message.from_bytes(seed + b"\1")
    ref.schedule_push(reference_of(model), theirs, xs)
    data = message.to_bytes()
    assert data == theirs.to_bytes()
    assert decode_sequence(Message.from_bytes(data), bare, T, initial_bits=seed) == xs
    for wrong in (seed + b"x", b"\7" + seed[1:], b"other"):
        with pytest.raises(CorruptError, match="initial bits"):
            decode_sequence(Message.from_bytes(data), bare, T, initial_bits=wrong)


@pytest.mark.parametrize("T", [0, 1, 2, 7, 30, 100, 400])
def test_without_predictive_the_end_goes_at_modes(T):
    model = frozen("15 bits")
    xs, bare = draw(model, T, seed=2), without_predictive(model)
    message = encode_sequence(xs, bare)
    assert message.to_bytes() == ref.encode_at_modes(reference_of(model), xs)
    assert decode_sequence(message.copy(), bare, T) == xs
    if T >= 100:  # some 60 bits, once
        net = encode_sequence(xs, model).bits
        assert 0 < message.bits - net < 90


@pytest.mark.parametrize("T", [1, 5, 12, 20, 31, 60])
def test_a_message_at_modes_is_that_of_its_sequence(T):
    """Whatever decodes, under a wrong length or when damaged, is encoded so."""
    model = frozen("15 bits")
    bare = without_predictive(model)
    data = encode_sequence(draw(model, T, seed=T), bare).to_bytes()
    refused = 0
    for bit in range(-1, 8 * len(data)):
        blob = bytearray(data)
        if bit >= 0:
            blob[bit // 8] ^= 1 << bit % 8
        for n in (T - 1, T, T + 1) if bit < 0 else (T,):
            try:
                message = Message.from_bytes(bytes(blob))
                again = decode_sequence(message.copy(), bare, n)
            except CorruptError:
                refused += 1
                assert bit >= 0 or n != T
            else:
                assert encode_sequence(again, bare) == message
    assert refused > 0


@pytest.mark.parametrize(("more", "text"), [(-1, "too early"), (1, "too late")])
def test_another_start_than_the_encoder_takes_is_damage(more, text):
    model = frozen("15 bits")
    xs, bare = draw(model, 80, seed=5), without_predictive(model)
    message = encode_sequence(xs, bare)
    low = message.pop(Uniform(8)) - 1
    plain = (1 << low) + message.pop(Uniform(1 << low)) + more
    coder, message = as_sequence_model(bare), Message()
    for t in reversed(range(80 - plain, 80)):
        coder._at_modes(coder._beliefs(xs[:t])).push(Pushes(message), xs[t])
    coder.push(message, xs[: 80 - plain])
    push_count(message, plain, 80)
    with pytest.raises(CorruptError, match=text):
        decode_sequence(message, bare, 80)


def test_a_model_without_predictive_has_no_predictive_mode():
    bare = without_predictive(frozen("15 bits"))
    with pytest.raises(ModelError, match="no predictive distribution"):
        encode_sequence([0, 1], bare, predictive=True)
    with pytest.raises(ModelError, match="no predictive distribution"):
        decode_sequence(Message(), bare, 2, predictive=True)


class Mixed:
    """Independent observations that need every kind of codec; the state says little."""

    start_length = 4
    table = Table([[0, 1, 6, 16], [0, 14, 15, 16]], 4)
    x = Serial(
        [
            Uniform(1000),
            Categorical(table, [[0, 1], [1, 0]]),
            Weighted([[0, 3, 0, 5], [2**27, 2**27, 0, 0]]),
            Uniform(2**28, 2),
            Weighted([7, 0, 1]),
        ]
    )
    values = (999, [[0, 1], [2, 2]], [1, 0], [5, 2**28 - 1], 2)

    def prior(self, z):
        return Uniform(3)

    def likelihood(self, z):
        return self.x

    def update(self, belief, x):
        return None

    def posterior(self, belief, z_next):
        return Uniform(3)

    def predictive(self, belief):
        return self.x


@pytest.mark.parametrize("predictive", [False, True])
@pytest.mark.parametrize("T", [0, 1, 4, 5, 20])
def test_observations_of_every_kind(T, predictive):
    message = encode_sequence([Mixed.values] * T, Mixed(), predictive=predictive)
    data = message.to_bytes()
    decoded = decode_sequence(
        Message.from_bytes(data), Mixed(), T, predictive=predictive
    )
    assert len(decoded) == T
    for value in decoded:
        for part, expected in zip(value, Mixed.values, strict=True):
            assert np.array_equal(part, expected)


def wrong(index, part):
    return [Mixed.values, (*Mixed.values[:index], part, *Mixed.values[index + 1 :])]


@pytest.mark.parametrize(
    "xs",
    [
        wrong(0, 1000),
        wrong(0, -1),
        wrong(1, [[0, 1], [2, 3]]),
        wrong(1, [0, 1]),
        wrong(2, [1, 4]),
        wrong(2, [0, 0]),  # of weight 0
        wrong(4, 1),  # of weight 0
        wrong(4, 3),
        [Mixed.values[:4]],
    ],
)
def test_observations_that_cannot_be_coded(xs):
    for predictive in (False, True):
        with pytest.raises(ModelError):
            encode_sequence(xs, Mixed(), predictive=predictive)


class Backwards(SequenceModel):
    """A model that codes whole sequences in a way of its own: the last first."""

    def __init__(self, model):
        self.model = model

    def push(self, message, x):
        self.model.push(message, x[::-1])

    def pop(self, message, length):
        return self.model.pop(message, length)[::-1]

    def encode_message(self, x):
        return self.model.encode_message(x[::-1])

    def decode_message(self, message, length):
        return self.model.decode_message(message, length)[::-1]

    def state_space(self):
        return self.model.state_space()


def test_a_model_may_code_sequences_by_itself():
    model = frozen("15 bits")
    xs = draw(model, 50, seed=1)
    message = encode_sequence(xs, Backwards(model))
    assert message == encode_sequence(xs[::-1], model)
    assert decode_sequence(message, Backwards(model), 50).tolist() == xs
    message = Message.from_bytes(b"what is there\1")
    codec = Iconoclasm(Backwards(model), 50)
    codec.push(message, xs)
    assert codec.pop(message).tolist() == xs
    assert message == Message.from_bytes(b"what is there\1")


# ---- refusals


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("predictive", [False, True])
@pytest.mark.parametrize("T", [4, 40])
def test_symbols_out_of_range_are_named_with_their_position(stepwise, predictive, T):
    model, mode = in_mode(frozen("17 states"), predictive), {}
    if stepwise:
        model, mode = model.state_space(), {"predictive": predictive}
    for position in (0, 3, T - 1):
        xs = [0] * T
        xs[position] = 33
        with pytest.raises(SymbolError, match=f"33 at position {position} "):
            encode_sequence(xs, model, **mode)
        xs[position] = -1
        with pytest.raises(SymbolError, match=f"-1 at position {position} "):
            encode_sequence(xs, model, **mode)


@pytest.mark.parametrize("xs", [[0.0, 1.0], ["a"], "ab", b"ab", [True], [2**32]])
def test_data_of_other_types(xs):
    with pytest.raises(SymbolError):
        encode_sequence(xs, frozen("17 states"))


def test_lengths_and_lanes_that_cannot_be():
    model = frozen("17 states")
    for space in (model, model.state_space()):
        with pytest.raises(ModelError, match="at least 0"):
            decode_sequence(Message(), space, -1)
    with pytest.raises(MessageError):
        decode_sequence(Message(2), model, 1)


# ---- damage


def decode_or_none(model, data, T, **mode):
    """The symbols; None for damage, the only error that may come."""
    try:
        message = Message.from_bytes(data)
        decoded = list(decode_sequence(message, model, T, **mode))
    except CorruptError:
        return None
    assert len(decoded) == T
    return decoded


def reference_or_none(model, data, T, predictive=False):
    try:
        decode = ref.decode_predictive if predictive else ref.decode
        return decode(model, data, T)
    except ref.Damage:
        return None


@pytest.mark.parametrize("predictive", [False, True])
@pytest.mark.parametrize("name", ["15 bits", "peaked", "periodic", "tiny", "3 bits"])
def test_damage_is_an_error_or_other_symbols_of_the_same_number(name, predictive):
    """All three decoders agree on which."""
    model = in_mode(frozen(name), predictive)
    theirs, generic = reference_of(model), model.state_space()
    rng = random.Random(1)
    T = model.start_length + 15
    xs = draw(model, T, seed=1)
    data = encode_sequence(xs, model).to_bytes()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data + b"\1", data + bytes(4) + b"\1", b"\1" + data]
    damaged += [rng.randbytes(rng.randrange(40)) + b"\1" for _ in range(20)]
    for i in range(8 * len(data)):
        damaged.append(bytearray(data))
        damaged[-1][i // 8] ^= 1 << i % 8
    for bad in map(bytes, damaged):
        if bad == data:
            continue
        decoded = decode_or_none(model, bad, T)
        assert decoded != xs
        if rng.randrange(4) == 0:
            other = decode_or_none(generic, bad, T, predictive=predictive)
            assert decoded == other
            assert decoded == reference_or_none(theirs, bad, T, predictive)


@pytest.mark.parametrize("T", [0, 1, 8, 9, 10, 39, 41, 300])
def test_another_length_is_an_error_or_so_many_symbols(T):
    model = frozen("one state")
    data = encode_sequence(draw(model, 40, seed=1), model).to_bytes()
    decoded = decode_or_none(model, data, T)
    assert decoded == reference_or_none(reference_of(model), data, T)


@pytest.mark.parametrize("decoder", ["C", "generic", "reference"])
def test_a_state_that_no_sender_pops_is_damage(decoder):
    """Its weight is 0, so the receiver cannot push it back."""
    masses = [2**28 - 1, 1]
    model = FrozenHMM(masses, [masses] * 2, [masses, masses], prec=28, start_length=1)
    W, _ = model.filter([0])
    assert model.posterior(W[0], 0)[1] == 0
    message = ref.Message.from_int(2**100 + 12345)
    for z, x in ((0, 0), (1, 0)):  # z_2, x_2; then z_1 = 1, x_1
        message.push(*ref.interval([0, *np.cumsum(masses).tolist()], x), 2**28)
        message.push(*ref.interval([0, *np.cumsum(masses).tolist()], z), 2**28)
    message.push(0, 15, 16)
    data = message.to_bytes()
    if decoder == "reference":
        assert reference_or_none(reference_of(model), data, 3) is None
    else:
        space = model if decoder == "C" else model.state_space()
        assert decode_or_none(space, data, 3) is None
