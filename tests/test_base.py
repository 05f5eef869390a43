"""Arrays by their differences from a base: weights of models that were trained on."""

import hashlib
import io

import numpy as np
import pytest

import bbans
from bbans import compress, decompress
from bbans.errors import CorruptError, ModelError, SymbolError, WrongModelError
from bbans.formats import BaseCoder, ByteCoder
from bbans.formats.coders import CodecCoder

RNG = np.random.default_rng(5)


def weights(n, dtype="f4"):
    return (RNG.normal(size=n) * 0.02).astype(dtype)


def bits(array):
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def comes_back(array, base, **options):
    blob = compress(array, BaseCoder(base, level=3), **options)
    again = decompress(blob, BaseCoder(base))
    assert again.dtype == array.dtype
    assert again.tobytes() == array.tobytes()
    return blob


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("level", [1, 5, 9])
def test_what_was_trained_further_takes_little(dtype, level):
    base = weights(40_000, dtype).reshape(200, 200)
    after = (base * (1 + RNG.normal(size=base.shape) * 1e-3)).astype(dtype)
    blob = compress(after, BaseCoder(base, level))
    assert decompress(blob, BaseCoder(base)).tobytes() == after.tobytes()
    assert len(blob) < len(compress(after, ByteCoder(level=level))) - 40_000 * 5 // 8
    assert len(comes_back(base, base)) < 200


def test_bfloat16():
    before = weights(30_000)
    after = before + weights(30_000) * np.float32(1e-3)
    halves = [(bits(x) >> 16).astype(np.uint16) for x in (before, after)]
    blob = compress(halves[1], BaseCoder(halves[0]), dtype="bfloat16")
    again = decompress(blob, BaseCoder(halves[0]))
    assert again.tobytes() == halves[1].tobytes()
    assert len(blob) < 0.15 * halves[1].nbytes


@pytest.mark.parametrize("dtype", ["i1", "u2", "<i4", ">i8", "M8[s]", bool])
def test_integers_of_any_type(dtype):
    base = RNG.integers(0, 2, 3000).astype(dtype)
    after = base.copy()
    after[::50] = after[1::50]
    assert len(comes_back(after, base)) < 600


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8"])
def test_any_bits_from_any_others(dtype):
    size = np.dtype(dtype).itemsize
    base, after = (np.frombuffer(RNG.bytes(999 * size), dtype) for _ in range(2))
    comes_back(after, base)
    comes_back(after[:5], base)
    comes_back(after[:0], base)


def test_parts_of_a_file():
    base = weights(100_000)
    after = base + np.float32(1e-4)
    blob = compress(after, BaseCoder(base), block_size=9000, threads=2)
    with bbans.open(io.BytesIO(blob), BaseCoder(base)) as part:
        assert np.array_equal(part[40_000:70_000], after[40_000:70_000])
        assert np.array_equal(part[99_990:], after[99_990:])


def test_the_base_is_named_by_its_elements():
    base = weights(500)
    name = hashlib.sha256(base.astype("<f4").tobytes()).digest()[:8]
    assert BaseCoder(base).fingerprint == name
    assert BaseCoder(base.astype(">f4")).fingerprint == name
    assert BaseCoder(base.reshape(50, 10)).fingerprint == name
    blob = compress(base, BaseCoder(base))
    assert name in blob
    other = base.copy()
    other[7] += 1
    with pytest.raises(WrongModelError, match="codec 'base' " + name.hex()):
        decompress(blob, BaseCoder(other))
    with pytest.raises(WrongModelError, match="of the same base, as `coder`"):
        decompress(blob)


def test_what_is_no_base():
    for base in (np.array(["a"]), np.array([1j]), np.array([{}])):
        with pytest.raises(ModelError, match="1, 2, 4 or 8 bytes"):
            BaseCoder(base)
    with pytest.raises(ModelError, match="level"):
        BaseCoder(weights(3), level=0)
    with pytest.raises(SymbolError, match="has no element 3"):
        compress(weights(4), BaseCoder(weights(3)))
    with pytest.raises(SymbolError, match="elements have 64 bits"):
        compress(weights(3, "f8"), BaseCoder(weights(3)))


def test_blocks_that_are_none():
    base = weights(1000)
    after = base + weights(1000) * np.float32(1e-3)

    class Made:
        """What makes blocks of this data, in the name of the base."""

        def __init__(self, data):
            self.data = data

        def encode(self, block):
            return self.data

        def decode(self, data, n):
            raise NotImplementedError

    right = bytes(BaseCoder(base).encode(bits(after)))
    for data in (
        b"", right[:1], right[:-1], right + b"\0", b"\1" + right[1:], b"\x80" + right,
        b"\xff" * 9 + right[1:],
    ):  # fmt: skip
        made = CodecCoder("base", Made(data), BaseCoder(base).fingerprint)
        blob = compress(after, made)
        with pytest.raises(CorruptError, match="block 0 is damaged"):
            decompress(blob, BaseCoder(base))
