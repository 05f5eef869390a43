"""Frozen linear Gaussian models: exact coding, and its rate."""

import io
import math
import pickle
import zlib

import numpy as np
import pytest
import reference as ref
from shared import in_mode, random_lgssm

from bbans import (
    HMM,
    LGSSM,
    CorruptError,
    FormatError,
    Message,
    ModelError,
    SymbolError,
    WrongModelError,
    codecs,
    compress,
    compress_file,
    decode,
    decompress,
    decompress_file,
    encode,
    load_model,
)
from bbans._lib import check, ffi, lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.distributions import Multivariate
from bbans.errors import BbansError, MessageError, TruncatedError, VersionError
from bbans.frozen import FrozenLGSSM
from bbans.frozen.lgssm import State

CASES = [(1, 1, None), (2, 1, None), (3, 2, None), (2, 3, 9), (4, 1, None)]


@pytest.fixture(scope="module")
def models():
    return {
        case: random_lgssm(*case[:2], seed=sum(case[:2]), steps=case[2])
        for case in CASES
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noise", ["gaussian", "logistic", "laplace"])
@pytest.mark.parametrize("predictive", [False, True])
def test_sequences_and_the_schedule_step_by_step(models, case, noise, predictive):
    model = models[case]
    frozen = model.freeze(noise=noise, bits=2)
    plain = frozen.state_space()
    c = frozen.start_length
    for T in (0, 1, c, c + 1, c + 2, c + 40):
        x, _ = model.sample(T, seed=T)
        message = encode_sequence(x, in_mode(frozen, predictive))
        assert encode_sequence(x, plain, predictive=predictive) == message
        data = message.to_bytes()
        again = decode_sequence(message, in_mode(frozen, predictive), T)
        assert again.dtype == np.int64
        assert again.shape == x.shape
        assert (again == x).all()
        message = Message.from_bytes(data)
        slow = decode_sequence(message, plain, T, predictive=predictive)
        assert np.array_equal(np.array(slow).reshape(x.shape), x)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
def test_the_reference_gives_the_same_bytes(models, case, noise):
    model = models[case]
    frozen = model.freeze(noise=noise)
    rows = [[*frozen.step(t)] for t in range(frozen.n_steps)]
    plain = ref.LGSSM(
        case[0], case[1], noise, frozen.start_length, frozen.start_bits,
        [np.concatenate(row[:2]).tolist() for row in rows],
        [np.concatenate([part.ravel() for part in row[2:]]).tolist() for row in rows],
    )  # fmt: skip
    x, _ = model.sample(frozen.start_length + 60, seed=9)
    x[[3, 8]], x[-3] = x[[3, 8]] * 1000, -(2**63)
    for predictive in (False, True):
        data = encode_sequence(x, in_mode(frozen, predictive)).to_bytes()
        xs = x.reshape(len(x), -1).tolist()
        assert ref.lgssm_encode(plain, xs, predictive) == data
        assert ref.lgssm_decode(plain, data, len(x), predictive) == xs


EXTREMES = [0, -1, 2**63 - 1, -(2**63), 2**31, -(2**31), 2**46, -(2**46), 10**12, 7]


@pytest.mark.parametrize("case", CASES)
def test_every_int64_can_be_coded(models, case):
    frozen = models[case].freeze()
    rng = np.random.default_rng(0)
    x = np.concatenate((EXTREMES * 5, rng.integers(-(2**63), 2**63 - 1, 100)))
    x = x[: len(x) // case[1] * case[1]].reshape(-1, case[1])
    for predictive in (False, True):
        message = encode_sequence(x, in_mode(frozen, predictive))
        if not predictive:
            plain = frozen.state_space()
            assert encode_sequence(x, plain) == message
        again = decode_sequence(message, in_mode(frozen, predictive), len(x))
        assert (again.reshape(x.shape) == x).all()


def test_the_bare_schedule(models):
    model = models[3, 2, None]
    frozen = model.freeze()
    x, _ = model.sample(60, seed=3)
    start = Message.from_bytes(bytes(range(1, 200)))
    message, slow = start.copy(), start.copy()
    codecs.Iconoclasm(frozen, 60).push(message, x)
    codecs.Iconoclasm(frozen.state_space(), 60).push(slow, list(x))
    assert message == slow
    assert (codecs.Iconoclasm(frozen, 60).pop(message) == x).all()
    assert message == start
    with pytest.raises(MessageError):
        frozen.push(Message(2), x)


def test_checkpoints_give_the_same_bytes(models):
    model = models[2, 3, 9]
    frozen = model.freeze()
    x, _ = model.sample(500, seed=4)
    whole = encode_sequence(x, frozen)
    full = FrozenLGSSM._workspace
    for block in (1, 7, 22, 499, 500):

        def workspace(self, length, limit=0, block=block):
            size = lib.bbans_sequence_work_bytes(self._space, length, block)
            return np.empty(size // 8, np.uint64)

        try:
            FrozenLGSSM._workspace = workspace
            assert encode_sequence(x, frozen) == whole
        finally:
            FrozenLGSSM._workspace = full


# ---- the rate


def exact_bits(frozen, x):
    """-log2 P(x) of a frozen model of one latent: the forward sum over its grid, with
    the integer masses themselves."""
    codec = frozen.state_space()
    out, low, bits = (
        ffi.new("uint32_t[2]"),
        ffi.new("uint64_t *"),
        ffi.new("unsigned *"),
    )
    gaussian, noise = ffi.new("bbans_family *"), ffi.new("bbans_family *")
    check(lib.bbans_family_init(gaussian, 0))
    check(lib.bbans_family_init(noise, frozen.family))

    def mass(shape, at, scale, value):
        check(
            lib.bbans_family_span(shape, at, scale, 26, value, out, out + 1, low, bits)
        )
        return out[1] * 2.0 ** -(26 + bits[0])

    belief, total, alpha, support = None, 0.0, None, None
    for t, value in enumerate(x.tolist()):
        belief = codec.update(belief, value)
        step = frozen.step(t)
        deviation = 2.0 ** (int(step.final_scale[0]) / 256)
        centre = belief.filtered[0] / 65536
        width = math.ceil(9 * deviation)
        grid = range(math.floor(centre) - width, math.ceil(centre) + width + 1)
        likelihood = np.empty(len(grid))
        for i, z in enumerate(grid):
            at = codec.likelihood(_state(t, z)).codec._location[0]
            likelihood[i] = mass(noise, at, int(step.emit_scale[0]), value)
        if alpha is None:
            at = int(step.move_offset[0])
            prior = np.array(
                [mass(gaussian, at, int(step.move_scale[0]), z) for z in grid]
            )
        else:
            prior = np.zeros(len(grid))
            scale = int(step.move_scale[0])
            for weight, z in zip(alpha, support, strict=True):
                if weight < 1e-14:
                    continue
                at = codec.prior(_state(t - 1, z)).codec._location[0]
                prior += weight * np.array([mass(gaussian, at, scale, k) for k in grid])
        alpha = likelihood * prior
        total -= math.log2(alpha.sum())
        alpha, support = alpha / alpha.sum(), grid
    return total


def _state(t, z):
    return State(t, (z,))


@pytest.mark.parametrize("bits", [0, 1, 2])
def test_bits_used_are_the_information_content_of_the_frozen_model(bits):
    model = LGSSM([[0.95]], [[2.0]], [[4.0]], [[9.0]])
    frozen = model.freeze(bits=bits)
    x, _ = model.sample(400, seed=5)
    ideal = exact_bits(frozen, x)
    assert ideal == pytest.approx(model.information_content(x), abs=0.1)
    for predictive in (False, True):
        used = len(encode_sequence(x, in_mode(frozen, predictive)).to_bytes()) * 8
        assert -3 < used - ideal < 10 + 1e-4 * len(x)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (4, 1), (2, 2)])
def test_rate_on_long_sequences(n, p):
    model = random_lgssm(n, p, seed=50 + n)
    frozen = model.freeze()
    T = 100_000
    x, _ = model.sample(T, seed=6)
    ideal = model.information_content(x)
    # 4e-5 bits for each of n + p values are the slots of values far out.
    used = encode_sequence(x, frozen).bits
    assert abs(used - ideal) < 10 + 1e-4 * T + 4e-5 * (n + p) * T
    used = encode_sequence(x, in_mode(frozen, True)).bits
    assert abs(used - ideal) < 10 + 3e-5 * p * T


def test_short_sequences_start_without_loss(models):
    for model in models.values():
        frozen = model.freeze()
        excess = []
        for T in (1, 3, 20, 40):
            for seed in range(20):
                x, _ = model.sample(T, seed=seed)
                used = 8 * len(encode_sequence(x, frozen).to_bytes())
                excess.append(used - model.information_content(x))
        assert np.mean(excess) < 5.5
        assert max(excess) < 15


def test_diffuse_and_certain_starts():
    for initial in (1e-6, 1.0, 1e12):
        model = LGSSM([[1.0]], [[1.0]], [[0.01]], [[4.0]], initial_cov=[[initial]])
        frozen = model.freeze()
        x, _ = model.sample(3000, seed=7)
        used = encode_sequence(x, frozen).bits
        assert abs(used - model.information_content(x)) < 12


def test_nearly_singular_noise_gets_a_grid_of_its_own():
    model = LGSSM(np.eye(2) * 0.5, [[1.0, 1.0]], np.diag([1, 1e-14]), [[1.0]])
    x, _ = model.sample(3000, seed=7)
    used = encode_sequence(x, model.freeze()).bits
    assert abs(used - model.information_content(x)) < 12


def test_gains_converge_to_one_row():
    model = random_lgssm(3, 1, seed=11)
    frozen = model.freeze()
    assert frozen.n_steps < 200
    a, b = frozen.step(frozen.n_steps - 1), frozen.step(10**9)
    assert all((u == v).all() for u, v in zip(a, b, strict=True))


# ---- damage, files, refusals


def test_damage_is_found_or_gives_other_data(models):
    model = models[2, 1, None]
    frozen = model.freeze()
    x, _ = model.sample(80, seed=8)
    data = bytearray(encode_sequence(x, frozen).to_bytes())
    found = 0
    for i in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            bad = bytearray(data)
            bad[i] ^= flip
            if bad[-1] == 0:
                continue
            try:
                again = decode_sequence(Message.from_bytes(bytes(bad)), frozen, 80)
                assert (again != x).any()
            except CorruptError:
                found += 1
    assert found > len(data)  # as for HMMs: only containers have checksums


def test_files(models, tmp_path):
    for model in models.values():
        frozen = model.freeze(noise="laplace")
        frozen.save(tmp_path / "m.bbm")
        again = FrozenLGSSM.load(tmp_path / "m.bbm")
        assert again == frozen
        assert again.fingerprint == frozen.fingerprint
        assert pickle.loads(pickle.dumps(frozen)) == frozen
    data = frozen.to_bytes()
    for n in range(0, len(data), 7):
        with pytest.raises((TruncatedError, FormatError)):
            FrozenLGSSM.from_bytes(data[:n])
    for i in range(0, len(data), 5):
        bad = bytearray(data)
        bad[i] ^= 0x10
        with pytest.raises(FormatError):
            FrozenLGSSM.from_bytes(bytes(bad))
    with pytest.raises(CorruptError):
        FrozenLGSSM.from_bytes(data + b"\0")
    with pytest.raises(VersionError):
        FrozenLGSSM.from_bytes(data[:4] + b"\1" + data[5:])


def resealed(data):
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def test_hostile_model_files(models):
    """With a checksum that fits, whatever the numbers: refused, or it codes."""
    model = models[2, 3, 9]
    data = model.freeze().to_bytes()
    x = np.array([[0, 5, -9], [2**63 - 1, -(2**63), 1], [3, 3, 3]] * 4)
    rng = np.random.default_rng(10)
    outcomes = [0, 0]
    for i in range(600):
        bad = bytearray(data)
        # The header first, then any bytes; the counts that need memory stay.
        at = i if i < 32 else rng.integers(32, len(data) - 4)
        for k in range(1 if i < 32 else rng.integers(1, 9)):
            bad[min(at + k, len(data) - 5)] = rng.integers(256)
        try:
            frozen = FrozenLGSSM.from_bytes(resealed(bytes(bad)))
        except FormatError:
            outcomes[0] += 1
            continue
        outcomes[1] += 1
        message = encode_sequence(x, frozen)
        assert (decode_sequence(message, frozen, len(x)) == x).all()
    assert min(outcomes) > 20
    for name, value in (("n", 0), ("n", 65), ("p", 0), ("p", 2**32 - 1), ("steps", 0),
                        ("steps", 2**20 + 1), ("tail", 0), ("tail", 65536),
                        ("start", 65536)):  # fmt: skip
        bad = bytearray(data)
        at = 12 + 4 * ["n", "p", "tail", "start", "steps"].index(name)
        bad[at : at + 4] = value.to_bytes(4, "little")
        with pytest.raises(FormatError):
            FrozenLGSSM.from_bytes(resealed(bytes(bad)))


def test_numbers_out_of_range_are_named(models):
    """Not as rows of a table, which such a model has none of."""
    frozen = models[2, 1, None].freeze()
    data = bytearray(frozen.to_bytes())
    data[39] = 0x7F  # the highest byte of an offset
    with pytest.raises(CorruptError, match="offsets must be below"):
        FrozenLGSSM.from_bytes(resealed(bytes(data)))
    data = bytearray(frozen.to_bytes())
    data[-5] = 0x7F  # of the last scale
    with pytest.raises(CorruptError, match="scales -3072 to 12031"):
        FrozenLGSSM.from_bytes(resealed(bytes(data)))


def test_load_model_reads_every_type(models, tmp_path):
    frozen, hmm = models[2, 1, None].freeze(), HMM.random(2, 3, seed=0).freeze()
    for model in (frozen, hmm):
        model.save(tmp_path / "m.bbm")
        assert load_model(tmp_path / "m.bbm") == model
    frozen.save(tmp_path / "m.bbm")
    with pytest.raises(FormatError, match="load_model reads it"):
        type(hmm).load(tmp_path / "m.bbm")
    hmm.save(tmp_path / "m.bbm")
    with pytest.raises(FormatError):
        FrozenLGSSM.load(tmp_path / "m.bbm")


# ---- bare bytes and containers

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1, 3])
def test_containers_of_arrays(models, dtype, p):
    frozen = models[(1, 1, None) if p == 1 else (2, 3, 9)].freeze()
    info = np.iinfo(dtype)
    rng = np.random.default_rng(11)
    low, high = max(info.min, -60), min(info.max, 90)
    x = rng.integers(low, high, (50, 4, p)).astype(dtype)
    x[7, 2, 0], x[9, 1, -1] = info.min, min(info.max, 2**63 - 1)
    shapes = [x, x.reshape(-1, p), x.ravel(), x[:1], x[:0]]
    for array in shapes + ([x.reshape(25, 8), x[0, 0, 0]] if p == 1 else []):
        for block_size, predictive in ((65536, False), (7, False), (65536, True)):
            model = in_mode(frozen, predictive)
            data = compress(array, model, block_size=block_size)
            again = decompress(data, model)
            assert (again.dtype, again.shape) == (array.dtype, array.shape)
            assert (again == array).all()
            size = 26 + 9 * array.ndim + 12 * (array.size // 6 + 1) + array.nbytes
            assert len(data) <= size
    little = x.astype(x.dtype.newbyteorder("<"))
    sink, out = io.BytesIO(), io.BytesIO()
    compress_file(io.BytesIO(little.tobytes()), sink, frozen, dtype=dtype, block_size=9)
    sink.seek(0)
    decompress_file(sink, out, frozen)
    assert out.getvalue() == little.tobytes()
    if p == 1 and dtype == "u1":
        assert decompress(compress(x.tobytes(), frozen), frozen) == x.tobytes()


def test_bare_bytes(models):
    for case, model in models.items():
        frozen = model.freeze()
        x, _ = model.sample(40, seed=2)
        for predictive in (False, True):
            data = encode(x, in_mode(frozen, predictive))
            again = decode(data, in_mode(frozen, predictive), 40)
            assert again.shape == x.shape, case
            assert (again == x).all()


def test_damaged_containers(models):
    model = models[2, 3, 9]
    frozen, other = model.freeze(), model.freeze(bits=3)
    x, _ = model.sample(20, seed=3)
    data = compress(x, frozen, block_size=30)
    for i in range(8 * len(data)):
        bad = bytearray(data)
        bad[i // 8] ^= 1 << i % 8
        with pytest.raises(FormatError):
            decompress(bytes(bad), frozen)
    for n in range(len(data)):
        with pytest.raises(FormatError):
            decompress(data[:n], frozen)
    with pytest.raises(WrongModelError):
        decompress(data, other)
    # Checksums fit: 4 integers in rows of 3.
    part = ref.write_part(23, b"\1" + frozen.fingerprint, [(4, 1, b"\1\2\3")], (4,))
    with pytest.raises(CorruptError, match="rows of 3"):
        decompress(part, frozen)


def test_what_containers_refuse(models):
    one, three = models[2, 1, None].freeze(), models[2, 3, 9].freeze()
    with pytest.raises(ModelError, match="freeze"):
        compress([1, 2], models[2, 1, None])
    with pytest.raises(SymbolError, match="str"):
        compress("text", one)
    with pytest.raises(SymbolError, match="position 1"):
        compress(np.array([1, 2**63], np.uint64), one)
    for array in (np.zeros((6, 2), int), np.zeros(4, int), np.zeros((3, 4), int)):
        with pytest.raises(SymbolError, match="rows of 3"):
            compress(array, three)
    with pytest.raises(SymbolError, match="3 bytes are no rows of 1 int16"):
        compress_file(io.BytesIO(b"123"), io.BytesIO(), one, dtype="int16")
    with pytest.raises(BbansError):
        compress_file(io.BytesIO(b"1234"), io.BytesIO(), one, dtype="float32")


def test_refusals(models):
    model = models[2, 1, None]
    frozen = model.freeze()
    for x in ([0.5], [[1, 2]], ["a"], np.array([2**63], np.uint64)):
        with pytest.raises(SymbolError):
            encode_sequence(x, frozen)
    for options in ({"noise": "cauchy"}, {"bits": -1}, {"bits": 40}):
        with pytest.raises(ModelError):
            model.freeze(**options)
    far = LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]], observation_offset=[1e12])
    with pytest.raises(ModelError):
        far.freeze()
    with pytest.raises(ModelError):
        decode_sequence(Message(), frozen, -1)
    with pytest.raises(ModelError):
        encode_sequence([1, 2], frozen, initial_bits=b"abc")


