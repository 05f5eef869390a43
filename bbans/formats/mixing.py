"""The block of bytes, each coded under what many contexts expect of it.

docs/format.md, Mixing, byte by byte; all of it is in C.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbans._lib import check, ffi, lib, pointer
from bbans._records import Buffer
from bbans.errors import CorruptError
from bbans.formats.bytes import octets
from bbans.formats.signals import workspace

__all__ = ["LEVEL_MIN", "LINE_MAX", "decode_mixing", "encode_mixing", "mixing_costs"]

LEVEL_MIN: int = lib.BBANS_MIXING_LEVEL_MIN
LINE_MAX: int = lib.BBANS_MIXING_LINE_MAX
# Behind a block.
_SCRATCH_BYTES = 8


def encode_mixing(
    data: NDArray[np.uint8], level: int, line: int | None = None
) -> Buffer | None:
    """Code a block of bytes.

    Parameters
    ----------
    data : ndarray of uint8
        2**24 bytes at most.
    level : int
        From `LEVEL_MIN`, fast, to 9, small.
    line : int, optional
        Bytes of a line, up to `LINE_MAX`; 0: lines end with a line feed. By default a
        length is looked for.

    Returns
    -------
    bytes-like or None
        None if it would be no shorter than the bytes.
    """
    out = np.empty(data.size + _SCRATCH_BYTES, np.uint8)
    work = workspace(lib.bbans_mixing_encoder_bytes(data.size, level))
    size = ffi.new("size_t *")
    status = lib.bbans_mixing_compress(
        pointer(data, "uint8_t[]"), data.size, level,
        lib.BBANS_MIXING_LINE_FIND if line is None else line,
        pointer(out, "uint8_t[]"), out.size, size, ffi.from_buffer(work), work.nbytes,
    )  # fmt: skip
    if status == lib.BBANS_ERR_CAPACITY:
        return None
    check(status)
    return out.data[: size[0]] if size[0] < data.size else None


def mixing_costs(
    data: NDArray[np.uint8], level: int, line: int | None = None
) -> NDArray[np.float64]:
    """Bits of each byte of the block that `encode_mixing` makes of the same."""
    cost = np.empty(data.size, np.uint64)
    work = workspace(lib.bbans_mixing_encoder_bytes(data.size, level))
    check(
        lib.bbans_mixing_costs(
            pointer(data, "uint8_t[]"), data.size, level,
            lib.BBANS_MIXING_LINE_FIND if line is None else line,
            pointer(cost, "uint64_t[]"), ffi.from_buffer(work), work.nbytes,
        )
    )  # fmt: skip
    bits: NDArray[np.float64] = cost / lib.BBANS_COST_BIT
    return bits


def decode_mixing(data: Buffer, out: NDArray[np.uint8]) -> None:
    """Restore the bytes of a block.

    Raises
    ------
    CorruptError
        If it is none of as many bytes.
    """
    block, size = octets(data), ffi.new("size_t *")
    start = pointer(block, "uint8_t[]")
    if (
        lib.bbans_mixing_size(start, block.size, size) != lib.BBANS_OK
        or size[0] != out.size
    ):
        raise CorruptError(f"it is no block of {out.size} bytes")
    work = workspace(lib.bbans_mixing_decoder_bytes(start, block.size))
    check(
        lib.bbans_mixing_decompress(
            start, block.size, pointer(out, "uint8_t[]"), out.size, size,
            ffi.from_buffer(work), work.nbytes,
        )
    )  # fmt: skip
