"""Floats through containers: bits, types, coders, and what is refused."""

import io
import sys

import numpy as np
import pytest

import bbans
from bbans.errors import CorruptError, ModelError, SymbolError, VersionError
from bbans.formats import ByteCoder, CodecCoder, ModelCoder, SignalCoder, describe
from bbans.formats.container import (
    FLOAT_NAMES,
    FLOATS,
    METHODS,
    SIGNAL,
    ContainerReader,
    ContainerWriter,
    Header,
)
from bbans.formats.floats import decode_floats, encode_floats

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

EXTENSIONS = "bfloat16", "float8_e4m3fn", "float8_e5m2"
NUMPYS = "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"
CODERS = None, ByteCoder(), ByteCoder(order=0), SignalCoder(), SignalCoder(level=1)


def extension(name):
    if ml_dtypes is None:
        pytest.skip("needs ml_dtypes")
    return np.dtype(getattr(ml_dtypes, name))


TYPES = [*map(np.dtype, NUMPYS)]
TYPES += [*map(extension, EXTENSIONS if ml_dtypes else ())]


def bits(array):
    order = "=" if array.dtype.isnative else array.dtype.byteorder
    return np.ascontiguousarray(array).view(f"{order}u{array.dtype.itemsize}")


def same(result, array):
    assert result.dtype == array.dtype
    assert result.dtype.byteorder == array.dtype.byteorder
    assert result.shape == array.shape
    assert result.tobytes() == array.tobytes()


