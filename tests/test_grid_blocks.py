"""Blocks of grids in C and in plain Python: all come back, and nothing else does harm.

docs/format.md, Grid.  Memory is guarded on both sides (tests/blocks.py).
"""

import json
from pathlib import Path

import numpy as np
import pytest
import reference
from blocks import (
    ELEMENTS,
    Memory,
    decode_grid,
    encode_grid,
    geometry,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS

from bbans import BbansError, CorruptError
from bbans._lib import check, ffi, lib, pointer

DTYPES = [*ELEMENTS]
LEVELS = range(1, 10)


def picture(rows, columns, bands=1, frames=1, seed=0, noise=3.0, peak=200):
    """Smooth shapes that move from frame to frame, alike in all bands, and noise."""
    rng = np.random.default_rng(seed)
    t, y, x = np.ogrid[:frames, :rows, :columns]
    waves = [rng.normal(size=3) * (0.3, 0.2, 0.2) for _ in range(4)]
    smooth = sum(np.sin(a * t + b * y + c * x) for a, b, c in waves)
    smooth = smooth + (np.hypot(y - rows / 2 - t, x - columns / 3) < columns / 4)
    gains = rng.uniform(0.5, 1, bands)
    value = smooth[..., None] * gains * peak / 10 + peak / 2
    value = value + rng.normal(size=value.shape) * noise
    return np.rint(value.clip(0, peak)).astype(np.int64)


def in_plain_python(block, n, dtype):
    dtype = np.dtype(dtype)
    return reference.decode_grid_block(
        bytes(block), n, dtype.itemsize, dtype.kind == "i"
    )


def comes_back(array, grid, level):
    block = encode_grid(array, grid, level)
    assert len(block) <= array.nbytes + 40
    assert (decode_grid(block, array.size, array.dtype) == array.ravel()).all()
    return block


# ---- what comes back


@st.composite
def grids(draw):
    """Elements, their geometry and a level; the last frame may be a part of one."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    small = draw(st.booleans())
    rows, columns = (draw(st.integers(1, 4 if small else 24)) for _ in range(2))
    bands = draw(st.sampled_from([1, 1, 2, 3, 4, 7]))
    frames = draw(st.integers(1, 5 if small else 3))
    period = draw(st.sampled_from([0, 0, 2, 3]))
    missing = draw(st.integers(0, rows - 1))
    seed, bits = draw(st.integers(0, 2**32)), 8 * dtype.itemsize
    n_rows, rng = rows * frames - missing, np.random.default_rng(seed)
    shape = n_rows, columns, bands
    if draw(st.booleans()):
        full = picture(
            rows, columns, bands, frames, seed, draw(st.sampled_from([0, 2]))
        )
        values = full.reshape(-1, columns, bands)[:n_rows].astype(np.uint64)
        values = values << np.uint64(draw(st.integers(0, bits - 8)))
    else:
        width = draw(st.integers(1, bits))
        values = rng.integers(0, 2**width - 1, shape, np.uint64, endpoint=True)
        values *= np.uint64(draw(st.integers(1, 2 ** (bits - width + 1) - 1)))
        for _ in range(draw(st.integers(0, 2))):
            axis = draw(st.integers(0, 2))
            values = np.cumsum(values, axis=axis, dtype=np.uint64)
    if draw(st.booleans()):  # some that lie far away
        values[rng.random(shape) < 0.02] = draw(st.integers(0, 2**64 - 1))
    array = values.astype(dtype)
    return array, geometry(rows, columns, bands, period), draw(st.integers(1, 9))


@settings(max_examples=150, deadline=None)
@given(grids())
def test_every_geometry_comes_back(case):
    comes_back(*case)


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_every_type(dtype, level):
    info = np.iinfo(dtype)
    for values in (
        [info.min] * 36, [info.max] * 36, [info.min, info.max] * 18,
        [info.max - 1, info.max] * 162, [info.min, info.min + 1] * 162,
        [0, 0, 0, info.max // 2] * 81, [info.min, 0, info.max] * 108,
    ):  # fmt: skip
        array = np.array(values, dtype)
        side = 6 if array.size == 36 else 18
        comes_back(array, geometry(side, side), level)
        comes_back(array, geometry(2, side // 2, 2, 2), level)


@pytest.mark.parametrize("level", [1, 5, 9])
def test_thin_ones(level):
    """Lines, columns, single values, and as many bands and frames."""
    values = picture(1, 210, noise=1).astype(np.uint8).ravel()
    for rows, columns, bands in (
        (1, 1, 1), (1, 210, 1), (210, 1, 1), (1, 1, 210), (3, 1, 1), (1, 7, 30),
        (7, 1, 30), (1000, 5, 2), (4, 3, 1), (2**63, 210, 1),
    ):  # fmt: skip
        for period in (0, 2, 5):
            comes_back(values, geometry(rows, columns, bands, period), level)


@pytest.mark.parametrize("level", [1, 3, 5, 7, 9])
def test_what_neighbours_tell_is_used(level):
    """Bands and the frame before: less than alone."""

    def size(array, *how):
        return len(comes_back(array.astype(np.uint8), geometry(*how), level))

    one = picture(40, 50, noise=6)
    alone = size(one, 40, 50)
    assert alone < 0.75 * one.size
    rng = np.random.default_rng(1)
    bands = one.reshape(40, 50, 1) + rng.integers(0, 2, (40, 50, 3))
    assert size(bands, 40, 50, 3) < 0.8 * 3 * alone
    frames = one.reshape(1, 40, 50) + rng.integers(0, 2, (3, 40, 50))
    assert size(frames, 40, 50) < 0.8 * 3 * alone


def test_a_constant_costs_next_to_nothing():
    for level in LEVELS:
        assert (
            len(comes_back(np.full(40_000, 7, np.int16), geometry(200, 200), level))
            < 60
        )


def test_noise_is_stored():
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        info = np.iinfo(dtype)
        array = rng.integers(info.min, info.max, 900, dtype, endpoint=True)
        for level in (1, 5, 9):
            block = comes_back(array, geometry(30, 30), level)
            assert len(block) <= array.nbytes + 20


@pytest.mark.parametrize("level", [1, 5, 9])
def test_every_isa_gives_the_same_bytes(level, best_isa_afterwards):
    cases = [
        (picture(60, 70, 3, 2, noise=2).astype(np.uint8), geometry(60, 70, 3)),
        (picture(33, 45, 1, 4, peak=4000).astype(np.uint16), geometry(33, 45, 1, 2)),
        (-picture(64, 64, peak=30_000).astype(np.int32), geometry(64, 64)),
    ]
    for array, grid in cases:
        blocks = set()
        for isa in ISAS.values():
            assert lib.bbans_isa_use(isa) == isa
            blocks.add(encode_grid(array, grid, level))
        assert len(blocks) == 1
        for isa in ISAS.values():
            lib.bbans_isa_use(isa)
            decoded = decode_grid(*blocks, array.size, array.dtype)
            assert (decoded == array.ravel()).all()


# ---- what is refused


def example():
    array = picture(9, 11, 2, 2, noise=1).astype(np.uint8)
    return array, geometry(9, 11, 2)


def test_what_is_no_grid():
    array, grid = example()
    for wrong in (
        geometry(0, 11, 2), geometry(9, 0, 2), geometry(9, 11, 0), geometry(9, 7, 2),
        geometry(9, 2**63, 2),
        geometry(9, 11, 2**63), geometry(2**63, 2**63, 2),
    ):  # fmt: skip
        with pytest.raises(BbansError):
            encode_grid(array, wrong)
    for level in (0, 10, -1):
        with pytest.raises(BbansError):
            encode_grid(array, grid, level)


@pytest.mark.parametrize("element", [-1, 0, 15, 24, 25, 27, 32, 128 + 18])
def test_no_such_element(element):
    array, grid = example()
    block, memory = encode_grid(array, grid), Memory(1 << 20)
    status = lib.bbans_grid_decompress(
        element, block, len(block), memory.pointer, array.size, memory.pointer, 1 << 20
    )
    assert status == lib.BBANS_ERR_SYMBOL


def test_too_little_room():
    """Nothing is written behind the end, and the status says it."""
    array, grid = example()
    n, element = array.size, ELEMENTS["u1"]
    block = encode_grid(array, grid)
    need = lib.bbans_grid_encoder_bytes(element, grid, n, 5)
    for cap, work_bytes in ((len(block) - 1, need), (len(block) + 99, need - 1)):
        out, work, size = Memory(cap), Memory(work_bytes), ffi.new("size_t *")
        status = lib.bbans_grid_compress(
            element, grid, ffi.from_buffer(array), n, 5,
            pointer(out.inside, "uint8_t[]"), cap, size, work.pointer, work_bytes,
        )  # fmt: skip
        out.check()
        work.check()
        assert status == lib.BBANS_ERR_CAPACITY
    need = lib.bbans_grid_decoder_bytes(element, n)
    out, work = Memory(n), Memory(need - 1)
    assert (
        lib.bbans_grid_decompress(
            element, block, len(block), out.pointer, n, work.pointer, need - 1
        )
        == lib.BBANS_ERR_CAPACITY
    )
    out.check()
    work.check()


@pytest.mark.parametrize("n_bytes", [1, 2, 4, 8])
def test_memory_is_bounded(n_bytes):
    """Whatever the block's geometry may say."""
    element = 14 + 2 * n_bytes.bit_length()
    for n in (1, 100, 10**4, 10**6, 2**24 // n_bytes):
        assert lib.bbans_grid_decoder_bytes(element, n) < 40 * n + (1 << 26)
    assert lib.bbans_grid_decoder_bytes(element, 2**24 + 1) == 0


def outcome(block, n, dtype):
    try:
        return decode_grid(block, n, dtype).tolist()
    except CorruptError:
        return None


@pytest.mark.parametrize("level", [1, 5, 9])
def test_every_cut(level):
    array, grid = example()
    block = encode_grid(array, grid, level)
    for cut in range(len(block)):
        assert outcome(block[:cut], array.size, array.dtype) is None
    assert outcome(block + b"\0", array.size, array.dtype) is None


@pytest.mark.parametrize("level", [1, 5, 9])
def test_another_number_of_elements(level):
    """Their number is not in the block, but mostly it shows at the end."""
    array, grid = example()
    block = encode_grid(array, grid, level)
    for n in (1, 22, array.size - 22, array.size - 1, array.size + 1, 2 * array.size):
        assert outcome(block, n, "u1") is None
    for dtype in ("u2", "i2", "u4", "i4", "u8", "i8"):
        same = outcome(block, array.size, dtype)
        assert same in (None, array.ravel().tolist())


def damaged(block, rng):
    out = bytearray(block)
    for _ in range(int(rng.integers(1, 4))):
        at = int(min(rng.integers(0, len(block)), rng.integers(0, len(block))))
        out[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8"])
def test_damage_does_no_harm(dtype):
    """Blocks of anyone's making: CorruptError or other elements, in the same memory."""
    rng, taken = np.random.default_rng(0), 0
    array = picture(12, 14, 2, 2, noise=2).astype(dtype)
    for level in (1, 5, 9):
        block = encode_grid(array, geometry(12, 14, 2, 2 if level == 5 else 0), level)
        for _ in range(400):
            taken += outcome(damaged(block, rng), array.size, dtype) is not None
    assert taken < 60


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_bytes_do_no_harm(dtype):
    rng = np.random.default_rng(ELEMENTS[dtype])
    for k in range(300):
        block = bytearray(rng.bytes(int(rng.integers(1, 60))))
        block[0] %= (1, 2, 4, 8, 16, 32, 64, 256)[k % 8]
        outcome(bytes(block), int(rng.integers(1, 2000)), dtype)


def test_huge_geometries_in_a_block_are_refused():
    """Numbers that overflow a product of sizes on any machine."""
    for high in range(0, 256, 5):
        for low in (b"\xff" * 40, b"\x80" * 40, b"\xff" * 9 + b"\1" * 30):
            for n in (1, 2, 64, 4096):
                outcome(bytes([0, high]) + low, n, "u2")


# ---- the block in plain Python

MADE = {
    "image": (picture(14, 17, noise=1).astype("u1"), (14, 17, 1, 0)),
    "noisy": (picture(13, 12, noise=25).astype("u1"), (13, 12, 1, 0)),
    "colours": (picture(9, 10, 3, noise=1).astype("u1"), (9, 10, 3, 0)),
    "many bands": (picture(4, 5, 9, noise=1).astype("u2"), (4, 5, 9, 0)),
    "video": (picture(8, 9, 1, 4, noise=1).astype("u1"), (8, 9, 1, 0)),
    "colour video": (picture(6, 7, 3, 3, noise=1).astype("u1"), (6, 7, 3, 0)),
    "in turns": (picture(6, 7, 1, 7, noise=1).astype("u1"), (6, 7, 1, 2)),
    "a part of a frame": (picture(5, 8, 2, 3).astype("i2").ravel()[:-32], (5, 8, 2, 0)),
    "constant": (np.full(60, -5, "i4"), (6, 10, 1, 0)),
    "mask": ((picture(16, 16) > 100).astype("u1"), (16, 16, 1, 0)),
    "few": (picture(16, 16).astype("i8") // 60 * 10**15, (16, 16, 1, 0)),
    "wide": (picture(11, 12, noise=9, peak=2**40), (11, 12, 1, 0)),
    "deep": (picture(11, 12, noise=9, peak=60_000).astype("u2"), (11, 12, 1, 0)),
    "negative": (-picture(11, 12, noise=2, peak=900).astype("i2"), (11, 12, 1, 0)),
    "ends": (np.tile(np.array([-(2**63), 2**63 - 1]), 32), (8, 8, 1, 0)),
    "far": (
        np.where(np.arange(180) % 41 == 7, -(10**6), picture(12, 15).ravel()),
        (12, 15, 1, 0),
    ),
    "one": (np.array([200], "u1"), (1, 1, 1, 0)),
    "a row": (picture(1, 90, noise=1).astype("u1"), (1, 90, 1, 0)),
    "a column": (picture(90, 1, noise=1).astype("u1"), (90, 1, 1, 0)),
}


@pytest.mark.parametrize("level", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("name", MADE)
def test_blocks_are_what_the_documents_say(name, level):
    array, how = MADE[name]
    block = comes_back(array, geometry(*how), level)
    assert in_plain_python(block, array.size, array.dtype) == array.ravel().tolist()


@settings(max_examples=25, deadline=None)
@given(grids())
def test_any_grid_in_plain_python(case):
    array, grid, level = case
    step = grid.columns * grid.bands
    flat = array.ravel()[: max(600 // step, 1) * step]
    block = encode_grid(flat, grid, level)
    assert in_plain_python(block, flat.size, flat.dtype) == flat.tolist()


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("name", ["colours", "in turns", "few", "a part of a frame"])
def test_what_is_refused_in_plain_python_too(name, level):
    """Blocks of anyone's making: the same elements, or an error."""
    rng = np.random.default_rng(level)
    array, how = MADE[name]
    block = encode_grid(array, geometry(*how), level)
    for _ in range(12):
        wrong = damaged(block, rng)
        values = outcome(wrong, array.size, array.dtype)
        if values is None:
            with pytest.raises(reference.Damage):
                in_plain_python(wrong, array.size, array.dtype)
        else:
            assert in_plain_python(wrong, array.size, array.dtype) == values


VECTORS = Path(__file__).parent / "vectors/grid_v1.json"
CASES = json.loads(VECTORS.read_text())["cases"] if VECTORS.exists() else []


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']} {c['levels']}")
def test_stored_vectors(case):
    block, data = bytes.fromhex(case["block"]), bytes.fromhex(case["data"])
    names = {code: name for name, code in ELEMENTS.items()}
    array = np.frombuffer(data, f"<{names[case['element']]}")
    native = array.astype(array.dtype.newbyteorder("="))
    for level in case["levels"]:
        assert encode_grid(native, geometry(*case["grid"]), level) == block
    assert (decode_grid(block, array.size, native.dtype) == array).all()
    assert in_plain_python(block, array.size, array.dtype) == array.tolist()


def test_status_of_null():
    array, grid = example()
    memory = Memory(1 << 16)
    block = encode_grid(array, grid)
    for place in range(3):
        arguments = [block, memory.pointer, memory.pointer]
        arguments[place] = ffi.NULL
        source, data, work = arguments
        with pytest.raises(BbansError):
            check(
                lib.bbans_grid_decompress(
                    16, source, len(block), data, array.size, work, 1 << 16
                )
            )