# ---- the codec


def test_multivariate_codec():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4)) * 30
    cov, mean = root @ root.T + 1, rng.normal(size=4) * 100
    codec = Multivariate.from_covariance(mean, cov, leak=False)
    message = Message.from_bytes(rng.bytes(200_000) + b"\1")
    start = message.copy()
    drawn = [codec.pop(message) for _ in range(4000)]
    taken = start.bits - message.bits
    for value in reversed(drawn):
        codec.push(message, value)
    assert message == start
    values = np.array(drawn)
    error = (values - mean) @ np.linalg.inv(np.linalg.cholesky(cov)).T
    assert np.abs(error.T @ error / 4000 - np.eye(4)).max() < 0.15
    bits = 0.5 * (np.linalg.slogdet(2 * np.pi * cov)[1] + (error**2).sum(axis=1))
    assert taken == pytest.approx(bits.sum() / math.log(2), rel=2e-3)
    for value in ([0] * 3, [2**63] * 4, [10**6] * 4):
        with pytest.raises(SymbolError):
            codec.push(Message(), value)
    everywhere = Multivariate.from_covariance(mean, cov)
    message, far = Message(), (10**6, -(2**63), 2**63 - 1, 0)
    everywhere.push(message, far)
    assert everywhere.pop(message) == far
    assert message == Message()
    with pytest.raises(ModelError):
        Multivariate.from_covariance([0, 0], [[1, 2], [2, 1]])
