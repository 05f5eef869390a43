"""Signals: every array comes back, at a better rate than without the model."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import bbans
from bbans.formats import SignalCoder, signals
from bbans.formats.container import BYTE_BLOCK, SIGNAL, STORED, ContainerReader

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


def methods(data):
    reader = ContainerReader(memoryview(data))
    return [block.method for part in reader.parts() for block in part.blocks()]


def block_of(series, level=5):
    """A block by itself, of a series of shape (steps, channels)."""
    little = series.astype(series.dtype.newbyteorder("<"))
    return bytes(signals.encode_signal(little, level))


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
            damaged[int(rng.integers(0, len(block)))] = int(rng.integers(0, 256))
        try:
            out = values_of(damaged, 400, "i4")
        except bbans.CorruptError:
            continue
        taken += out.shape == (400,)
    assert taken > 0


@pytest.mark.parametrize("bad", ["text", b"bytes", [None], [1j]])
def test_only_numbers(bad):
    with pytest.raises(bbans.SymbolError, match=r"of numbers|integers or floats"):
        bbans.compress(bad, SignalCoder())
    with pytest.raises(bbans.ModelError):
        bbans.compress([1], block_size=0)
    with pytest.raises(bbans.ModelError):
        bbans.compress([1], block_size=2.5)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="has 32")
def test_at_most_32_axes():
    with pytest.raises(bbans.SymbolError, match="32 axes"):
        bbans.compress(np.zeros((1,) * 33, int))


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


# ---- series


def jumps(n, seed=5):
    """Increments as of a heart and of noise."""
    rng = np.random.default_rng(seed)
    return np.rint(40 * np.sin(np.arange(n) / 9) + rng.normal(size=n) * 3)


MADE = {
    "one": np.array([-7]),
    "constant": np.full(700, 12345),
    "regular": 10**15 + np.arange(900) * 1000,
    "quadratic": np.arange(900) ** 2 * 3 - 5,
    "cubic": np.arange(900) ** 3 - 77 * np.arange(900),
    "around": np.arange(900, dtype=np.uint64) * np.uint64(3 * 10**18),
    "multiples": 7 + 12 * walk(3000)[:, 0].astype(np.int64),
    "lattice": np.rint(2.7 * walk(3000)[:, 0]).astype(np.int64),
    "missing": np.where(np.arange(3000) % 71 == 5, -(10**6), walk(3000)[:, 0]),
    "few": np.array([3, 99, -(2**60), 2**60])[walk(2000)[:, 0] % 4],
    "booleans": walk(2000)[:, 0] % 2,
    "jittered": 10**18 + np.arange(3000) * 10**9 + walk(3000)[:, 0] * 1000,
    "gaps": np.cumsum(10**9 * (1 + (walk(3000)[:, 0] % 7 == 0))),
    "wrapped": np.cumsum(jumps(9000)).astype(np.int64) % 4096 - 2048,
    "phase": np.arange(9000) * 777 % 4096,
    "wide": np.cumsum(walk(3000)[:, 0].astype(np.int64) << 36),
    "floats": np.sin(np.arange(3000) / 50).view(np.int64),
}


# ---- the block in plain Python


def in_plain_python(block, n, dtype, line=(0, 1)):
    dtype = np.dtype(dtype)
    signed = dtype.kind == "i"
    return reference.decode_signal_block(block, n, dtype.itemsize, signed, line)


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", MADE)
def test_blocks_are_what_the_documents_say(name, level):
    series = MADE[name][:1500]
    block = block_of(series[:, None], level)
    assert in_plain_python(block, series.size, series.dtype) == series.tolist()


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("channels", [2, 63, 64, 65])
def test_channels_in_plain_python(channels, level):
    array = walk(1200 // channels, channels)
    array[:, channels // 2 :] = 5  # the transform of the one before, again and again
    block = block_of(array, level)
    assert in_plain_python(block, array.size, "i4") == array.ravel().tolist()


def test_lines_in_plain_python():
    series = 10**6 + 250 * np.arange(40, 90)[:, None]
    block = bytes(signals.encode_signal(series, 5, (10**6, 250)))
    assert len(block) <= 4
    assert in_plain_python(block, 50, "i8", (10**6, 250)) == series.ravel().tolist()


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_refused_in_plain_python_too(channels):
    """Blocks of anyone's making: the same values, or an error."""
    rng, taken = np.random.default_rng(channels), 0
    series = walk(64, channels)
    block = block_of(series)
    for _ in range(60):
        damaged = bytearray(block)
        for _ in range(int(rng.integers(1, 3))):
            damaged[int(rng.integers(0, len(block)))] ^= 1 << int(rng.integers(0, 8))
        try:
            values = values_of(damaged, series.size, "i4").tolist()
        except bbans.CorruptError:
            with pytest.raises(reference.Damage):
                in_plain_python(bytes(damaged), series.size, "i4")
        else:
            assert in_plain_python(bytes(damaged), series.size, "i4") == values
            taken += 1
    assert taken < 6


