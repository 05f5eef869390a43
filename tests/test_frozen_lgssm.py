"""Frozen linear Gaussian models: exact coding, and its rate."""

import math
import pickle

import numpy as np
import pytest
import reference as ref
from test_lgssm import random_model

from bbans import (
    LGSSM,
    CorruptError,
    FormatError,
    FrozenLGSSM,
    Message,
    MessageError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
    codecs,
    decode_sequence,
    encode_sequence,
)
from bbans._lib import check, ffi, lib
from bbans.codecs.gaussian import State

CASES = [(1, 1, None), (2, 1, None), (3, 2, None), (2, 3, 9), (4, 1, None)]


@pytest.fixture(scope="module")
def models():
    return {
        case: random_model(*case[:2], seed=sum(case[:2]), steps=case[2])
        for case in CASES
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noise", ["gaussian", "logistic", "laplace"])
@pytest.mark.parametrize("predictive", [False, True])
def test_sequences_and_the_schedule_step_by_step(models, case, noise, predictive):
    model = models[case]
    frozen = model.freeze(noise=noise, bits=2)
    plain = codecs.LGSSMStateSpace(frozen)
    c = frozen.tail_length
    for T in (0, 1, c, c + 1, c + 2, c + 40):
        x, _ = model.sample(T, seed=T)
        message = encode_sequence(frozen, x, predictive=predictive)
        assert encode_sequence(plain, x, predictive=predictive) == message
        data = message.to_bytes()
        again = decode_sequence(frozen, message, T, predictive=predictive)
        assert again.dtype == np.int64
        assert again.shape == x.shape
        assert (again == x).all()
        message = Message.from_bytes(data)
        slow = decode_sequence(plain, message, T, predictive=predictive)
        assert np.array_equal(np.array(slow).reshape(x.shape), x)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
def test_the_reference_gives_the_same_bytes(models, case, noise):
    model = models[case]
    frozen = model.freeze(noise=noise)
    rows = [[*frozen.step(t)] for t in range(frozen.n_steps)]
    plain = ref.LGSSM(
        case[0], case[1], noise, frozen.tail_length, frozen.start_bits,
        [np.concatenate(row[:2]).tolist() for row in rows],
        [np.concatenate([part.ravel() for part in row[2:]]).tolist() for row in rows],
    )  # fmt: skip
    x, _ = model.sample(frozen.tail_length + 60, seed=9)
    x[[3, 8]], x[-3] = x[[3, 8]] * 1000, -(2**63)
    for predictive in (False, True):
        data = encode_sequence(frozen, x, predictive=predictive).to_bytes()
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
        message = encode_sequence(frozen, x, predictive=predictive)
        if not predictive:
            plain = codecs.LGSSMStateSpace(frozen)
            assert encode_sequence(plain, x) == message
        again = decode_sequence(frozen, message, len(x), predictive=predictive)
        assert (again.reshape(x.shape) == x).all()


def test_the_bare_schedule(models):
    model = models[3, 2, None]
    frozen = model.freeze()
    x, _ = model.sample(60, seed=3)
    start = Message.from_bytes(bytes(range(1, 200)))
    message, slow = start.copy(), start.copy()
    codecs.Iconoclasm(frozen, 60).push(message, x)
    codecs.Iconoclasm(codecs.LGSSMStateSpace(frozen), 60).push(slow, list(x))
    assert message == slow
    assert (codecs.Iconoclasm(frozen, 60).pop(message) == x).all()
    assert message == start
    with pytest.raises(MessageError):
        Message(2).push_sequence(frozen, x)


def test_checkpoints_give_the_same_bytes(models):
    model = models[2, 3, 9]
    frozen = model.freeze()
    x, _ = model.sample(500, seed=4)
    whole = encode_sequence(frozen, x)
    full = FrozenLGSSM.workspace
    for block in (1, 7, 22, 499, 500):

        def workspace(self, length, limit=0, block=block):
            size = lib.bbans_lgssm_work_bytes(self.c, length, block)
            return np.empty(size // 8, np.uint64)

        try:
            FrozenLGSSM.workspace = workspace
            assert encode_sequence(frozen, x) == whole
        finally:
            FrozenLGSSM.workspace = full


# ---- the rate


def exact_bits(frozen, x):
    """-log2 P(x) of a frozen model of one latent: the forward sum over its grid, with
    the integer masses themselves."""
    codec = codecs.LGSSMStateSpace(frozen)
    out, low, bits = (
        ffi.new("uint32_t[2]"),
        ffi.new("uint64_t *"),
        ffi.new("unsigned *"),
    )
    gaussian, noise = ffi.new("bbans_shape *"), ffi.new("bbans_shape *")
    check(lib.bbans_shape_init(gaussian, 0))
    check(lib.bbans_shape_init(noise, frozen.family))

    def mass(shape, at, scale, value):
        check(
            lib.bbans_located_span(
                shape, at, scale, 0, 26, value, out, out + 1, low, bits
            )
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
        used = len(encode_sequence(frozen, x, predictive=predictive).to_bytes()) * 8
        assert -3 < used - ideal < 10 + 1e-4 * len(x)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (4, 1), (2, 2)])
def test_rate_on_long_sequences(n, p):
    model = random_model(n, p, seed=50 + n)
    frozen = model.freeze()
    T = 100_000
    x, _ = model.sample(T, seed=6)
    ideal = model.information_content(x)
    # 4e-5 bits for each of n + p values are the slots of values far out.
    used = encode_sequence(frozen, x).bits
    assert abs(used - ideal) < 10 + 1e-4 * T + 4e-5 * (n + p) * T
    used = encode_sequence(frozen, x, predictive=True).bits
    assert abs(used - ideal) < 10 + 3e-5 * p * T


def test_short_sequences_start_without_loss(models):
    for model in models.values():
        frozen = model.freeze()
        excess = []
        for T in (1, 3, 20, 40):
            for seed in range(20):
                x, _ = model.sample(T, seed=seed)
                used = 8 * len(encode_sequence(frozen, x).to_bytes())
                excess.append(used - model.information_content(x))
        assert np.mean(excess) < 5.5
        assert max(excess) < 15


def test_diffuse_and_certain_starts():
    for initial in (1e-6, 1.0, 1e12):
        model = LGSSM([[1.0]], [[1.0]], [[0.01]], [[4.0]], initial_cov=[[initial]])
        frozen = model.freeze()
        x, _ = model.sample(3000, seed=7)
        used = encode_sequence(frozen, x).bits
        assert abs(used - model.information_content(x)) < 12


def test_nearly_singular_noise_gets_a_grid_of_its_own():
    model = LGSSM(np.eye(2) * 0.5, [[1.0, 1.0]], np.diag([1, 1e-14]), [[1.0]])
    x, _ = model.sample(3000, seed=7)
    used = encode_sequence(model.freeze(), x).bits
    assert abs(used - model.information_content(x)) < 12


def test_gains_converge_to_one_row():
    model = random_model(3, 1, seed=11)
    frozen = model.freeze()
    assert frozen.n_steps < 200
    a, b = frozen.step(frozen.n_steps - 1), frozen.step(10**9)
    assert all((u == v).all() for u, v in zip(a, b, strict=True))


# ---- damage, files, refusals


def test_damage_is_found_or_gives_other_data(models):
    model = models[2, 1, None]
    frozen = model.freeze()
    x, _ = model.sample(80, seed=8)
    data = bytearray(encode_sequence(frozen, x).to_bytes())
    found = 0
    for i in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            bad = bytearray(data)
            bad[i] ^= flip
            if bad[-1] == 0:
                continue
            try:
                again = decode_sequence(frozen, Message.from_bytes(bytes(bad)), 80)
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
        FrozenLGSSM.from_bytes(data[:4] + b"\2" + data[5:])


def test_refusals(models):
    model = models[2, 1, None]
    frozen = model.freeze()
    for x in ([0.5], [[1, 2]], ["a"], np.array([2**63], np.uint64)):
        with pytest.raises(SymbolError):
            encode_sequence(frozen, x)
    for options in ({"noise": "cauchy"}, {"bits": -1}, {"bits": 40}):
        with pytest.raises(ModelError):
            model.freeze(**options)
    far = LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]], observation_offset=[1e12])
    with pytest.raises(ModelError):
        far.freeze()
    with pytest.raises(ModelError):
        decode_sequence(frozen, Message(), -1)
    with pytest.raises(ModelError):
        encode_sequence(frozen, [1, 2], seed=b"abc")


# ---- the codec


def test_multivariate_codec():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4)) * 30
    cov, mean = root @ root.T + 1, rng.normal(size=4) * 100
    codec = codecs.Multivariate.from_covariance(mean, cov, bounded=True)
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
    everywhere = codecs.Multivariate.from_covariance(mean, cov)
    message, far = Message(), (10**6, -(2**63), 2**63 - 1, 0)
    everywhere.push(message, far)
    assert everywhere.pop(message) == far
    assert message == Message()
    with pytest.raises(ModelError):
        codecs.Multivariate.from_covariance([0, 0], [[1, 2], [2, 1]])
