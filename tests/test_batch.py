"""Many sequences: the same bytes one by one, in a batch, and with threads; packed as
the reference packs."""

import numpy as np
import pytest
import reference as ref
from shared import in_mode, random_hmm

import bbans
import bbans.records.batch
from bbans import HMM, CorruptError, ModelError, SymbolError, records
from bbans.distributions import Gaussian
from bbans.frozen import FrozenHMM
from bbans.models import information_content
from bbans.particles import ParticleFilter


@pytest.fixture(scope="module")
def model():
    return HMM.random(5, 7, seed=1, concentration=0.3).freeze(16)


def draw(rng, lengths, n_symbols=7):
    return [rng.integers(0, n_symbols, length) for length in lengths]


LENGTHS = [
    [],
    [0],
    [1],
    [0, 0, 0],
    [3, 0, 2],
    [60],
    [1] * 40,
    [0, 200, 0, 1, 17, 90, 0],
    [5, 80, 80, 2],
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("predictive", [False, True])
def test_a_batch_is_its_messages_end_to_end(model, lengths, predictive):
    model = in_mode(model, predictive)
    sequences = draw(np.random.default_rng(len(lengths)), lengths)
    data, offsets = records.encode_batch(sequences, model)
    single = [bbans.encode(x, model) for x in sequences]
    assert data == b"".join(single)
    assert np.diff(offsets).tolist() == list(map(len, single))
    back = records.decode_batch(data, offsets, lengths, model)
    assert [x.tolist() for x in back] == [x.tolist() for x in sequences]


def test_rows_of_a_table_are_sequences(model):
    table = np.random.default_rng(1).integers(0, 7, (4, 30))
    assert (
        records.encode_batch(table, model)[0]
        == records.encode_batch(list(table), model)[0]
    )


def test_any_run_of_messages_decodes_by_itself(model):
    lengths = [10, 0, 300, 4, 77]
    sequences = draw(np.random.default_rng(0), lengths)
    data, offsets = records.encode_batch(sequences, model)
    back = records.decode_batch(data, offsets[2:5], lengths[2:4], model)
    assert [x.tolist() for x in back] == [x.tolist() for x in sequences[2:4]]


def test_threads_change_nothing(model, monkeypatch):
    monkeypatch.setattr(bbans.records.batch, "PART", 500)
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 200, 60).tolist()
    sequences = draw(rng, lengths)
    expected = [x.tolist() for x in sequences]
    data, offsets = records.encode_batch(sequences, model)
    for threads in (2, 5):
        again, ends = records.encode_batch(sequences, model, threads=threads)
        assert again == data
        assert ends.tolist() == offsets.tolist()
        back = records.decode_batch(data, offsets, lengths, model, threads=threads)
        assert [x.tolist() for x in back] == expected


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("constant", [False, True])
def test_packed_equals_the_reference(model, lengths, constant):
    sequences = draw(np.random.default_rng(len(lengths)), lengths, 1 if constant else 7)
    theirs = ref.HMM(
        model.initial.tolist(),
        model.transition.tolist(),
        model.emission.tolist(),
        model.prec,
        model.start_length,
    )
    data = records.chain(sequences, model)
    assert data == ref.encode_packed(theirs, [x.tolist() for x in sequences])
    back = records.unchain(data, lengths, model)
    assert [x.tolist() for x in back] == [x.tolist() for x in sequences]


def test_packed_takes_the_flag_of_little_information():
    model = FrozenHMM([2], [[2]], [[1, 1]], prec=1, start_length=40)
    sequences = [[1] * 30, [0] * 30, [0] * 20]  # 40 zero bits at the end
    data = records.chain(sequences, model)
    back = records.unchain(data, [30, 30, 20], model)
    assert [x.tolist() for x in back] == sequences
    assert ref.Message.from_bytes(data).peek(16) == 15


