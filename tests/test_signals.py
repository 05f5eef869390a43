"""Signals: every array comes back, at a better rate than without the model."""

import io
import subprocess
import sys
import time

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import bbans
from bbans._lib import lib
from bbans.distributions import Family
from bbans.formats import SignalCoder, signals
from bbans.formats.container import BYTE_BLOCK, SIGNAL, STORED, ContainerReader
from bbans.models import linear_prediction

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


def methods(data):
    reader = ContainerReader(memoryview(data))
    return [block.method for part in reader.parts() for block in part.blocks()]


def block_of(series):
    """A block by itself, of a series of shape (steps, channels)."""
    little = series.astype(series.dtype.newbyteorder("<"))
    return signals.encode_signal(little)


def values_of(block, n, dtype):
    out = np.empty(n, np.dtype(dtype).newbyteorder("<"))
    signals.decode_signal(bytes(block), out)
    return out


def walk(n, channels=1, seed=0, dtype=np.int32):
    """A resonant series whose noise changes its scale."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n + 2, channels))
    scale = np.exp(np.repeat(rng.normal(size=n // 50 + 1), 50)[:n])
    noise = rng.normal(size=(n, channels)) * 5 * scale[:, None]
    for t in range(n):
        x[t + 2] = 1.6 * x[t + 1] - 0.8 * x[t] + noise[t]
    x[:, 1:] += x[:, :1]
    return np.rint(x[2:]).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(max_dims=3, max_side=12, min_side=0)
        )
    ),
    st.sampled_from([1, 3, 65536]),
)
def test_every_array_comes_back(array, block_size):
    data = bbans.compress(array, block_size=block_size)
    assert same(bbans.decompress(data), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_every_type(dtype):
    info = np.iinfo(dtype)
    for values in (
        [info.min] * 9, [info.max] * 9, [info.min, info.max] * 5,
        [info.max - 1, info.max] * 300, [info.min, info.min + 1] * 300,
        np.tile([0, 0, 0, info.max // 2], 200),
    ):  # fmt: skip
        array = np.array(values, dtype)
        assert same(bbans.decompress(bbans.compress(array)), array)


@pytest.mark.parametrize("channels", [1, 2, 5, 16])
def test_channels(channels):
    array = walk(3000, channels)
    data = bbans.compress(array, block_size=1000 * channels)
    assert methods(data) == [SIGNAL] * 3
    assert same(bbans.decompress(data), array)


def test_scalars_and_lists():
    assert bbans.decompress(bbans.compress(7)) == 7
    assert bbans.decompress(bbans.compress(7)).shape == ()
    assert bbans.decompress(bbans.compress([1, 2])).tolist() == [1, 2]
    big = walk(100).astype(">i4")
    assert same(bbans.decompress(bbans.compress(big)), big)


def test_rate_on_a_series_of_known_entropy():
    """An AR(2) series of Gaussian noise: within 1 % and the model of its entropy."""
    rng = np.random.default_rng(3)
    n, sigma = 60_000, 20.0
    x = np.zeros(n + 2)
    for t in range(n):
        x[t + 2] = 1.6 * x[t + 1] - 0.8 * x[t] + sigma * rng.normal()
    array = np.rint(x[2:]).astype(np.int32)
    entropy = 0.5 * np.log2(2 * np.pi * np.e * sigma**2)
    bits = 8 * len(bbans.compress(array)) / n
    assert bits < 1.01 * entropy + 0.02


def test_changing_scales_are_followed():
    """Noise that switches between 1 and 64 costs about the mean of both entropies."""
    rng = np.random.default_rng(4)
    scale = np.repeat(rng.choice([1.0, 64.0], 300), 200)
    array = np.rint(rng.normal(size=scale.size) * scale).astype(np.int16)
    entropy = np.mean(0.5 * np.log2(2 * np.pi * np.e * (scale**2 + 1 / 12)))
    bits = 8 * len(bbans.compress(array)) / array.size
    assert bits < entropy + 0.15


def test_random_values_are_not_modelled():
    rng = np.random.default_rng(0)
    array = rng.integers(-(2**63), 2**63, 1000, np.int64)
    data = bbans.compress(array)
    assert len(data) < array.nbytes + 40
    assert set(methods(data)) <= {STORED, BYTE_BLOCK}
    assert same(bbans.decompress(data), array)


def test_a_constant_costs_next_to_nothing():
    assert len(bbans.compress(np.full(60_000, 12345))) < 100


def test_every_cut_and_every_flipped_bit_is_found():
    data = bbans.compress(walk(60, 2), block_size=40)
    for cut in range(len(data)):
        with pytest.raises(bbans.FormatError):
            bbans.decompress(data[:cut])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(bbans.FormatError):
            bbans.decompress(damaged)
    with pytest.raises(bbans.CorruptError, match="followed"):
        bbans.decompress(data + b"x")


@pytest.mark.parametrize("dtype", ["i4", "i8", "u8"])
def test_values_beyond_their_type(dtype):
    block = bytearray(block_of((walk(300) + 10**6).astype(dtype)))
    top = np.array([np.iinfo(dtype).max], dtype).astype(f"<{dtype}").tobytes()
    block[6 : 6 + len(top)] = top
    with pytest.raises(bbans.CorruptError, match="beyond its type"):
        values_of(block, 300, dtype)


def test_a_slow_pipe(tmp_path):
    (tmp_path / "s").write_bytes(bbans.compress(np.arange(50, dtype=np.int16)))
    done = subprocess.run(
        f"(head -c 3 s; sleep 0.5; tail -c +4 s) | {sys.executable} -m bbans "
        "decompress -",
        cwd=tmp_path, shell=True, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == np.arange(50, dtype="<i2").tobytes()


def test_salvage_leaves_damaged_blocks_out():
    array = walk(500)
    data = bytearray(bbans.compress(array, block_size=100))
    data[len(data) // 2] ^= 4
    found, sink = [], io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink, salvage=found.append)
    assert [str(error).split(":")[0] for error in found] == ["block 2 is damaged"]
    kept = np.frombuffer(sink.getvalue(), "<i4")
    assert (kept == np.delete(array, slice(200, 300), axis=0).ravel()).all()
    found.clear()
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(data[:-60]), sink, salvage=found.append)
    assert len(sink.getvalue()) == 4 * 300
    assert "ends early, in block 4" in str(found[-1])


def test_damage_that_checksums_do_not_see():
    """Blocks of anyone's making: an error or other values, never a crash."""
    rng, taken = np.random.default_rng(0), 0
    block = block_of(walk(200, 2))
    for _ in range(3000):
        damaged = bytearray(block)
        for _ in range(int(rng.integers(1, 4))):
            damaged[int(rng.integers(0, 40))] = int(rng.integers(0, 256))
        try:
            out = values_of(damaged, 400, "i4")
        except bbans.BbansError:
            continue
        taken += out.shape == (400,)
    assert taken > 0


