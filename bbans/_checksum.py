"""CRC-32, the checksum of all formats."""

from __future__ import annotations

import zlib

from bbans._lib import ffi, lib
from bbans._records import Buffer

__all__ = ["crc32"]

# From as many bytes on a call of C, which has faster kernels here, pays.
_MANY = 1 << 13
_IS_FASTER = lib.bbans_isa_in_use() in (lib.BBANS_ISA_AVX2, lib.BBANS_ISA_AVX512)


def crc32(data: Buffer, crc: int = 0) -> int:
    """The CRC-32 of bytes that follow those of another."""
    if _IS_FASTER and len(data) >= _MANY:
        bytes_ = ffi.from_buffer("uint8_t[]", data)
        return int(lib.bbans_crc32(crc, bytes_, len(bytes_)))
    return zlib.crc32(data, crc)