VECTORS = json.loads((Path(__file__).parent / "vectors/signal_v3.json").read_text())


@pytest.mark.parametrize(
    "case", VECTORS["cases"], ids=lambda c: f"{c['name']} {c['levels']}"
)
def test_stored_vectors(case):
    block, data = bytes.fromhex(case["block"]), bytes.fromhex(case["data"])
    dtype = np.dtype(
        f"<{['u', 'i'][case['element'] % 2]}{1 << case['element'] // 2 - 8}"
    )
    array, line = np.frombuffer(data, dtype), case["line"]
    steps = array.reshape(-1, case["channels"])
    for level in case["levels"]:
        assert bytes(signals.encode_signal(steps, level, line)) == block
    out = np.empty_like(array)
    signals.decode_signal(block, out, line)
    assert out.tobytes() == data
    decoded = in_plain_python(block, array.size, dtype, line or (0, 1))
    assert decoded == array.tolist()


# ---- what values are made of


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("name", MADE)
def test_each_transform(name, level):
    series = MADE[name]
    block = block_of(series[:, None], level)
    assert len(block) <= series.nbytes + 1
    assert same(values_of(block, series.size, series.dtype), series)


@pytest.mark.parametrize("level", [1, 5, 9])
def test_channels_of_all_kinds_together(level):
    columns = [series[-500:].astype(np.int64) for series in MADE.values()]
    array = np.stack([c for c in columns if len(c) == 500], axis=1)
    block = block_of(array, level)
    assert (values_of(block, array.size, "i8") == array.ravel()).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_channels_at_any_level(data):
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    info, bits = np.iinfo(dtype), 8 * dtype.itemsize
    steps = data.draw(st.one_of(st.integers(1, 40), st.integers(1000, 9000)))
    channels = data.draw(st.integers(1, 3 if steps > 40 else 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    width = data.draw(st.integers(1, bits))
    noise = rng.integers(0, 2**width - 1, (steps, channels), np.uint64, endpoint=True)
    values = noise * np.uint64(data.draw(st.integers(1, 2 ** (bits - width + 1))))
    for _ in range(data.draw(st.integers(0, 3))):
        values = np.cumsum(values, axis=0, dtype=np.uint64)
    array = (values + np.uint64(data.draw(st.integers(0, info.max)))).astype(dtype)
    block = block_of(array, data.draw(st.integers(1, 9)))
    assert (values_of(block, array.size, dtype) == array.ravel()).all()


UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("step", [1, 60, 86400, 604800])
def test_regular_time_stamps(unit, step, level):
    """64 bytes for a block, and 16 for each further one."""
    scale = 10 ** UNITS[unit]
    n = 300_000 if step < 86400 else 10_000  # or they were beyond int64
    times = 1_577_836_800 * scale + 123 + np.arange(n) * step * scale
    times = times.astype(f"M8[{unit}]")
    one = bbans.compress(times[:10_000], level=level)
    assert len(one) <= 64
    assert (bbans.decompress(one) == times[:10_000]).all()
    for size in (1000, 7000, 10_000):
        n = -(-times.size // size)
        data = bbans.compress(times, level=level, block_size=size)
        assert len(data) <= 64 + 16 * (n - 1)
        assert (bbans.decompress(data) == times).all()
        assert (
            bbans.open(io.BytesIO(data))[size + 5 : size + 9]
            == times[size + 5 : size + 9]
        ).all()


def test_wide_types_cost_nothing():
    narrow = walk(5000, 2)
    sizes = [len(block_of(narrow.astype(t))) for t in ("i4", "i8", "u8")]
    assert max(sizes) <= sizes[0] + 8 * 2


def test_a_lattice_costs_as_what_lies_on_it():
    """But for a table: of multiples nearly nothing, of rounded ones some bits each."""
    series = walk(20_000)
    size = len(block_of(series))
    assert len(block_of(series * 96)) <= size + 4
    assert len(block_of(np.rint(series * 3.3).astype(np.int32))) <= 1.02 * size + 400


def test_what_wrapped_around_is_unwrapped():
    series = np.cumsum(jumps(20_000)).astype(np.int32)[:, None]
    wrapped = series % 1024
    assert len(block_of(wrapped)) <= 1.1 * len(block_of(series))


def test_a_burst_does_not_leave_what_wrapped_running_away():
    """A slope of a multiple of the range is none: all that follows could keep it."""
    series = walk(20_000).astype(np.int64) * 3
    series[1000:1300, 0] = np.random.default_rng(0).integers(0, 4096, 300)
    wrapped = (series % 4096).astype(np.int16)
    parts = len(block_of(wrapped[:1300])) + len(block_of(wrapped[1300:]))
    assert len(block_of(wrapped)) <= 1.02 * parts


def test_values_that_are_missing_cost_little():
    series = walk(20_000)
    size = len(block_of(series))
    series[::1000] = -(2**30)
    assert len(block_of(series)) <= 1.1 * size


def test_levels():
    array = walk(60_000, 2)
    sizes = [len(block_of(array, level)) for level in (1, 5, 9)]
    assert sizes == sorted(sizes, reverse=True)


def test_threads_give_the_same_bytes():
    array = walk(6000, 3)
    one = bbans.compress(array, block_size=1500)
    assert bbans.compress(array, block_size=1500, threads=3) == one
    assert same(bbans.decompress(one, threads=3), array)


@pytest.mark.parametrize(
    ("series", "text"),
    [
        (np.zeros((3, 1)), "of integers, not of float64"),
        (np.zeros((0, 1), int), "0 bytes"),
        (np.zeros((2**21 + 1, 1), np.int64), "16777224 bytes"),
    ],
)
def test_what_is_no_signal(series, text):
    with pytest.raises(bbans.SymbolError, match=text):
        signals.encode_signal(series, 5)


def test_a_block_holds_what_it_says():
    block = block_of(walk(30, 2))
    for n, dtype in ((59, "i4"), (61, "i4"), (30, "i4")):
        with pytest.raises(bbans.CorruptError, match=f"no signal of {n} int"):
            values_of(block, n, dtype)
    for cut in range(len(block)):
        with pytest.raises(bbans.CorruptError):
            values_of(block[:cut], 60, "i4")
    line = np.arange(50)[:, None] * 7 + 1000
    along = signals.encode_signal(line, 5, (1000, 7))
    out = np.empty(50, "<i8")
    signals.decode_signal(along, out, (2000, 9))
    assert (out == 2000 + 9 * np.arange(50)).all()
    with pytest.raises(bbans.CorruptError):
        signals.decode_signal(along, np.empty(50, np.int8), (120, 9))


def test_columns_beyond_64_are_one_series():
    for columns in (64, 65):
        array = walk(300, columns)
        data = bbans.compress(array, SignalCoder())
        assert methods(data) == [SIGNAL]
        assert same(bbans.decompress(data), array)


def test_values_of_few_kinds_cost_their_entropy():
    rng = np.random.default_rng(0)
    array = rng.integers(-(2**63), 2**63, 5)[rng.integers(0, 5, 5000)]
    sizes = [len(bbans.compress(array, level=level)) for level in range(1, 10)]
    assert max(sizes) < 1.03 * np.log2(5) * 5000 / 8 + 90
