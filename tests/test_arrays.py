"""Arrays of every type, layout and axis come back; save and load."""

import io
import os
import stat
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shared import Counting, random_hmm

import bbans
from bbans.formats import ByteCoder, CodecCoder, SignalCoder, describe
from bbans.formats.container import BLOCK_BYTES_MAX, ContainerReader

EXACT = settings(derandomize=True, deadline=None, max_examples=300)
NEVER = np.iinfo("i8").min  # NaT
INTEGERS = [
    f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in "1248"
]
UNITS = ["", "[Y]", "[M]", "[W]", "[D]", "[h]", "[m]", "[s]", "[ms]", "[us]", "[ns]"]
UNITS += ["[ps]", "[fs]", "[as]", "[25s]", "[2147483647as]"]
DATES = [f"{order}{kind}8{unit}" for order in "<>" for kind in "Mm" for unit in UNITS]
TYPES = ["?", *INTEGERS, *DATES]


def same(got, expected):
    """The same array, in C order and writable."""
    expected = np.asarray(expected)
    assert type(got) is np.ndarray
    assert (got.dtype.str, got.shape) == (expected.dtype.str, expected.shape)
    assert got.tobytes() == expected.tobytes()
    assert got.flags.c_contiguous
    assert got.flags.writeable


def restored_file(data):
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink)
    return sink.getvalue()


def check(array, coder=None, **options):
    """All ways back agree."""
    data = bbans.compress(array, coder, **options)
    same(bbans.decompress(data), array)
    assert restored_file(data) == array.tobytes()
    room = np.zeros(array.nbytes + 3, np.uint8)
    same(bbans.decompress(data, out=room), array)
    assert room[: array.nbytes].tobytes() == array.tobytes()
    assert not room[array.nbytes :].any()
    with bbans.open(io.BytesIO(data)) as file:
        assert (file.shape, file.dtype.str) == (array.shape, array.dtype.str)
        if array.ndim:
            same(file[...], array)
            joined = [*file]
            if joined:
                assert all(part.dtype.str == array.dtype.str for part in joined)
                joined = np.concatenate([x.view(f"V{x.itemsize}") for x in joined],
                                        axis=file.axis)  # fmt: skip
                assert joined.tobytes() == array.tobytes()
    return data


# ---- types


@pytest.mark.parametrize("name", TYPES)
def test_types(name):
    dtype = np.dtype(name)
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        values = rng.integers(0, 2, 24).astype(bool)
    else:
        values = np.frombuffer(rng.bytes(24 * dtype.itemsize), dtype).copy()
        values[3:20] = np.arange(17).astype(f"{dtype.str[0]}i8").astype(
            f"{dtype.str[0]}{'i8' if dtype.kind in 'Mm' else dtype.str[1:]}"
        ).view(dtype)  # fmt: skip
    for coder in (None, ByteCoder(), SignalCoder(axis=1)):
        check(values.reshape(4, 6), coder)
    check(values[:1].reshape(()))
    check(values[:0])


@pytest.mark.parametrize("kind", "Mm")
def test_not_a_time_comes_back(kind):
    for values in ([NEVER], [NEVER, 0], [5, NEVER, 6, NEVER] * 50, [NEVER, -NEVER - 1]):
        when = np.array(values, np.int64).view(f"{kind}8[ns]")
        check(when)
        check(when.astype(when.dtype.newbyteorder(">")), ByteCoder())
    assert np.isnat(bbans.decompress(bbans.compress(np.array(["NaT"], "M8[D]"))))


def test_all_but_zero_is_true():
    odd = np.frombuffer(b"\0\1\2\xff", bool)
    got = bbans.decompress(bbans.compress(odd))
    assert got.tobytes() == b"\0\1\1\1"
    with pytest.raises(bbans.SymbolError, match="byte 6 is 2, which is no bool"):
        bbans.compress_file(
            io.BytesIO(b"\0\1\1\1\0\1\2\1"), io.BytesIO(), dtype="?", block_size=3
        )


class Halves:
    """Says of each block that it is all 2."""

    def encode(self, block):
        return b""

    def decode(self, data, n):
        return np.full(n, 2)


