"""Blocks of floats in C and in plain Python: each bit comes back, whatever it is.

docs/format.md, Floats.  Floats are the integers of their bits here, so that NaNs
compare.  Memory is guarded on both sides (tests/blocks.py).
"""

import json
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import reference
from blocks import (
    FLOATS,
    Memory,
    decode_float,
    encode_float,
    geometry,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS

from bbans import BbansError, CorruptError
from bbans._lib import check, ffi, lib, pointer

try:
    import ml_dtypes
except ImportError:  # pragma: no cover
    ml_dtypes = None

NAMES = [*FLOATS]
NATIVE = ["float16", "float32", "float64"]
DTYPES = {name: np.dtype(dtype) for name, (_, dtype) in FLOATS.items()}


def exponent_and_mantissa(name):
    return reference.FLOATS[FLOATS[name][0]]


def bits_of(values, name):
    """Real numbers, rounded to a type, as the integers of their bits."""
    values = np.asarray(values, np.float64)
    if name in NATIVE:
        with np.errstate(over="ignore"):
            return values.astype(name).view(DTYPES[name])
    E, M = exponent_and_mantissa(name)
    out = [
        reference.nearest_float(Fraction(float(v)), E, M, name == "float8_e4m3")
        for v in values.ravel()
    ]
    return np.array(out, DTYPES[name]).reshape(values.shape)


def specials(name):
    """Zeros, ones, the least and largest, infinities and NaNs with payloads."""
    E, M = exponent_and_mantissa(name)
    one, inf, sign = (2 ** (E - 1) - 1) << M, (2**E - 1) << M, 1 << (E + M)
    least = [0, 1, 2, 2**M - 1, 2**M, 2**M + 1]
    some = [*least, one - 1, one, one + 1, inf - 1, inf, inf + 1, sign - 2, sign - 1]
    some.append(inf + 2 ** (M - 1))  # the quiet NaN
    return np.array(some + [sign | v for v in some], DTYPES[name])


def in_plain_python(block, n, name):
    return reference.decode_float_block(bytes(block), n, FLOATS[name][0])


def comes_back(bits, name, level=5, channels=0, grid=None):
    block = encode_float(bits, name, level, channels, grid)
    assert len(block) <= bits.nbytes + 40
    assert (decode_float(block, bits.size, name) == bits.ravel()).all()
    return block


def walk(n, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return 20 + np.cumsum(rng.normal(size=n)) * scale


# ---- what comes back


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3", "float8_e5m2"])
def test_every_bit_pattern(name, level):
    E, M = exponent_and_mantissa(name)
    bits = np.arange(2 ** (1 + E + M)).astype(DTYPES[name])
    side = 2 ** ((1 + E + M) // 2)
    shuffled = np.random.default_rng(0).permutation(bits)
    for some in (bits, shuffled):
        comes_back(some, name, level)
        comes_back(some, name, level, channels=1)
        comes_back(some, name, level, channels=4)
        comes_back(some, name, level, grid=geometry(side, side))


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", NAMES)
def test_special_values(name, level):
    """Alone, all together, and as exceptions of a series of decimals."""
    some = specials(name)
    ways = [{}, {"channels": 1}, {"grid": geometry(1, 1)}]
    for how in ways:
        for v in some:
            comes_back(np.array([v], DTYPES[name]), name, level, **how)
            comes_back(np.full(40, v, DTYPES[name]), name, level, **how)
        comes_back(some, name, level, **how)
    series = bits_of(np.round(walk(600), 1), name)
    series[5::20] = np.resize(some, series[5::20].size)
    for how in ({}, {"channels": 1}, {"channels": 3}, {"grid": geometry(20, 30)}):
        comes_back(series, name, level, **how)


@st.composite
def float_blocks(draw):
    """Bits of floats of any kind, the name of the type, and how they lie."""
    name = draw(st.sampled_from(NAMES))
    E, M = exponent_and_mantissa(name)
    rows, columns = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    bands = draw(st.sampled_from([1, 1, 2, 3]))
    n, seed = rows * columns * bands, draw(st.integers(0, 2**32))
    rng, kind = np.random.default_rng(seed), draw(st.integers(0, 6))
    whole = np.cumsum(rng.integers(-9, 10, n))
    if kind == 0:
        bits = rng.integers(0, 2 ** (1 + E + M), n, np.uint64)
    elif kind == 1:
        bits = bits_of(whole / 10.0 ** draw(st.integers(0, 8)), name)
    elif kind == 2:
        bits = bits_of(whole * draw(st.floats(1e-3, 1e3)), name)
    elif kind == 3:  # summed, so that some are off by ulps
        bits = bits_of(np.cumsum(rng.integers(-9, 10, n) / 10), name)
    elif kind == 4:
        scale = 2.0 ** draw(st.integers(-30, 30))
        bits = bits_of(rng.normal(size=n) * scale, name)
    elif kind == 5:  # low bits that are all zero, as of a narrower type
        bits = bits_of(rng.normal(size=n), name)
        bits &= DTYPES[name].type(-1 << draw(st.integers(0, M)) & 2 ** (1 + E + M) - 1)
    else:
        bits = rng.integers(0, 4, n) + draw(st.integers(0, 2 ** (E + M) - 4))
    bits = bits.astype(DTYPES[name])
    if draw(st.booleans()):
        wild = rng.random(n) < 0.05
        bits[wild] = rng.choice(specials(name), wild.sum())
    how = draw(
        st.sampled_from(
            [
                {},
                {"channels": 1},
                {"channels": columns},
                {"grid": geometry(rows, columns, bands)},
                {"grid": geometry(max(rows // 2, 1), columns, bands, 2)},
            ]
        )
    )
    return bits, name, draw(st.integers(1, 9)), how


@settings(max_examples=200, deadline=None)
@given(float_blocks())
def test_all_kinds_come_back(case):
    bits, name, level, how = case
    comes_back(bits, name, level, **how)


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", NATIVE)
def test_decimals_cost_as_integers(name, level):
    """And some that are off by an ulp, or none, cost little more."""
    digits = {"float16": 0, "float32": 2, "float64": 6}[name]
    whole = np.rint(walk(4000, scale=5))
    integers = whole.astype(np.int64)
    signal = ffi.new("size_t *")
    need = lib.bbans_signal_encoder_bytes(23, integers.size, 1, level)
    out, work = np.empty(integers.nbytes + 99, np.uint8), Memory(need)
    check(
        lib.bbans_signal_compress(
            23, ffi.NULL, ffi.from_buffer(integers), integers.size, 1, level,
            pointer(out, "uint8_t[]"), out.size, signal, work.pointer, need,
        )
    )  # fmt: skip
    bits = bits_of(whole / 10**digits, name)
    size = len(comes_back(bits, name, level, channels=1))
    assert size <= 1.03 * signal[0] + 60
    bits[7::100] += 1
    bits[30::1000] = specials(name)[[10, 11, 12, -1]]
    odd = len(comes_back(bits, name, level, channels=1))
    assert odd <= size + 260


def test_a_constant_costs_next_to_nothing():
    for name in NAMES:
        for v in specials(name)[[0, 7, 11, -1]]:
            for level in (1, 5, 9):
                bits = np.full(30_000, v, DTYPES[name])
                for how in ({}, {"channels": 1}, {"grid": geometry(100, 100)}):
                    assert len(comes_back(bits, name, level, **how)) < 80


def test_noise_costs_no_more_than_itself():
    rng = np.random.default_rng(0)
    for name in NAMES:
        bits = rng.integers(0, 2 ** (8 * DTYPES[name].itemsize), 900, np.uint64)
        bits = bits.astype(DTYPES[name])
        for level in (1, 5, 9):
            for how in ({}, {"channels": 3}, {"grid": geometry(30, 30)}):
                assert len(comes_back(bits, name, level, **how)) <= bits.nbytes + 30


@pytest.mark.parametrize("level", [1, 5, 9])
def test_every_isa_gives_the_same_bytes(level, best_isa_afterwards):
    cases = []
    for name in NAMES:
        noisy = bits_of(walk(3000), name)
        cases += [(noisy, name, {}), (noisy, name, {"channels": 2})]
        tenths = bits_of(np.round(walk(3000), 1), name)
        cases += [(tenths, name, {"channels": 1})]
        cases += [(tenths, name, {"grid": geometry(50, 60)})]
    for bits, name, how in cases:
        blocks = set()
        for isa in ISAS.values():
            assert lib.bbans_isa_use(isa) == isa
            blocks.add(encode_float(bits, name, level, **how))
        assert len(blocks) == 1
        for isa in ISAS.values():
            lib.bbans_isa_use(isa)
            assert (decode_float(*blocks, bits.size, name) == bits).all()


# ---- correct rounding


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_rounds_to_the_nearest(name):
    """Its result is no further than its neighbours, and even where two are as far."""
    E, M = exponent_and_mantissa(name)
    fn = name == "float8_e4m3"
    largest = 2 ** (E + M) - 2 if fn else (2**E - 1 << M) - 1
    rng = np.random.default_rng(E)
    some = [0, 1, 2, 2**M - 1, 2**M, largest - 1]
    some += [int(v) for v in rng.integers(0, largest, 60)]
    for bits in some:
        low, high = (reference.float_value(b, E, M) for b in (bits, bits + 1))
        middle = (low + high) / 2
        for x, nearest in (
            (low, bits),
            (high, bits + 1),
            (middle, bits + bits % 2),
            (middle - Fraction(1, 2**1200), bits),
            (middle + Fraction(1, 2**1200), bits + 1),
        ):
            assert reference.nearest_float(x, E, M, fn) == nearest
            if x:
                expected = nearest | 1 << (E + M)
                assert reference.nearest_float(-x, E, M, fn) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_rounds_as_others_do(name):
    rng, dtype = np.random.default_rng(1), name
    if name not in NATIVE:
        if ml_dtypes is None:
            pytest.skip("ml_dtypes is not installed")
        dtype = {"float8_e4m3": "float8_e4m3fn"}.get(name, name)
        dtype = np.dtype(getattr(ml_dtypes, dtype))
    E, M = exponent_and_mantissa(name)
    values = np.concatenate(
        [
            rng.normal(size=300) * 2.0 ** rng.integers(-20, 12, 300),
            rng.integers(-500, 500, 300) / 16,
            rng.normal(size=300) * 2.0 ** rng.integers(-150, -10, 300),
            rng.normal(size=100) * 1e-310,
        ]
    )
    with np.errstate(over="ignore"):
        expected = values.astype(dtype).view(DTYPES[name])
    ours = [
        reference.nearest_float(Fraction(v), E, M, name == "float8_e4m3")
        for v in values.tolist()
    ]
    zero = (expected << np.array(1, expected.dtype)) == 0  # has lost its sign in ours
    E4M3_MAX = 448
    some = ~zero & ((name != "float8_e4m3") | (np.abs(values) <= E4M3_MAX))
    assert some.sum() > 250
    assert (np.array(ours, expected.dtype)[some] == expected[some]).all()


def multiples(d, num, den, e, *, fine=None):
    """A block of integers that are stored, times num / den 2^e; or with `fine` that are
    0 and exceptions, whose integers are these in steps that are as much finer."""
    exponent = reference.uvarint(2 * e if e >= 0 else -2 * e - 1)
    numbers = b"".join(map(reference.uvarint, (num, den, fine or 1)))
    values = [0] * len(d) if fine else d
    signal = b"\3" + np.array(values, "<i8").tobytes()
    data = b"\x17" + reference.uvarint(len(signal)) + signal
    if fine:
        classes = b"\3" + bytes([3]) * len(d)
        rest = b"".join(reference.uvarint(2 * v if v >= 0 else -2 * v - 1) for v in d)
        data += b"\0" + reference.uvarint(len(classes)) + classes
        data += reference.uvarint(len(rest)) + rest
    return b"\1" + bytes([6 if fine else 2]) + b"\1\1" + exponent + numbers + data


def check_multiples(d, num, den, e, name, fine=None):
    """In C as by fractions, which are rounded to the nearest."""
    E, M = exponent_and_mantissa(name)
    expected = []
    for v in d:
        x = Fraction(v * num, den * (fine or 1)) * Fraction(2) ** e
        bits = reference.nearest_float(abs(x), E, M, name == "float8_e4m3")
        expected.append(bits + (v < 0) * 2 ** (E + M))
    block = multiples(d, num, den, e, fine=fine)
    assert decode_float(block, len(d), name).tolist() == expected
    assert in_plain_python(block, len(d), name) == expected


WIDE = st.integers(0, 63).flatmap(lambda k: st.integers(-(2**k), 2**k - 1))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(WIDE, min_size=1, max_size=9),
    st.one_of(st.just(1), st.integers(1, 99), st.integers(1, 2**63 - 1)),
    st.one_of(
        st.just(1), st.integers(0, 27).map(lambda k: 5**k), st.integers(1, 2**63 - 1)
    ),
    st.one_of(st.integers(-90, 20), st.integers(-4096, 4096), st.integers(-1200, 1100)),
    st.sampled_from(NAMES),
)
def test_multiples_are_rounded_as_fractions(d, num, den, e, name):
    check_multiples(d, num, den, e, name)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-(2**62), 2**62 - 1), min_size=1, max_size=9),
    st.integers(1, 2**40),
    st.integers(1, 2**31),
    st.integers(2, 2**32),
    st.integers(-200, 20),
    st.sampled_from(NAMES),
)
def test_finer_multiples_are_rounded_as_fractions(d, num, den, fine, e, name):
    check_multiples(d, num, den, e, name, fine)


@pytest.mark.parametrize("name", NAMES)
def test_ties_subnormals_and_overflow(name):
    """Halves between floats of all sizes, by each of the ways to write them."""
    E, M = exponent_and_mantissa(name)
    bias = 2 ** (E - 1) - 1
    least = 1 - bias - M  # of the smallest float, 2^least
    for e in (least - 1, least - 2, -1, 0, bias - M - 1):
        middle = 2 ** (M + 1)  # floats and halves between them, if e is as small
        near = [middle - 3, middle - 1, middle + 1, middle + 2, middle + 3]
        d = [v for k in near for v in (k, -k)] + [0, 1, 2, 3, -1, -2, -3]
        check_multiples(d, 1, 1, e, name)
        check_multiples(d, 3, 3, e, name)
        check_multiples([5 * v for v in d], 7, 35, e, name)
        check_multiples([v * 2**8 for v in d], 1, 1, e - 8, name)
    sizes = range(M + 2)
    top = [2 ** (M + 1) - k for k in range(4)] + [2 ** (M + 2) - 1]
    for e in (bias - M - 1, bias - M, bias - M + 1, bias + 1, 4096):
        check_multiples([s * v for v in top for s in (1, -1)], 1, 1, e, name)
    for e in (least - 1, least - M - 3, least - 70, -4096):
        check_multiples([s << k for k in sizes for s in (1, -1, 3)], 1, 1, e, name)
    check_multiples([2**63 - 1, -(2**63), 1 - 2**63], 1, 1, least - 63, name)
    check_multiples([2**63 - 1, -(2**63)], 2**63 - 1, 1, -64, name)
    check_multiples([2**63 - 1, -(2**63)], 1, 2**63 - 1, 0, name)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_conversion_that_a_reader_must_take(data):
    """Of groups by turns, with raw bits at random."""
    name = data.draw(st.sampled_from(NAMES))
    E, M = exponent_and_mantissa(name)
    groups = data.draw(st.integers(1, 3))
    n = groups * data.draw(st.integers(1, 6))
    head = bytes([8]) + reference.uvarint(groups)
    for _ in range(groups):
        kind = data.draw(st.sampled_from([0, 2, 2, 3]))
        head += bytes([kind])
        if kind:
            e = data.draw(st.integers(2 - 2 ** (E - 1) - M, 2 ** (E - 1)))
            head += reference.uvarint(2 * e if e >= 0 else -2 * e - 1)
    bits = st.one_of(st.just(0), st.integers(0, E + M), st.integers(0, 63))
    integer = bits.flatmap(lambda k: st.integers(-(2**k), 2**k - 1))
    values = data.draw(st.lists(integer, min_size=n, max_size=n))
    signal = b"\3" + np.array(values, "<i8").tobytes()
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    raw = int.from_bytes(rng.bytes(10 * n), "little")
    if data.draw(st.booleans()):
        raw |= int.from_bytes(rng.bytes(10 * n), "little")  # longer runs of ones
    block = b"\1" + head + b"\x17" + reference.uvarint(len(signal)) + signal

    def with_raw(n_bits):
        rest = (raw % 2**n_bits).to_bytes((n_bits + 7) // 8, "little")
        return block + reference.uvarint(len(rest)) + rest

    taken = []

    class Counted(reference.RawBits):
        def end(self):
            taken.append(80 * n - self.left)

    with patch.object(reference, "RawBits", Counted):
        expected = in_plain_python(with_raw(80 * n), n, name)
    whole = with_raw(taken[0])
    assert in_plain_python(whole, n, name) == expected
    assert decode_float(whole, n, name).tolist() == expected


# ---- what is refused


def example(name="float32"):
    return bits_of(np.round(walk(200), 2), name)


def test_what_is_no_block_of_floats():
    bits = example()
    for level in (0, 10, -1):
        with pytest.raises(BbansError):
            encode_float(bits, "float32", level)
    for channels in (3, 201, 2**63):
        with pytest.raises(BbansError):
            encode_float(bits, "float32", channels=channels)
    for wrong in (geometry(0, 10), geometry(3, 7), geometry(5, 2**63, 4)):
        with pytest.raises(BbansError):
            encode_float(bits, "float32", grid=wrong)


@pytest.mark.parametrize("element", [-1, 0, 16, 23, 26, 33, 128 + 27])
def test_no_such_element(element):
    bits = example()
    block, memory = encode_float(bits, "float32"), Memory(1 << 20)
    status = lib.bbans_float_decompress(
        element, block, len(block), memory.pointer, bits.size, memory.pointer, 1 << 20
    )
    assert status == lib.BBANS_ERR_SYMBOL


@pytest.mark.parametrize("how", [{}, {"channels": 2}, {"grid": geometry(20, 10)}])
def test_too_little_room(how):
    """Nothing is written behind the end, and the status says it."""
    bits = example()
    n, channels, grid = bits.size, how.get("channels", 0), how.get("grid", ffi.NULL)
    block = encode_float(bits, "float32", **how)
    need = lib.bbans_float_encoder_bytes(28, channels, grid, n, 5)
    for cap, work_bytes in ((len(block) - 1, need), (len(block) + 99, need - 1)):
        out, work, size = Memory(cap), Memory(work_bytes), ffi.new("size_t *")
        status = lib.bbans_float_compress(
            28, channels, grid, ffi.from_buffer(bits), n, 5,
            pointer(out.inside, "uint8_t[]"), cap, size, work.pointer, work_bytes,
        )  # fmt: skip
        out.check()
        work.check()
        assert status == lib.BBANS_ERR_CAPACITY
    for work_bytes in (8, 1024):  # what a block needs depends on its form
        out, work = Memory(4 * n), Memory(work_bytes)
        status = lib.bbans_float_decompress(
            28, block, len(block), out.pointer, n, work.pointer, work_bytes
        )
        out.check()
        work.check()
        assert status == lib.BBANS_ERR_CAPACITY


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_bounded(name):
    element, size = FLOATS[name][0], DTYPES[name].itemsize
    for n in (1, 100, 10**4, 10**6, 2**24 // size):
        assert lib.bbans_float_decoder_bytes(element, n) < 60 * n + (1 << 26)
    assert lib.bbans_float_decoder_bytes(element, 2**24 + 1) == 0


def outcome(block, n, name):
    try:
        return decode_float(block, n, name).tolist()
    except CorruptError:
        return None


HOWS = {
    "planes": {},
    "series": {"channels": 1},
    "channels": {"channels": 2},
    "grid": {"grid": geometry(20, 10)},
}
SERIES = {
    "decimals": lambda name: example(name),
    "noise": lambda name: bits_of(walk(200) / 7, name),
    "both": lambda name: np.where(
        np.arange(200) % 17 == 3, specials(name)[-1], example(name)
    ),
}


def examples(name, levels=(1, 5, 9)):
    """Blocks of all forms that the encoder chooses here."""
    for make in SERIES.values():
        bits = make(name)
        for how in HOWS.values():
            for level in levels:
                yield bits, encode_float(bits, name, level, **how)


@pytest.mark.parametrize("name", NAMES)
def test_every_cut(name):
    """Of 200 elements: too few, or as many others where the rest was raw bits."""
    for bits, block in examples(name, [5]):
        for cut in range(0, len(block), 1 + len(block) // 150):
            values = outcome(block[:cut], bits.size, name)
            assert values is None or len(values) == bits.size
        assert outcome(b"", bits.size, name) is None


def damaged(block, rng):
    out = bytearray(block)
    for _ in range(int(rng.integers(1, 4))):
        at = int(min(rng.integers(0, len(block)), rng.integers(0, len(block))))
        out[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


@pytest.mark.parametrize("name", NAMES)
def test_damage_does_no_harm(name):
    """Blocks of anyone's making: CorruptError or other elements, in the same memory."""
    rng = np.random.default_rng(0)
    for bits, block in examples(name, [1, 9]):
        for _ in range(12):
            outcome(damaged(block, rng), bits.size, name)
        for at in range(min(len(block), 12)):
            for bit in range(0, 8, 1 + at % 2):
                one = bytearray(block)
                one[at] ^= 1 << bit
                outcome(bytes(one), bits.size, name)
        for n in (1, bits.size - 1, bits.size + 1, 2 * bits.size, 5000):
            outcome(block, n, name)
        for other in NAMES:
            outcome(block, bits.size, other)


@pytest.mark.parametrize("name", NAMES)
def test_random_bytes_do_no_harm(name):
    rng = np.random.default_rng(FLOATS[name][0])
    for k in range(2000):
        block = bytearray(rng.bytes(int(rng.integers(1, 80))))
        block[0] %= (1, 2, 3, 4, 8, 16, 64, 256)[k % 8]
        if k % 3 == 0 and len(block) > 3:  # small numbers, which may be taken
            block[1:4] = bytes(b % 4 for b in block[1:4])
        outcome(bytes(block), int(rng.integers(1, 2000)), name)


# ---- the block in plain Python


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_what_the_documents_say(name, series, level):
    bits = SERIES[series](name)
    for how in HOWS.values():
        block = comes_back(bits, name, level, **how)
        assert in_plain_python(block, bits.size, name) == bits.tolist()


@settings(max_examples=40, deadline=None)
@given(float_blocks())
def test_any_floats_in_plain_python(case):
    bits, name, level, how = case
    if "grid" in how:
        grid = how["grid"]
        step = grid.columns * grid.bands
    else:
        step = how.get("channels", 1)
    bits = bits[: max(200 // step, 1) * step]
    block = encode_float(bits, name, level, **how)
    assert in_plain_python(block, bits.size, name) == bits.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_in_plain_python_too(name):
    """Blocks of anyone's making: the same elements, or an error."""
    rng = np.random.default_rng(FLOATS[name][0])
    for bits, block in examples(name, [1, 5]):
        for _ in range(3):
            wrong = damaged(block, rng)
            values = outcome(wrong, bits.size, name)
            if values is None:
                with pytest.raises(reference.Damage):
                    in_plain_python(wrong, bits.size, name)
            else:
                assert in_plain_python(wrong, bits.size, name) == values


VECTORS = Path(__file__).parent / "vectors/float_v1.json"
CASES = json.loads(VECTORS.read_text())["cases"] if VECTORS.exists() else []


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c['name']} {c['type']} {c['levels']}"
)
def test_stored_vectors(case):
    block, name = bytes.fromhex(case["block"]), case["type"]
    little = DTYPES[name].newbyteorder("<")
    bits = np.frombuffer(bytes.fromhex(case["data"]), little).astype(DTYPES[name])
    grid = geometry(*case["grid"]) if case["grid"] else None
    for level in case["levels"]:
        assert encode_float(bits, name, level, case["channels"], grid) == block
    assert (decode_float(block, bits.size, name) == bits).all()
    assert in_plain_python(block, bits.size, name) == bits.tolist()