def patterns(dtype, n=1 << 16, seed=0):
    """All bits of a narrow type, or random ones among the rare ones of a wider."""
    width = 8 * dtype.itemsize
    unsigned = np.dtype(f"u{dtype.itemsize}")
    if width <= 16:
        all_bits = np.arange(1 << width).astype(unsigned)
    else:
        all_bits = np.random.default_rng(seed).integers(
            0, 1 << width, n, np.uint64, endpoint=False
        )
        all_bits = all_bits.astype(unsigned)
        info = np.finfo(dtype)
        rare = np.array(
            [0, 1, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal], dtype
        ).view(dtype.newbyteorder("="))
        rare = rare.astype(dtype.newbyteorder("=")).view(unsigned)
        sign = unsigned.type(1 << (width - 1))
        quiet = unsigned.type(1 << (info.nmant - 1))
        rare = np.concatenate([rare, rare + 1, rare - 1, rare ^ quiet])  # signalling
        rare = np.concatenate([rare, rare | sign])
        all_bits[:: len(all_bits) // len(rare)][: len(rare)] = rare
    if dtype.byteorder == ">":
        return all_bits.astype(all_bits.dtype.newbyteorder(">")).view(dtype)
    return all_bits.view(dtype)


def series(dtype, n=3000):
    """Decimals with a few that are none."""
    x = np.round(np.cumsum(np.random.default_rng(1).normal(size=n)), 2)
    x[[7, 900]] = np.nan, -0.0
    return x.astype(dtype)


# ---- every bit comes back


@pytest.mark.parametrize("coder", CODERS, ids=repr)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_pattern(dtype, coder):
    array = patterns(dtype)
    same(bbans.decompress(bbans.compress(array, coder)), array)
    shuffled = np.random.default_rng(2).permutation(array).reshape(-1, 16)
    same(bbans.decompress(bbans.compress(shuffled, coder)), shuffled)


@pytest.mark.parametrize("level", [1, 2, 4, 6, 9])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_levels(dtype, level):
    for array in (series(dtype), patterns(dtype, 2000)):
        data = bbans.compress(array, level=level)
        same(bbans.decompress(data), array)


LAYOUTS = {
    "steps": lambda x: x[::3],
    "backwards": lambda x: x[::-1],
    "columns": lambda x: x.reshape(-1, 6)[:, 1::2],
    "Fortran": lambda x: np.asfortranarray(x.reshape(-1, 6)),
    "transposed": lambda x: x.reshape(4, -1, 3).transpose(2, 0, 1),
    "nothing": lambda x: x[:0],
    "rows of nothing": lambda x: x[:0].reshape(5, 0, 2),
    "no axes": lambda x: x[3:4].reshape(()),
    "one": lambda x: x[:1],
    "subclass": lambda x: x.view(type("Sub", (np.ndarray,), {})),
    "within records": lambda x: (
        np.rec.fromarrays([np.arange(x.size, dtype="u1"), x], names="a,b").b
    ),
}


@pytest.mark.parametrize("coder", [None, ByteCoder(), SignalCoder(axis=-1)], ids=repr)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_layouts(dtype, layout, coder):
    array = LAYOUTS[layout](series(dtype))
    if array.ndim == 0:
        coder = None
    array.flags.writeable = False
    same(bbans.decompress(bbans.compress(array, coder)), np.asarray(array))
    # Layout is no part of the bytes.
    assert bbans.compress(array, coder) == bbans.compress(array.copy(), coder)


def test_python_numbers_are_float64():
    same(bbans.decompress(bbans.compress([0.1, -0.0, 2])), np.array([0.1, -0.0, 2]))
    same(bbans.decompress(bbans.compress(1.5)), np.array(1.5))
    assert bbans.decompress(bbans.compress([])).dtype == np.int64


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_threads_and_blocks(dtype):
    array = np.concatenate([series(dtype), patterns(dtype, 1 << 15)])
    for coder in (ByteCoder(), SignalCoder(level=2)):
        data = bbans.compress(array, coder, block_size=5000)
        assert bbans.compress(array, coder, block_size=5000, threads=3) == data
        same(bbans.decompress(data, threads=2), array)


def test_time_may_be_any_axis():
    array = series("f4").reshape(10, 100, 3)
    for axis in (0, 1, 2, -1):
        data = bbans.compress(array, SignalCoder(axis=axis), block_size=3000)
        same(bbans.decompress(data), array)
        with bbans.open(io.BytesIO(data)) as file:
            same(file[2:5, 7], array[2:5, 7])
    out = np.empty((10, 100, 3), "f4")
    bbans.decompress(data, out=out)
    same(out, array)


def test_the_result_is_the_same_wherever_bits_are():
    for order in "<>":
        array = series("f8").astype(f"{order}f8")
        assert len(bbans.compress(array)) == len(bbans.compress(series("f8")))


# ---- types that numpy does not have


@pytest.fixture
def bare(monkeypatch):
    """There is no ml_dtypes."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_a_view_and_its_type(name, request):
    array = patterns(extension(name))
    view = bits(array)
    data = bbans.compress(array)
    assert bbans.compress(view, dtype=name) == data
    assert bbans.compress(view, dtype=extension(name)) == data
    assert bbans.compress(view, dtype=extension(name).type) == data
    assert bbans.compress(array, dtype=name) == data
    big = view.astype(view.dtype.newbyteorder(">"))
    assert bbans.compress(big, dtype=name) == data
    same(bbans.decompress(data), array)
    file = io.BytesIO()
    bbans.save(file, view, dtype=name)
    assert file.getvalue() == data
    with bbans.open(io.BytesIO(data)) as opened:
        assert opened.dtype == array.dtype
        same(opened[5:9], array[5:9])
    request.getfixturevalue("bare")
    same(bbans.decompress(data), view)
    same(bbans.load(io.BytesIO(data)), view)
    with bbans.open(io.BytesIO(data)) as opened:
        assert opened.dtype == view.dtype
        same(opened[5:9], view[5:9])
    assert bbans.compress(view, dtype=name) == data
    assert name in describe(io.BytesIO(data))["kind"]


@pytest.mark.parametrize("name", EXTENSIONS)
def test_parts_of_types_with_and_without_a_name(name, request):
    array = patterns(extension(name))
    data = bbans.compress(array) + bbans.compress(bits(array), dtype=name)
    same(bbans.decompress(data), np.concatenate([array, array]))
    request.getfixturevalue("bare")
    same(bbans.decompress(data), np.concatenate([bits(array)] * 2))


def test_what_dtype_takes():
    for data, dtype, text in [
        (np.zeros(3, "u2"), "float32", "view the array"),
        (np.zeros(3, "u2"), "bfloat17", "bfloat17"),
        (np.zeros(3, "u2"), object, "view the array"),
        (np.zeros(3, "u4"), "bfloat16", "uint16"),
        (np.zeros(3, "i2"), "bfloat16", "uint16"),
        (np.zeros(3, "f2"), "bfloat16", "float16"),
        (np.zeros(3, "u2"), "float8_e5m2", "uint8"),
        (b"abcd", "bfloat16", "frombuffer"),
        ("text", "bfloat16", "frombuffer"),
    ]:
        with pytest.raises(SymbolError, match=text):
            bbans.compress(data, dtype=dtype)


@pytest.mark.skipif(ml_dtypes is None, reason="needs ml_dtypes")
def test_what_is_no_float_of_ours():
    for dtype in ("float8_e4m3", "float8_e3m4", "int4", "float4_e2m1fn"):
        with pytest.raises(SymbolError, match="elements must be"):
            bbans.compress(np.zeros(3, getattr(ml_dtypes, dtype)))


# ---- coders


def blocks_of(data):
    reader = ContainerReader(memoryview(data))
    return [METHODS[b.method] for part in reader.parts() for b in part.blocks()]


def test_defaults():
    """Weights follow no order, and series do."""
    weights = np.random.default_rng(0).normal(size=4000).astype("f4")
    weights = (weights.view("u4") >> 16).astype("u2")
    for name, x in [("bfloat16", weights), ("float8_e5m2", weights.astype("u1"))]:
        plain = bbans.compress(x, dtype=name)
        assert plain == bbans.compress(x, ByteCoder(), dtype=name)
    x = series("f8")
    assert bbans.compress(x) == bbans.compress(x, SignalCoder())
    table = x.reshape(-1, 3)
    assert bbans.compress(table) == bbans.compress(table, SignalCoder(axis=0))
    assert blocks_of(bbans.compress(x)) == ["floats"]


def test_random_floats_are_stored():
    x = np.random.default_rng(0).integers(0, 1 << 64, 4000, np.uint64).view("f8")
    for coder in (ByteCoder(), SignalCoder()):
        data = bbans.compress(x, coder)
        assert len(data) <= x.nbytes + 57 + 9 + 17


def test_a_model_codes_no_floats():
    for data in (1.5, [1.0, 2.0], np.zeros(2), np.zeros(0), np.float32(1)):
        with pytest.raises(SymbolError, match="a model codes integers, not float"):
            bbans.compress(data, ModelCoder(bbans.default_model()))
    with pytest.raises(SymbolError, match=r"rint|without a model"):
        bbans.compress(np.zeros(3), bbans.default_model())


class Codec:
    """Pickles nothing: what it is given, it keeps."""

    def __init__(self, result=None):
        self.seen, self.result = [], result

    def encode(self, block):
        self.seen.append(block.dtype)
        assert block.ndim == 1
        assert not block.flags.writeable
        return block.astype(block.dtype.newbyteorder("<")).tobytes()[::2]

    def decode(self, data, n):
        return self.result


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_codec_gets_floats(dtype):
    codec = Codec()
    array = patterns(dtype, 1000)
    data = bbans.compress(array, CodecCoder("half", codec))
    native = dtype.newbyteorder("=")
    assert codec.seen == [native]
    given = bits(array).astype(f"u{dtype.itemsize}")
    for result in (given.view(native), given, given.astype(">u8")):
        codec.result = result  # NaNs too keep their bits
        same(bbans.decompress(data, CodecCoder("half", codec)), array)
    wrong = [given[1:], given.astype("f8") if dtype.itemsize < 8 else given.view("m8")]
    for result in (*wrong, given.astype(complex)):
        codec.result = result
        with pytest.raises(CorruptError, match="half"):
            bbans.decompress(data, CodecCoder("half", codec))


def test_a_codec_may_decline():
    class Never:
        encode = staticmethod(lambda block: None)
        decode = staticmethod(lambda data, n: None)

    x = series("f4")
    data = bbans.compress(x, CodecCoder("never", Never))
    same(bbans.decompress(data, CodecCoder("never", Never)), x)


# ---- errors


def test_types_that_are_refused():
    for data, text in [
        (np.zeros(3, np.longdouble), "float64"),
        (np.zeros(3, "c8"), "axis of 2"),
        (np.zeros((2, 3), "c16"), "axis of 2"),
        (np.array([1.5, None]), "one type"),
        (np.ma.masked_array([1.5, 2.5], [0, 1]), "masked"),
    ]:
        with pytest.raises(SymbolError, match=text):
            bbans.compress(data)


def test_what_errors_say_to_do_is_possible():
    x = np.array([[1 + 2j, np.nan], [3, -0.0]])[:, ::-1]
    floats = np.ascontiguousarray(x)[..., None].view(x.real.dtype)
    assert floats.shape == (2, 2, 2)
    back = bbans.decompress(bbans.compress(floats))
    same(back.view(x.dtype)[..., 0], np.ascontiguousarray(x))
    long = np.array([1.5, np.pi], np.longdouble)[::-1]
    octets = np.ascontiguousarray(long)[..., None].view(np.uint8)
    back = bbans.decompress(bbans.compress(octets))
    same(back.view(long.dtype)[..., 0], np.ascontiguousarray(long))


@pytest.mark.parametrize("element", FLOAT_NAMES)
def test_methods_that_floats_have_not(element):
    width = Header(element).dtype.itemsize
    for method in (1, SIGNAL, 5, 6):
        out = io.BytesIO()
        writer = ContainerWriter(out, Header(element))
        writer.write(4, method, bytes(4 * width))
        writer.finish((4,))
        with pytest.raises(CorruptError, match="cannot be in this part"):
            bbans.decompress(out.getvalue())
    out = io.BytesIO()
    ContainerWriter(out, Header(element, line=(0, 1))).finish((0,))
    with pytest.raises(VersionError):
        bbans.decompress(out.getvalue())
    fingerprint = bbans.default_model().fingerprint
    out = io.BytesIO()
    ContainerWriter(out, Header(element, fingerprint=fingerprint)).finish((0,))
    with pytest.raises(CorruptError, match="a model codes no floats"):
        bbans.decompress(out.getvalue())


def test_integers_have_no_blocks_of_floats():
    out = io.BytesIO()
    writer = ContainerWriter(out, Header(20))
    writer.write(4, FLOATS, bytes(16))
    writer.finish((4,))
    with pytest.raises(CorruptError, match="cannot be in this part"):
        bbans.decompress(out.getvalue())


@pytest.mark.parametrize("name", EXTENSIONS)
def test_types_without_a_byte_order(name):
    out = io.BytesIO()
    element = next(k for k, known in FLOAT_NAMES.items() if known == name)
    ContainerWriter(out, Header(element, big_endian=True)).finish((0,))
    with pytest.raises(VersionError):
        bbans.decompress(out.getvalue())


def test_blocks_by_themselves():
    x = series("f4").view("u4")
    for channels in (0, 1, 3):
        block = bytes(encode_floats(x, 28, 5, channels))
        out = np.empty(x.size, "u4")
        decode_floats(block, out, 28)
        assert out.tobytes() == x.tobytes()
        for damaged in (block[:-1], block + b"\0", b"\xff" + block[1:], b""):
            with pytest.raises(CorruptError, match="no block of 3000 float32"):
                decode_floats(damaged, out, 28)
    for element, values in [(28, x.view("i4")), (28, x.view("f4")), (20, x)]:
        with pytest.raises(SymbolError, match="of their bits"):
            encode_floats(values, element, 5)
    with pytest.raises(SymbolError, match="none of floats"):
        encode_floats(x[:0], 28, 5)


# ---- files


def test_appended_and_joined():
    x, file = series("f8").reshape(-1, 3), io.BytesIO()
    for part, coder in [(x[:400], ByteCoder()), (x[400:], None)]:
        bbans.save(file, part, coder, block_size=300)
    same(bbans.decompress(file.getvalue()), x)
    with bbans.open(file) as opened:
        assert (opened.shape, opened.dtype) == (x.shape, x.dtype)
        same(opened[390:410], x[390:410])
        same(opened[::-7, 1], x[::-7, 1])
        assert np.isnan(opened[2, 1])
        assert np.array_equal(np.concatenate([*opened]), x, equal_nan=True)
    for other in (x.astype("f4"), x.astype(">f8"), x.view("i8")):
        with pytest.raises(CorruptError, match="float64"):
            bbans.decompress(file.getvalue() + bbans.compress(other))


@pytest.mark.parametrize("dtype", [*NUMPYS, *EXTENSIONS])
def test_raw_files(dtype, request):
    array = series(extension(dtype) if dtype in EXTENSIONS else dtype)
    raw = array.tobytes()
    for _ in range(1 + (dtype in EXTENSIONS)):
        sink = io.BytesIO()
        bbans.compress_file(io.BytesIO(raw), sink, dtype=dtype, channels=3)
        back = io.BytesIO()
        bbans.decompress_file(io.BytesIO(sink.getvalue()), back)
        assert back.getvalue() == raw
        request.getfixturevalue("bare")  # and again without
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.undo()
    same(bbans.decompress(sink.getvalue()), array.reshape(-1, 3))


def test_a_file_of_a_part_of_a_float():
    with pytest.raises(SymbolError, match="7 bytes are no rows of 1 float32"):
        bbans.compress_file(io.BytesIO(bytes(7)), io.BytesIO(), dtype="f4")
    with pytest.raises(ModelError, match="codes numbers"):
        bbans.compress_file(io.BytesIO(bytes(8)), io.BytesIO(), SignalCoder())


ARRAYS = {
    "a series": lambda: series("<f8"),
    "big-endian": lambda: series(">f4"),
    "halves": lambda: series("<f2").reshape(-1, 3),
    "Fortran": lambda: np.asfortranarray(series("<f8").reshape(-1, 3)),
    "rows": lambda: series("<f4").reshape(3, -1),
    "complex": lambda: series("<f8").view("<c16"),
    "complex rows": lambda: series("<f4").reshape(-1, 6).view("<c8"),
    "patterns": lambda: patterns(np.dtype("<f4")),
    "one": lambda: np.array(1.5),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_npy_files(name):
    array, file = ARRAYS[name](), io.BytesIO()
    np.save(file, array)
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(file.getvalue()), sink)
    back = io.BytesIO()
    bbans.decompress_file(io.BytesIO(sink.getvalue()), back)
    assert back.getvalue() == file.getvalue()
    if name not in ("patterns", "one"):  # which are bytes
        facts = describe(io.BytesIO(sink.getvalue()))
        assert "bytes of float" in facts["holds"]


def test_info_names_floats():
    facts = describe(io.BytesIO(bbans.compress(series(">f4").reshape(-1, 3))))
    assert facts["kind"] == "bbans container of an array of big-endian float32"
    assert facts["blocks"] == "1 floats"
    assert facts["shape"] == "1000 x 3"