def test_a_codec_that_decodes_to_no_truth():
    coder = CodecCoder("halves", Halves())
    data = bbans.compress([True, False, True], coder)
    with pytest.raises(bbans.CorruptError, match="beyond bool"):
        bbans.decompress(data, coder)


def test_coders_see_integers():
    seen = []

    class Watch:
        def encode(self, block):
            seen.append((block.dtype.str, block.tolist()))

        def decode(self, data, n):
            raise AssertionError

    coder = CodecCoder("watch", Watch())
    bbans.compress([True, False], coder)
    bbans.compress(np.array([7, NEVER], ">i8").view(">m8[s]"), coder)
    bbans.compress(np.array([[1, 2], [3, 4]], ">u2").T, coder)
    assert seen == [("|u1", [1, 0]), ("<i8", [7, NEVER]), ("<u2", [1, 3, 2, 4])]


def test_under_a_model():
    model = random_hmm(2, [0, 1])
    x = np.random.default_rng(0).integers(0, 2, (50, 3))
    for dtype in ("?", "M8[h]", ">m8[3s]", ">i2"):
        array = x.astype("?" if dtype == "?" else np.dtype(dtype))
        if array.dtype.str != np.dtype(dtype).str:  # numpy 2 casts to no such unit
            array = x.astype(f"{dtype[0]}i8").view(dtype)
        data = bbans.compress(array, model)
        assert len(data) < 120
        same(bbans.decompress(data, model), array)