@pytest.mark.parametrize("bad", [[0.5], "text", b"bytes", [None], [1j]])
def test_only_integers(bad):
    with pytest.raises(bbans.SymbolError, match="integers"):
        bbans.compress(bad, SignalCoder())
    with pytest.raises(bbans.ModelError):
        bbans.compress([1], block_size=0)
    with pytest.raises(bbans.ModelError):
        bbans.compress([1], block_size=2.5)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="has 32")
def test_at_most_32_axes():
    with pytest.raises(bbans.SymbolError, match="32 axes"):
        bbans.compress(np.zeros((1,) * 33, int))


def model_of(coefficients, order, cross, scales=40):
    model = bbans._lib.ffi.new("bbans_signal *")
    model.channels, model.order, model.cross = len(coefficients), order, cross
    model.scales = scales
    array = np.ascontiguousarray(coefficients, np.int32)
    model.coefficient = bbans._lib.pointer(array, "int32_t[]")
    return model, array


@pytest.mark.parametrize("seed", range(20))
def test_any_model_codes_any_values(seed):
    """Whatever the coefficients: pushed and popped on a message that holds more."""
    rng = np.random.default_rng(seed)
    channels, order, cross = (int(v) for v in rng.integers([1, 0, 0], [4, 9, 4]))
    taps = order + (channels - 1) * (cross + 1) + 1
    limit = lib.BBANS_SIGNAL_COEFFICIENT_MAX - 1
    form = order, cross, int(rng.integers(1, 49))
    fixed = rng.integers(-limit, limit + 1, (channels, taps)).astype(np.int32)
    most = lib.BBANS_SIGNAL_VALUE_MAX
    values = rng.integers(-most, most + 1, (50, channels))
    values[25:] = rng.integers(-3, 4, (25, channels))
    message = bbans.Message.from_state([1 << 40], [7] * 9)
    before = message.state()
    signals._call(message, "push", fixed, form, values)
    popped = np.empty_like(values)
    signals._call(message, "pop", fixed, form, popped)
    assert (popped == values).all()
    assert message.state() == before