def test_packing_costs_next_to_nothing_a_sequence():
    hmm = HMM.random(16, 32, seed=2)
    model = hmm.freeze()
    sequences = [hmm.sample(20, seed=seed)[0] for seed in range(400)]
    content = sum(information_content(x, model) for x in sequences)
    assert 8 * len(records.chain(sequences, model)) <= content + 20


def test_errors_name_the_sequence(model):
    with pytest.raises(SymbolError, match="sequence 1: symbol 7 at position 2 "):
        records.encode_batch([[0], [1, 2, 7]], model)
    with pytest.raises(SymbolError, match="sequence 0: symbol -1 "):
        records.chain([[-1]], model)
    sequences = [[1, 2, 3] * 30] * 3
    data, offsets = records.encode_batch(sequences, model)
    broken = bytearray(data)
    broken[int(offsets[2]) - 1] = 0  # no message ends in 0
    with pytest.raises(CorruptError, match="sequence 1"):
        records.decode_batch(bytes(broken), offsets, [90] * 3, model)


@pytest.mark.parametrize(
    ("offsets", "lengths"),
    [([0, 3], [1, 1]), ([0, 9, 3], [1, 1]), ([0, 3, 10**9], [1, 1]), ([0, 1], [-1])],
)
def test_offsets_and_lengths_that_cannot_be(model, offsets, lengths):
    with pytest.raises(ModelError):
        records.decode_batch(b"12345", offsets, lengths, model)


def test_damaged_packs_are_errors_or_other_symbols(model):
    lengths = [40, 50, 3]
    sequences = draw(np.random.default_rng(5), lengths)
    data = records.chain(sequences, model)
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            back = records.unchain(bytes(broken), lengths, model)
        except CorruptError:
            continue
        assert [x.size for x in back] == lengths


def test_a_float_model_is_refused():
    hmm = HMM.random(2, 2, seed=0)
    for call in (records.encode_batch, records.chain):
        with pytest.raises(ModelError, match="freeze"):
            call([[0]], hmm)


@pytest.mark.parametrize("lengths", [[2**62], [2**62, 2**62], [-1], [1.5]])
def test_lengths_that_cannot_be(model, lengths):
    with pytest.raises(ModelError):
        records.unchain(b"a", lengths, model)


def test_no_threads_are_an_error(model):
    with pytest.raises(ModelError, match="threads"):
        records.encode_batch([[0]], model, threads=0)


# ---- models without a file


class Broken:
    """A walk that is seen exactly, up to a point."""

    def __init__(self, limit):
        self.limit = limit

    def prior(self, z):
        return Gaussian(0 if z is None else z / 1.0, 4.0, leak=False)

    def likelihood(self, z):
        if (abs(z) > self.limit).any():
            raise OverflowError("too far")
        return Gaussian(z / 1.0, 2.0)


@pytest.mark.parametrize("threads", [1, 3])
def test_particle_filters(threads):
    frozen, rng = random_hmm(4, 6, seed=1), np.random.default_rng(2)
    xs = [rng.integers(0, 6, n) for n in (30, 0, 7, 1, 90)]
    walks = [rng.integers(-9, 9, n) for n in (3, 40, 0, 8)]
    for coder, given in [
        (ParticleFilter(frozen, 8, method="adapted"), xs),
        (ParticleFilter(Broken(10**6), 8), walks),
    ]:
        data, offsets = records.encode_batch(given, coder, threads=threads)
        single = [coder.encode(x) for x in given]
        assert data == b"".join(single)
        assert np.diff(offsets).tolist() == list(map(len, single))
        lengths = [len(x) for x in given]
        decoded = records.decode_batch(data, offsets, lengths, coder, threads=threads)
        assert [np.ravel(x).tolist() for x in decoded] == [x.tolist() for x in given]
        decoded = records.unchain(records.chain(given, coder), lengths, coder)
        assert [np.ravel(x).tolist() for x in decoded] == [x.tolist() for x in given]
    with pytest.raises(OverflowError, match="too far"):
        records.encode_batch([range(0, 60, 2)] * 3, ParticleFilter(Broken(9), 8))
