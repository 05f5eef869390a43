"""Arrays of floats and images through `compress` and `decompress`: to the bit."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import bbans
from bbans.formats import ByteCoder, GridCoder, SignalCoder

try:
    import ml_dtypes
except ImportError:  # pragma: no cover
    ml_dtypes = None

NATIVE = ["f2", "f4", "f8"]
OTHERS = {"bfloat16": "u2", "float8_e4m3fn": "u1", "float8_e5m2": "u1"}
CODERS = {
    "default": lambda: None,
    "bytes": ByteCoder,
    "signal": SignalCoder,
    "grid": GridCoder,
}


def same(a, b):
    """In type, byte order and shape, and to the bit."""
    return (
        a.dtype == b.dtype
        and a.dtype.byteorder == b.dtype.byteorder
        and a.shape == b.shape
        and a.tobytes() == b.tobytes()
    )


def comes_back(array, coder=None, **options):
    data = bbans.compress(array, coder, **options)
    assert same(bbans.decompress(data), array)
    return data


def patterns(dtype):
    """All of two bytes, or as many others, and NaNs, infinities and zeros."""
    size = np.dtype(dtype).itemsize
    if size == 2:
        bits = np.arange(2**16).astype("u2")
    else:
        bits = np.random.default_rng(size).integers(0, 2 ** (8 * size), 4096, np.uint64)
        values = [0.0, 1.0, np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).tiny]
        unsigned = f"u{size}"
        some = np.array(values, dtype).view(unsigned)
        bits = bits.astype(unsigned)
        some = np.concatenate([some, some + bits.dtype.type(1), some - 1])
        some = np.concatenate([some, some ^ bits.dtype.type(1 << (8 * size - 1))])
        bits[::100] = np.resize(some.astype(unsigned), bits[::100].size)
    return bits.view(dtype)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("dtype", NATIVE)
def test_every_pattern(dtype, coder):
    flat, make = patterns(dtype), CODERS[coder]
    for array in (flat, flat.reshape(-1, 16), flat.reshape(2, -1, 8, 4)):
        if coder == "grid" and array.ndim < 2:
            continue
        comes_back(array, make())
        swapped = array.byteswap().view(array.dtype.newbyteorder())
        data = comes_back(swapped, make())
        assert len(data) == len(bbans.compress(array, make()))


@pytest.mark.parametrize("name", OTHERS)
def test_every_pattern_of_types_that_numpy_lacks(name):
    unsigned = np.dtype(OTHERS[name])
    bits = np.arange(2 ** (8 * unsigned.itemsize)).astype(unsigned)
    for array in (bits, bits.reshape(16, -1), bits[::-1]):
        data = bbans.compress(array, dtype=name)
        back = bbans.decompress(data)
        if ml_dtypes is None:
            assert same(back, np.ascontiguousarray(array))
            continue
        floats = np.ascontiguousarray(array).view(np.dtype(getattr(ml_dtypes, name)))
        assert same(back, floats)
        assert bbans.compress(floats) == data


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]).flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(min_dims=0, max_dims=4, max_side=11, min_side=0)
        )
    ),
    st.sampled_from(["default", "bytes", "signal"]),
    st.sampled_from([1, 5, 65536]),
    st.integers(1, 9),
)
def test_every_array_comes_back(array, coder, block_size, level):
    if coder == "default":
        data = bbans.compress(array, block_size=block_size, level=level)
    else:
        data = bbans.compress(array, CODERS[coder](), block_size=block_size)
    back = bbans.decompress(data)
    native = array.dtype.newbyteorder("=")
    assert back.dtype.newbyteorder("=") == native
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("coder", CODERS)
def test_layouts(coder):
    """Strides, Fortran order, negative steps, broadcasts, read-only memory."""
    rng, make = np.random.default_rng(0), CODERS[coder]
    base = np.round(rng.normal(size=(24, 30, 4)), 2)
    frozen = base.copy()
    frozen.flags.writeable = False
    for array in (
        base[::2, 1::3], base[::-1, :, ::-1], base.transpose(2, 0, 1), base.T,
        np.asfortranarray(base), frozen, np.broadcast_to(base[:1], base.shape),
        np.broadcast_to(1.5, (9, 10)), base.view("u8").view("f8")[..., 0],
        base.astype(">f4")[3:, ::-1],
    ):  # fmt: skip
        before = array.tobytes()
        back = bbans.decompress(bbans.compress(array, make()))
        assert back.tobytes() == before == array.tobytes()
        assert (back.shape, back.dtype) == (array.shape, array.dtype)


@pytest.mark.parametrize("dtype", [*NATIVE, ">f4", ">f8"])
def test_nothing_and_one(dtype):
    for shape in ((0,), (3, 0), (0, 9, 9), (), (1,), (1, 1, 1)):
        array = np.full(shape, -0.0, dtype)
        back = bbans.decompress(bbans.compress(array))
        assert (back.shape, back.dtype) == (shape, array.dtype)
        assert back.tobytes() == array.tobytes()


def test_blocks_and_random_access():
    """Blocks of one array, each under its own form, are read one by one."""
    rng = np.random.default_rng(0)
    array = np.concatenate(
        [
            np.round(np.cumsum(rng.normal(size=3000)), 2),
            rng.normal(size=3000),
            rng.integers(0, 2**64, 3000, np.uint64).view("f8"),
            np.full(3000, np.nan),
        ]
    )
    data = comes_back(array, block_size=1500)
    reader = bbans.open(io.BytesIO(data))
    for first, last in ((0, 5), (1490, 1510), (5990, 6010), (11_900, 12_000)):
        assert reader[first:last].tobytes() == array[first:last].tobytes()
    assert bbans.compress(array, block_size=1500, threads=3) == data


def test_every_cut_and_every_flipped_bit_is_found():
    array = np.round(np.cumsum(np.random.default_rng(1).normal(size=60)), 1)
    image = np.add.outer(np.arange(12), np.arange(10)).astype("u1")
    for some in (array, array.astype("f4").reshape(20, 3), image):
        data = bbans.compress(some, block_size=40 if some.ndim < 2 else None)
        for cut in range(len(data)):
            with pytest.raises(bbans.FormatError):
                bbans.decompress(data[:cut])
        for bit in range(8 * len(data)):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(bbans.FormatError):
                bbans.decompress(damaged)


@pytest.mark.skipif(ml_dtypes is None, reason="needs ml_dtypes")
@pytest.mark.parametrize("name", OTHERS)
def test_out_may_be_of_floats_that_numpy_does_not_have(name):
    array = np.linspace(-2, 2, 40).reshape(4, 10).astype(getattr(ml_dtypes, name))
    out = np.zeros_like(array)
    assert same(bbans.decompress(bbans.compress(array), out=out), array)
    assert same(out, array)
    with pytest.raises(TypeError, match="contiguous"):
        bbans.decompress(bbans.compress(array), out=out[:, ::2])