@pytest.mark.parametrize("seed", range(12))
def test_bytes_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    channels, order, cross = (int(v) for v in rng.integers([1, 0, 0], [4, 6, 4]))
    taps = order + (channels - 1) * (cross + 1) + 1
    limit = (1 << 14, lib.BBANS_SIGNAL_COEFFICIENT_MAX - 1)[seed % 2]
    form = order, cross, int(rng.integers(1, 49))
    fixed = rng.integers(-limit, limit + 1, (channels, taps)).astype(np.int32)
    most = (50, lib.BBANS_SIGNAL_VALUE_MAX)[seed % 3 == 0]
    values = rng.integers(-most, most + 1, (30, channels))
    values[15:] = rng.integers(-3, 4, (15, channels))
    message = bbans.Message()
    signals._call(message, "push", fixed, form, values)
    table = [int(s) for s in Family.gaussian().survival]
    signal = reference.Signal(table, channels, *form, fixed.tolist())
    ours = reference.Message()
    reference.push_each(ours, signal.intervals(values.tolist()))
    assert message.to_bytes() == ours.to_bytes()


def test_refused_pushes_leave_the_message():
    model, _ = model_of([[65536, 0]], 1, 0)
    message = bbans.Message()
    for values in ([[1 << 31]], [[-(1 << 40)]]):
        with pytest.raises(bbans.SymbolError):
            signals._call(
                message, "push", np.zeros((1, 2), np.int32), (1, 0, 40),
                np.array(values, np.int64),
            )  # fmt: skip
    assert message.is_empty
    for change in ({"scales": 0}, {"scales": 49}, {"order": 65}, {"cross": 65},
                   {"channels": 0}, {"channels": 65}):  # fmt: skip
        model, _ = model_of([[65536, 0]], 1, 0)
        for name, value in change.items():
            setattr(model, name, value)
        assert lib.bbans_signal_check(model) == lib.BBANS_ERR_SIZE
    model, _ = model_of([[lib.BBANS_SIGNAL_COEFFICIENT_MAX, 0]], 1, 0)
    assert lib.bbans_signal_check(model) == lib.BBANS_ERR_TABLE


def test_command_line(tmp_path):
    array = walk(5000, 2, dtype=np.int16)
    (tmp_path / "ecg").write_bytes(array.astype("<i2").tobytes())

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "bbans", *arguments], cwd=tmp_path,
            capture_output=True, check=False,
        )  # fmt: skip

    assert run("compress", "--type", "int16", "--channels", "2", "ecg").returncode == 0
    assert (tmp_path / "ecg.bbz").stat().st_size < 0.7 * array.nbytes
    assert b"1 signal" in run("info", "ecg.bbz").stdout
    assert run("decompress", "ecg.bbz", "-o", "copy").returncode == 0
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "ecg").read_bytes()
    odd = run("compress", "--type", "int", "--channels", "3", "ecg", "-o", "-")
    assert odd.returncode == 1
    assert b"20000 bytes are no rows of 3 int" in odd.stderr
    both = run("compress", "--type", "int32", "-m", "x.bbm", "ecg", "-o", "-")
    assert b"x.bbm" in both.stderr


def test_the_fit_is_the_work_of_one_thread():
    """Products are too small for BLAS to share them out."""
    array = walk(20_000, 3)
    bbans.compress(array)
    own, all_ = time.thread_time(), time.process_time()
    bbans.compress(array)
    own, all_ = time.thread_time() - own, time.process_time() - all_
    assert all_ < 1.3 * own


@pytest.mark.parametrize("taps", [1, 31, 32, 70])
def test_normal_equations_in_parts(taps):
    rng = np.random.default_rng(taps)
    rows, weight = rng.normal(size=(taps + 1, 1777)), rng.random(1777)
    normal, moment = linear_prediction._normal(rows, weight)
    whole = (rows * weight) @ rows.T
    np.testing.assert_allclose(normal, whole[:-1, :-1], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(moment, whole[-1, :-1], rtol=1e-9, atol=1e-9)


def test_seventeen_columns_are_one_series():
    array = walk(300, 17)
    data = bbans.compress(array)
    assert methods(data) == [SIGNAL]
    assert same(bbans.decompress(data), array)


def test_a_level_is_that_of_the_bytes_instead():
    rng = np.random.default_rng(0)
    array = rng.integers(-(2**63), 2**63, 5)[rng.integers(0, 5, 5000)]
    sizes = [len(bbans.compress(array, level=level)) for level in range(1, 10)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
