"""Frozen hidden Markov models of vectors: exact coding, its rate, and files."""

import io

import numpy as np
import pytest
import reference as ref
from shared import in_mode, random_vectors

import bbans
from bbans import (
    CorruptError,
    FormatError,
    FrozenGaussianHMM,
    Message,
    ModelError,
    MultivariateGaussianHMM,
    SymbolError,
    load_model,
)
from bbans.codecs import decode_sequence, encode_sequence
from bbans.errors import BbansError
from bbans.frozen import FrozenLGSSM, FrozenModel
from bbans.models import information_content
from bbans.records import packets

# States, channels, whether covariances are full, the least deviation.
CASES = [
    (1, 1, 0, 2.0),
    (2, 1, 0, 0.4),
    (3, 2, 1, 1.0),
    (4, 6, 1, 3.0),
    (20, 3, 0, 0.1),
]


def drawn(K, D, full, least):
    return random_vectors(K, D, 0, full, least)


@pytest.fixture(scope="module")
def models():
    return {case: drawn(*case) for case in CASES}


def plain(frozen):
    lower = None if frozen.lower is None else frozen.lower.tolist()
    return ref.GaussianHMM(
        frozen.initial.tolist(), frozen.transition.tolist(), frozen.location.tolist(),
        frozen.scale.tolist(), lower, frozen.prec, frozen.start_length,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("predictive", [False, True])
def test_sequences_and_the_schedule_step_by_step(models, case, predictive):
    model = models[case]
    frozen = in_mode(model.freeze(), predictive)
    steps, c = frozen.state_space(), frozen.start_length
    for T in (0, 1, c, c + 1, c + 20):
        x, _ = model.sample(T, seed=T)
        message = encode_sequence(x, frozen)
        assert encode_sequence(x, steps, predictive=predictive) == message
        data = message.to_bytes()
        again = decode_sequence(message, frozen, T)
        assert again.dtype == np.int64
        assert again.shape == x.shape
        assert (again == x).all()
        message = Message.from_bytes(data)
        slow = decode_sequence(message, steps, T, predictive=predictive)
        assert np.array_equal(np.array(slow).reshape(x.shape), x)


@pytest.mark.parametrize("case", CASES)
def test_the_reference_gives_the_same_bytes(models, case):
    model = models[case]
    frozen = model.freeze(prec=20)
    x, _ = model.sample(frozen.start_length + 12, seed=9)
    x[[3, 5]], x[-1] = x[[3, 5]] * 1000, -(2**63)
    xs = x.reshape(len(x), -1).tolist()
    for predictive in (False, True):
        data = encode_sequence(x, in_mode(frozen, predictive)).to_bytes()
        assert ref.gaussian_hmm_encode(plain(frozen), xs, predictive) == data
    if len(xs[0]) <= 2:
        assert ref.gaussian_hmm_decode(plain(frozen), data, len(xs), True) == xs
    filtered, _ = frozen.filter(x)
    weights, _ = ref.forward(plain(frozen), xs)
    assert filtered.tolist() == weights


EXTREMES = [0, -1, 2**63 - 1, -(2**63), 2**31, -(2**31), 2**46, -(2**46), 10**12, 7]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("predictive", [False, True])
def test_every_int64_can_be_coded(models, case, predictive):
    frozen = in_mode(models[case].freeze(), predictive)
    rng = np.random.default_rng(0)
    x = np.concatenate((EXTREMES * 5, rng.integers(-(2**63), 2**63 - 1, 100)))
    x = x[: len(x) // case[1] * case[1]].reshape(-1, case[1])
    assert (frozen.decode(frozen.encode(x), len(x)).reshape(x.shape) == x).all()


@pytest.mark.parametrize("case", [(4, 6, 1, 3.0), (4, 6, 0, 1.5), (2, 1, 0, 2.0)])
def test_the_rate_is_the_float_models(case):
    model = drawn(*case)
    x, _ = model.sample(20_000, seed=3)
    wanted = model.information_content(x)
    assert abs(information_content(x, model.freeze()) - wanted) < 0.0002 * x.size
    for predictive in (False, True):
        bits = 8 * len(in_mode(model.freeze(prec=24), predictive).encode(x))
        assert -0.0005 < (bits - wanted) / x.size < 0.0005


def test_weights_follow_the_channels_before():
    """Of two states one channel tells which it is: the other is then known."""
    near = MultivariateGaussianHMM(
        [0.5, 0.5], np.full((2, 2), 0.5), [[0, 0], [1000, 1000]], [np.eye(2) * 4] * 2
    )
    x, _ = near.sample(2000, seed=1)
    bits = 8 * len(near.freeze(predictive=True).encode(x)) / len(x)
    apart = 1 + 2 * (0.5 * np.log2(2 * np.pi * np.e * (4 + 1 / 12)))
    assert abs(bits - apart) < 0.15


@pytest.mark.parametrize("case", CASES)
def test_the_file_of_a_model(models, case):
    frozen = models[case].freeze(prec=16, predictive=True)
    data = frozen.to_bytes()
    assert data == ref.model_file(plain(frozen), predictive=True)
    again = FrozenModel.from_bytes(data)
    assert isinstance(again, FrozenGaussianHMM)
    assert again == frozen
    assert again.to_bytes(packed=True) == data  # there is no packed form
    assert again.with_mode("iconoclasm") == frozen.with_mode("iconoclasm")
    assert again.with_mode("iconoclasm").fingerprint != frozen.fingerprint
    for name in ("initial", "transition", "location", "scale", "lower"):
        mine, theirs = getattr(frozen, name), getattr(again, name)
        assert (mine is None) == (theirs is None)
        assert mine is None or (mine == theirs).all()
    x, _ = models[case].sample(50, seed=1)
    assert again.encode(x) == frozen.encode(x)
    assert repr(again) == repr(frozen)


def test_damaged_files(models):
    data = models[3, 2, 1, 1.0].freeze(prec=12).to_bytes()
    for i in range(len(data)):
        with pytest.raises(BbansError):
            FrozenModel.from_bytes(data[:i])
        changed = bytearray(data)
        changed[i] ^= 1 + i % 255
        with pytest.raises(BbansError):
            FrozenModel.from_bytes(bytes(changed))
    with pytest.raises(FormatError, match="holds a hidden Markov model of vectors"):
        FrozenLGSSM.from_bytes(data)


def test_damaged_messages(models):
    frozen = models[4, 6, 1, 3.0].freeze()
    x, _ = models[4, 6, 1, 3.0].sample(40, seed=2)
    rng = np.random.default_rng(0)
    for predictive in (False, True):
        model = in_mode(frozen, predictive)
        data = model.encode(x)
        for _ in range(100):
            changed = bytearray(data)
            changed[rng.integers(len(data))] ^= int(rng.integers(1, 256))
            try:
                other = model.decode(bytes(changed), 40)
            except CorruptError:
                continue
            assert other.shape == x.shape


def test_containers_and_files(models, tmp_path):
    model = models[3, 2, 1, 1.0]
    frozen = model.freeze()
    x, _ = model.sample(300, seed=4)
    packed = bbans.compress(x, frozen, block_size=90)
    assert (bbans.decompress(packed, frozen) == x).all()
    frozen.save(tmp_path / "vectors.bbm")
    assert load_model(tmp_path / "vectors.bbm") == frozen
    with open(tmp_path / "vectors.bbm", "rb") as file:
        facts = bbans.frozen.model_file.model_facts(io.BytesIO(file.read()))
    assert facts["kind"] == "frozen hidden Markov model of vectors"
    assert (facts["states"], facts["channels"]) == (3, 2)
    assert facts["covariances"] == "full"


def test_packets(models):
    model = models[3, 2, 1, 1.0]
    frozen = model.freeze(predictive=True)
    x, _ = model.sample(200, seed=4)
    made = packets.encode(x, frozen, 64)
    assert all(len(packet) == 64 for packet in made)
    parts = [packets.decode(packet, frozen) for packet in made]
    assert (np.concatenate(parts) == x).all()


def test_chunks_of_zarr(models, tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3")
    from bbans.integrations.zarr import BbansCodec

    model = models[3, 2, 1, 1.0]
    x = model.sample(900, seed=5)[0].astype(np.int32)
    codec = BbansCodec(model=model.freeze())
    array = zarr.create_array(
        tmp_path / "x", data=x, chunks=(400, 2), serializer=codec, compressors=None
    )
    assert (array[:] == x).all()
    assert (zarr.open_array(tmp_path / "x")[300:700] == x[300:700]).all()


def test_what_is_no_observation(models):
    frozen = models[3, 2, 1, 1.0].freeze()
    for x in (np.zeros(3, int), np.zeros((4, 3), int), np.full((2, 2), 0.5)):
        with pytest.raises(SymbolError):
            frozen.encode(x)
    with pytest.raises(SymbolError):
        frozen.encode(b"abc")
    assert frozen.encode([]) == frozen.encode(np.zeros((0, 2), int))


def test_what_is_no_model():
    one, mean, scale = [1 << 8], [[0, 0]], [[256, 256]]

    def made(
        initial=one, transition=(one,), location=mean, s=scale, lower=None, prec=8
    ):
        return FrozenGaussianHMM(
            initial, transition, location, s, lower, prec=prec, start_length=2
        )

    assert made().n_channels == 2
    for wrong, text in (
        ({"initial": [1 << 7]}, "initial row 0 does not sum"),
        ({"transition": [one, one]}, "transition must have shape"),
        ({"location": [0, 0]}, "location must be integers in 2 dimensions"),
        ({"location": [[1 << 46, 0]]}, "locations must be below"),
        ({"s": [[256, 20_000]]}, "scales"),
        ({"s": [[256.0, 256.0]]}, "scale must be integers"),
        ({"lower": [[[61, 0, 0], [0, 0, 0]]]}, "a shift of -40 to 60"),
        ({"lower": [[[0, 0, 0], [0, 0, 7]]]}, "0 from their own channel on"),
        ({"prec": 29}, "precision"),
        ({"location": np.zeros((1, 65), int), "s": np.zeros((1, 65), int)}, "channels"),
    ):
        with pytest.raises(ModelError, match=text):
            made(**wrong)
    with pytest.raises(ModelError, match="frozen must be a frozen model"):
        information_content([[0, 0]], None)
