"""Coders of blocks in C, called with memory that is exactly as much as they ask for."""

import numpy as np

from bbans._lib import check, ffi, lib, pointer

GUARD = 64  # bytes on either side, which nobody may touch
FILL = 0xA5

ELEMENTS = {
    "u1": 16, "i1": 17, "u2": 18, "i2": 19, "u4": 20, "i4": 21, "u8": 22, "i8": 23,
}  # fmt: skip


class Memory:
    """Bytes between two guards, aligned to 64."""

    def __init__(self, n_bytes, content=FILL):
        whole = np.full(n_bytes + 2 * GUARD + 64, FILL, np.uint8)
        first = -whole.ctypes.data % 64
        self.whole = whole[first : first + n_bytes + 2 * GUARD]
        self.inside = self.whole[GUARD : GUARD + n_bytes]
        self.inside[:] = content

    def __len__(self):
        return len(self.inside)

    @property
    def pointer(self):
        return ffi.from_buffer(self.inside)

    def check(self):
        """What lies around is as it was."""
        assert (self.whole[:GUARD] == FILL).all()
        assert (self.whole[GUARD + len(self) :] == FILL).all()


def compress(function, data, capacity, work_bytes):
    """A block; `function` is given data, block, cap, n_bytes, work and work_bytes."""
    block, work, size = Memory(capacity), Memory(work_bytes), ffi.new("size_t *")
    status = function(
        ffi.from_buffer(data), pointer(block.inside, "uint8_t[]"), len(block), size,
        work.pointer, len(work),
    )  # fmt: skip
    block.check()
    work.check()
    check(status)
    assert size[0] <= capacity
    return block.inside[: size[0]].tobytes()


def decompress(function, block, n, dtype, work_bytes):
    """The elements; `function` is given block, n_bytes, data, n, work, work_bytes."""
    source, out = Memory(len(block), np.frombuffer(block, np.uint8)), None
    out, work = Memory(n * np.dtype(dtype).itemsize), Memory(work_bytes)
    status = function(
        pointer(source.inside, "uint8_t[]"), len(source), out.pointer, n,
        work.pointer, len(work),
    )  # fmt: skip
    for memory in (source, out, work):
        memory.check()
    assert source.inside.tobytes() == bytes(block)
    check(status)
    return out.inside.view(dtype)


def decode_grid(block, n, dtype):
    element = ELEMENTS[np.dtype(dtype).str[1:]]
    return decompress(
        lambda *rest: lib.bbans_grid_decompress(element, *rest),
        block, n, dtype, lib.bbans_grid_decoder_bytes(element, n),
    )  # fmt: skip


def geometry(rows, columns, bands=1, period=0):
    return ffi.new("bbans_grid *", [rows, columns, bands, period])


def encode_grid(data, grid, level=5):
    """The block of native integers, in C order."""
    element, n = ELEMENTS[data.dtype.str[1:]], data.size
    return compress(
        lambda data, *rest: lib.bbans_grid_compress(
            element, grid, data, n, level, *rest
        ),
        np.ascontiguousarray(data),
        lib.bbans_grid_bound(element, n),
        lib.bbans_grid_encoder_bytes(element, grid, n, level),
    )


def encode_mixing(data, level=5, line=-1):
    """The block of bytes; a line of -1 is looked for."""
    array = np.frombuffer(data, np.uint8)
    return compress(
        lambda data, *rest: lib.bbans_mixing_compress(
            ffi.cast("uint8_t *", data), array.size, level, line, *rest
        ),
        array,
        lib.bbans_mixing_bound(array.size),
        lib.bbans_mixing_encoder_bytes(array.size, level),
    )


def decode_mixing(block, n):
    """Its bytes, which are n."""
    size = ffi.new("size_t *")
    need = lib.bbans_mixing_decoder_bytes(block, len(block))
    data = decompress(
        lambda block, n_bytes, data, n, *rest: lib.bbans_mixing_decompress(
            block, n_bytes, ffi.cast("uint8_t *", data), n, size, *rest
        ),
        block, n, np.uint8, need,
    )  # fmt: skip
    assert size[0] == n
    return data.tobytes()


FLOATS = {
    "float16": (27, "u2"),
    "float32": (28, "u4"),
    "float64": (29, "u8"),
    "bfloat16": (30, "u2"),
    "float8_e4m3": (31, "u1"),
    "float8_e5m2": (32, "u1"),
}


def encode_float(bits, name, level=5, channels=0, grid=None):
    """The block of floats, which are given and come as the integers of their bits."""
    (element, dtype), n = FLOATS[name], bits.size
    assert bits.dtype == np.dtype(dtype)
    grid = ffi.NULL if grid is None else grid
    return compress(
        lambda data, *rest: lib.bbans_float_compress(
            element, channels, grid, data, n, level, *rest
        ),
        np.ascontiguousarray(bits),
        lib.bbans_float_bound(element, n),
        lib.bbans_float_encoder_bytes(element, channels, grid, n, level),
    )


def decode_float(block, n, name):
    element, dtype = FLOATS[name]
    return decompress(
        lambda *rest: lib.bbans_float_decompress(element, *rest),
        block, n, dtype, lib.bbans_float_decoder_bytes(element, n),
    )  # fmt: skip