@pytest.mark.parametrize("values", [
    np.arange(4032) * 300_000_000,
    np.arange(4000) * 10**4,
    1_700_000_000_000_000_000 + np.arange(5000) * 1_000_000,
    7 - np.arange(5000) * 3600,
], ids=["five minutes", "steps", "nanoseconds", "back"])  # fmt: skip
@pytest.mark.parametrize("dtype", ["<i8", ">M8[us]", "m8[25s]"])
def test_regular_times_cost_next_to_nothing(values, dtype):
    times = values.astype(f"{'>' if dtype[0] == '>' else '<'}i8").view(dtype)
    assert len(check(times)) <= 64
    many = check(times, block_size=500)
    blocks = -(-len(values) // 500)
    assert len(many) <= 64 + 16 + 16 * (blocks - 1)


def test_the_size_does_not_depend_on_the_type():
    rng = np.random.default_rng(0)
    values = rng.integers(-(2**30), 2**30, 30)[rng.integers(0, 30, 4730)]
    sizes = [len(bbans.compress(values.astype(name))) for name in ("i4", "i8", ">i8")]
    sizes.append(len(bbans.compress(values.view("M8[s]"))))
    assert max(sizes) <= min(sizes) + 5
    small = values % 100
    sizes = [len(bbans.compress(small.astype(name))) for name in INTEGERS]
    assert max(sizes) <= 1.03 * min(sizes)


# ---- layouts


@st.composite
def arrays(draw):
    """An array of any type, and a view of it."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    n = int(np.prod(shape))
    if dtype.kind == "b":
        data = bytes(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    else:
        few = draw(st.binary(min_size=dtype.itemsize, max_size=3 * dtype.itemsize))
        data = (few * (n * dtype.itemsize // max(len(few), 1) + 1))[
            : n * dtype.itemsize
        ]
    array = np.frombuffer(data, dtype).reshape(shape)  # read-only
    axes = draw(st.permutations(range(len(shape))))
    keys = [
        draw(st.sampled_from([slice(None), slice(None, None, -1), slice(1, None, 2)]))
        for _ in shape
    ]
    view = array.transpose(axes)[tuple(keys)]
    axis = draw(st.sampled_from([None, *range(-view.ndim, view.ndim)]))
    return view, axis


@EXACT
@given(arrays(), st.sampled_from([None, 1, 3, 8]), st.sampled_from([1, 2]))
def test_layouts_and_axes(case, block_size, threads):
    view, axis = case
    coder = SignalCoder(axis=axis)
    data = check(view, coder, block_size=block_size)
    copy = np.array(view, order="C")
    assert bbans.compress(copy, coder, block_size=block_size, threads=threads) == data
    for order in "CF":
        out = np.empty(view.shape, view.dtype, order)
        if out.flags.c_contiguous:
            same(bbans.decompress(data, out=out, threads=threads), view)
            assert out.tobytes() == view.tobytes()


@pytest.mark.parametrize("code", "bBhHiIlLqQ?")
def test_the_types_of_c(code):
    check(np.arange(3).astype(code))


class Plain(np.ndarray):
    pass


def test_subclasses_are_arrays(tmp_path):
    array = np.arange(12, dtype="i2").reshape(3, 4)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "i2", (3, 4))
    mapped[:] = array
    for other in (array.view(Plain), mapped, array.view(np.recarray)):
        same(bbans.decompress(bbans.compress(other)), array)
    masked = np.ma.masked_equal(array, 5)
    for call in (bbans.compress, lambda x: bbans.save(tmp_path / "y", x)):
        with pytest.raises(bbans.SymbolError, match="mask"):
            call(masked)
    assert not (tmp_path / "y").exists()


class Series:
    """Has an array, as those of pandas do."""

    def __init__(self, values):
        self.values = values
        self.dtype = values.dtype

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_what_has_an_array_is_one():
    for values in (np.arange(4, dtype=">u2"), np.zeros(0, "m8[s]"), np.zeros(0, bool)):
        same(bbans.decompress(bbans.compress(Series(values))), values)
    with pytest.raises(bbans.SymbolError, match="complex128"):
        bbans.compress(Series(np.zeros(0, complex)))


def test_blocks_are_cut_without_a_copy_of_all():
    rows = np.zeros((1 << 16, 64), ">i4")
    for array in (rows, rows[::-1], np.asfortranarray(rows), rows.T):
        coder = SignalCoder(axis=0 if array.shape[0] > 64 else 1)
        sink = io.BytesIO()
        tracemalloc.start()
        bbans.save(sink, array, coder, block_size=1 << 12)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < array.nbytes / 2
        assert bbans.decompress(sink.getvalue()).shape == array.shape


# ---- the axis of time


def walk(*shape):
    steps = np.random.default_rng(1).integers(-3, 4, shape)
    return np.cumsum(steps, axis=0).astype("i4")


def test_an_axis_says_what_is_sampled_together():
    x = walk(3000, 3)
    x[:, 1] = x[:, 0] + x[:, 1] % 2  # which only those know who see both
    plain = bbans.compress(x)
    for view, axis in ((x, 0), (x, -2), (x.T, 1), (x.T, -1), (x.T[:, None], 2)):
        data = check(view, SignalCoder(axis=axis))
        assert abs(len(data) - len(plain)) <= 3
    series = bbans.compress(x.T, SignalCoder(axis=None))
    assert len(series) > 1.1 * len(plain)


def test_three_axes_of_which_any_is_time():
    x = walk(400, 2, 3)
    sizes = []
    for axis in range(3):
        data = check(np.moveaxis(x, 0, axis), SignalCoder(axis=axis))
        sizes.append(len(data))
        reader = ContainerReader(memoryview(data))
        assert reader.header.axis == axis
        assert [block.n % 6 for part in reader.parts() for block in part.blocks()] == [
            0
        ]
        assert reader.shape == x.shape
    assert max(sizes) == min(sizes)


def test_parts_are_joined_along_time():
    x = walk(30, 4).astype(">i8").view(">M8[m]")
    for axis, whole in ((0, x), (1, x.T)):
        coder = SignalCoder(axis=axis)
        parts = np.split(whole, [7, 7, 20], axis=axis)
        data = b"".join(bbans.compress(part, coder, block_size=8) for part in parts)
        same(bbans.decompress(data, threads=2), whole)
        assert restored_file(data) == whole.tobytes()
        with bbans.open(io.BytesIO(data)) as file:
            assert file.shape == whole.shape
            assert (file[1:, 2] == whole[1:, 2]).all()
        facts = describe(io.BytesIO(data))
        assert facts["shape"] == " x ".join(map(str, whole.shape))
        first = ", axis 1 first" * axis
        assert facts["kind"] == (
            f"bbans container of an array of big-endian datetime64[m]{first}"
        )
    other = bbans.compress(x.T, SignalCoder(axis=0))
    for pair in (data + other, other + data):
        with pytest.raises(
            bbans.CorruptError, match=r"part . is an array of big-endian"
        ):
            bbans.decompress(pair)
    with pytest.raises(bbans.CorruptError, match=r"shape \(3, 30\), .* \(4, 7\)"):
        bbans.decompress(
            bbans.compress(parts[0], coder) + bbans.compress(whole[1:], coder)
        )


def test_levels_and_axes_are_shown():
    assert repr(SignalCoder(9, -1)) == "SignalCoder(level=9, axis=-1)"
    assert repr(SignalCoder()) == "SignalCoder(level=5)"


def test_a_step_is_no_longer_than_a_block():
    widest = np.zeros((2, BLOCK_BYTES_MAX // 8), "i8")
    assert len(bbans.compress(widest, SignalCoder(axis=0))) < 300
    wider = np.zeros((2, BLOCK_BYTES_MAX // 8 + 1), "i8")
    with pytest.raises(bbans.SymbolError, match="a step of 2097153 elements"):
        bbans.compress(wider, SignalCoder(axis=0))


def test_columns_are_channels_if_nothing_is_said():
    x = walk(500, 3)
    together, apart = bbans.compress(x), bbans.compress(x[:, :, None])
    assert together[:-20] == bbans.compress(x, SignalCoder(axis=0))[:-20]
    assert together[:-20] != apart[:-20]


def test_salvage_leaves_whole_steps():
    x = walk(40, 3).T
    data = bytearray(bbans.compress(x, SignalCoder(axis=1), block_size=30))
    data[20] ^= 1  # in the first of 4 blocks
    found, sink = [], io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink, salvage=found.append)
    assert ["block 0 is damaged" in str(error) for error in found] == [True]
    assert sink.getvalue() == x[:, 10:].tobytes()
    found, sink = [], io.BytesIO()
    with pytest.raises(bbans.CorruptError, match="axis 1 of them came first"):
        bbans.decompress_file(io.BytesIO(data[:-9]), sink, salvage=found.append)
    assert len(found) == 2
    assert sink.getvalue() == b""


# ---- parts of a container


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("block_size", [1, 50, 1000])
def test_keys_of_several_axes(axis, block_size):
    x = np.arange(7 * 4 * 5, dtype=">u2").reshape(7, 4, 5)
    data = b"".join(
        bbans.compress(part, SignalCoder(axis=axis), block_size=block_size)
        for part in np.array_split(x, 3, axis=axis)
    )
    file = bbans.open(io.BytesIO(data))
    rng = np.random.default_rng(0)
    some = [0, -1, 2, slice(None), slice(1, 3), slice(None, None, -2), slice(9, 2)]
    for _ in range(200):
        keys = tuple(some[i] for i in rng.integers(0, 7, rng.integers(0, 4)))
        if rng.random() < 0.4:
            at = int(rng.integers(0, len(keys) + 1))
            keys = (*keys[:at], ..., *keys[at:])
        got, expected = file[keys], x[keys]
        assert np.array_equal(got, expected)
        assert got.dtype.kind == "u"
        if np.ndim(expected):
            same(got, expected)
    for keys in ((0, 0, 0, 0), (..., ...), (7,), (0, 4), (0, 0, -6)):
        with pytest.raises(IndexError):
            file[keys]
    for keys in ((0, None), (0, [1]), (0.5,), (True, "a")):
        with pytest.raises(TypeError):
            file[keys]


def test_a_key_reads_the_blocks_that_it_needs():
    x = np.random.default_rng(0).integers(0, 1 << 15, (4, 100_000), "i2")
    raw = Counting(bbans.compress(x, SignalCoder(axis=1), block_size=4000))
    with bbans.open(raw) as file:
        before = raw.n_read
        assert (file[:, 50_000:50_010] == x[:, 50_000:50_010]).all()
        assert raw.n_read - before < 20_000
        tracemalloc.start()
        channel = file[2]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (channel == x[2]).all()
        assert peak < x.nbytes


# ---- streams


@pytest.mark.parametrize("name", [">i2", "?", "M8[ns]", ">m8[25s]", "u8", "bool"])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_bare_elements(name, channels):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, 300, np.uint8)
    x = np.repeat(bits, np.dtype(name).itemsize).view(name).reshape(-1, channels)
    sink = io.BytesIO()
    bbans.compress_file(
        io.BytesIO(x.tobytes()), sink, dtype=name, channels=channels, block_size=30
    )
    got = bbans.decompress(sink.getvalue())
    same(got, x if channels > 1 else x.ravel())
    assert restored_file(sink.getvalue()) == x.tobytes()


def test_files_take_any_number_of_channels():
    x = walk(50, 100)
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(x.tobytes()), sink, dtype="i4", channels=100)
    same(bbans.decompress(sink.getvalue()), x)


# ---- save and load


def test_save_and_load(tmp_path):
    path = tmp_path / "x.bbz"
    for array in (walk(30, 3), np.array(5, ">i2"), np.zeros((0, 4), bool), [1, 2, 3]):
        for name in (path, str(path)):
            bbans.save(name, array)
            same(bbans.load(name), array)
    bbans.save(path, walk(300, 3), level=9, block_size=90, threads=2)
    assert path.read_bytes() == bbans.compress(walk(300, 3), level=9, block_size=90)
    same(bbans.load(path, threads=2), walk(300, 3))
    model = random_hmm(2, 5)
    bbans.save(path, [[0, 1], [4, 3]], model)
    same(bbans.load(path, model), [[0, 1], [4, 3]])
    with pytest.raises(bbans.WrongModelError):
        bbans.load(path)
    with pytest.raises(bbans.LimitError):
        bbans.load(path, model, max_bytes=31)
    assert os.listdir(tmp_path) == ["x.bbz"]


def test_open_files(tmp_path):
    x = walk(30, 3)
    with open(tmp_path / "x", "wb") as file:
        file.write(b"head")
        bbans.save(file, x[:20])
        bbans.save(file, x[20:])
    with open(tmp_path / "x", "rb") as file:
        assert file.read(4) == b"head"
        same(bbans.load(file), x)
    with pytest.raises(TypeError, match="binary"):
        bbans.save(io.StringIO(), x)
    with pytest.raises(TypeError, match="binary"), open(tmp_path / "x") as file:
        bbans.load(file)


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "x.bbz"
    bbans.save(path, [1, 2, 3])
    before, found = path.read_bytes(), []
    path.chmod(0o640)

    class Failing:
        def encode(self, block):
            found.append(sorted(os.listdir(tmp_path)))
            if len(found) > 1:
                raise ValueError("no more")

        def decode(self, data, n):
            raise AssertionError

    with pytest.raises(bbans.ModelError, match="no more"):
        bbans.save(path, np.arange(9), CodecCoder("failing", Failing()), block_size=3)
    assert len(found[0]) == 2  # the new one is beside it
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.bbz"]
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda n: synced.append(os.fstat(n)) or fsync(n))
    bbans.save(path, [4, 5])
    assert [stat.S_ISDIR(status.st_mode) for status in synced] == [False, True]
    assert synced[0].st_size == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(FileNotFoundError) as caught:
        bbans.save(tmp_path / "none" / "x", [1])
    assert "none" in caught.value.filename


def test_other_kinds_of_files_are_named(tmp_path):
    path = tmp_path / "x"
    np.save(path, [1, 2])
    cases = {
        (tmp_path / "x.npy").read_bytes(): r"numpy array \(.npy\); numpy.load reads it",
        random_hmm(2, 3).to_bytes(): "model file; load_model reads it",
        b"PK\3\4" + bytes(20): r"zip archive",
        b"plain": "does not start with its magic",
        bbans.compress("text"): "holds text, not ndarray",
        bbans.compress(b"bytes"): "holds bytes, not ndarray",
    }
    for data, words in cases.items():
        path.write_bytes(data)
        for file in (path, io.BytesIO(data)):
            with pytest.raises(bbans.FormatError, match=words):
                bbans.load(file)
    with pytest.raises(FileNotFoundError):
        bbans.load(tmp_path / "none")
    for data in ("text", b"bytes", bytearray(b"bytes")):
        with pytest.raises(bbans.SymbolError, match="compress and compress_file take"):
            bbans.save(tmp_path / "none", data)
    assert not (tmp_path / "none").exists()


def test_types_of_what_is_returned():
    x = np.array([3, 4], ">u4")
    sink = io.BytesIO()
    assert bbans.save(sink, x) is None
    assert sink.getvalue() == bbans.compress(x)
