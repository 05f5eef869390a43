"""The static coder of bytes: any bytes, no model to share, fast.

docs/format.md, section 4, byte by byte.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._lib import check, ffi, lib, pointer
from bbans._records import CRC, INDEX, checked, take_uvarint, uvarint
from bbans.errors import (
    CorruptError,
    FormatError,
    MessageError,
    TruncatedError,
    VersionError,
)

__all__ = ["bytes_compress", "bytes_decompress"]

MAGIC = b"\x89bby"
VERSION = 1
BLOCK_DEFAULT = 1 << 20


def bytes_compress(
    data: Any, *, order: int = 0, block_size: int = BLOCK_DEFAULT, threads: int = 1
) -> bytes:
    """Compress bytes under their own frequencies, block by block.

    Parameters
    ----------
    data : buffer
        Any contiguous buffer; its bytes are coded, and not copied.
    order : int
        0: frequencies of bytes. 1: frequencies of bytes given the byte before,
        where that is shorter: slower, and smaller for most data.
    block_size : int
        Bytes in a block, 1 to 2**24. Blocks are coded and checked on their own.
    threads : int
        The result does not depend on it.

    Returns
    -------
    bytes
        The same for the same data, always and everywhere. Never longer than the
        data by more than 13 bytes and 13 a block: what does not compress is stored.

    Raises
    ------
    ModelError
        If `order`, `block_size` or `threads` is none of the above.
    TypeError
        If `data` is no contiguous buffer.

    Examples
    --------
    >>> bytes_decompress(bytes_compress(b"tick tock " * 100))[:9]
    b'tick tock'
    """
    order = as_integer(order, "order", 0, 1)
    block_size = as_integer(block_size, "block_size", 1, lib.BBANS_BYTES_MAX)
    source = _octets(data)
    workspace = _workspaces(min(block_size, source.size))

    def compress(index: int) -> bytes:
        part = source[index * block_size : (index + 1) * block_size]
        cap, size, work = (
            lib.bbans_bytes_bound(part.size),
            ffi.new("size_t *"),
            workspace(),
        )
        out = np.empty(cap, np.uint8)
        check(
            lib.bbans_bytes_compress(
                pointer(part, "uint8_t[]"), part.size, order,
                pointer(out, "uint8_t[]"), cap, size, pointer(work, "uint8_t[]"),
                work.size,
            )
        )  # fmt: skip
        return checked(index, uvarint(size[0]) + out[: size[0]].tobytes())

    n_blocks = -(-source.size // block_size)
    blocks = _run(compress, range(n_blocks), threads)
    end = checked(n_blocks, b"\0" + uvarint(source.size))
    return b"".join([MAGIC + bytes([VERSION]), *blocks, end])


def bytes_decompress(data: Any, *, out: Any = None, threads: int = 1) -> Any:
    """Restore what `bytes_compress` was given.

    Parameters
    ----------
    data : buffer
        What `bytes_compress` returned.
    out : writable buffer, optional
        Where the bytes go; it may be larger. By default they are returned. A few
        bytes may decompress to many: give `out` to data from strangers.
    threads : int

    Returns
    -------
    bytes or memoryview
        The bytes, or with `out` the part of it that holds them.

    Raises
    ------
    VersionError, TruncatedError, CorruptError, FormatError
        If it cannot be restored whole; the text says why and where. `out` then
        holds some blocks.
    MessageError
        If `out` is too small. Nothing was written.
    ModelError
        If `threads` is below 1.
    """
    source = _octets(data)
    blocks = list(_blocks(source))
    ends = np.cumsum([0] + [n for _, _, n in blocks])
    total = int(ends[-1])
    if out is None:
        target = np.empty(total, np.uint8)
    else:
        target = _octets(out)
        if not target.flags.writeable:
            raise TypeError("out must be writable")
        if target.size < total:
            raise MessageError(f"out holds {target.size} bytes, the data {total}")
    workspace = _workspaces(max((n for _, _, n in blocks), default=0))

    def decompress(index: int) -> None:
        start, stop, n = blocks[index]
        block, size, work = source[start:stop], ffi.new("size_t *"), workspace()
        part = target[int(ends[index]) : int(ends[index + 1])]
        if CRC.unpack_from(source.data, stop)[0] != _crc(index, source, start, stop):
            raise CorruptError(
                f"block {index} is damaged: its checksum does not match "
                f"(bytes {ends[index]} to {ends[index + 1] - 1})"
            )
        try:
            check(
                lib.bbans_bytes_decompress(
                    pointer(block, "uint8_t[]"), block.size,
                    pointer(part, "uint8_t[]"), n, size,
                    pointer(work, "uint8_t[]"), work.size,
                )
            )  # fmt: skip
        except CorruptError as error:
            raise CorruptError(f"block {index} is damaged: {error}") from error

    _run(decompress, range(len(blocks)), threads)
    return target.tobytes() if out is None else memoryview(out).cast("B")[:total]


# ---- pieces


def _octets(data: Any) -> NDArray[np.uint8]:
    """The bytes of a contiguous buffer, in place."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise TypeError("the buffer must be contiguous")
    if "O" in view.format:
        raise TypeError("the buffer holds objects, not bytes")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def _workspaces(n: int) -> Callable[[], NDArray[np.uint8]]:
    """A function that gives each thread a workspace of its own for n bytes."""
    local = threading.local()

    def get() -> NDArray[np.uint8]:
        if not hasattr(local, "work"):
            local.work = np.empty(lib.bbans_bytes_work_bytes(n), np.uint8)
        work: NDArray[np.uint8] = local.work
        return work

    return get


def _run(function: Callable[[int], Any], items: Iterable[int], threads: int) -> Any:
    threads = as_integer(threads, "threads", 1)
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def _crc(index: int, source: NDArray[np.uint8], start: int, stop: int) -> int:
    """Of a record whose block lies at start .. stop."""
    record = uvarint(stop - start)
    crc = zlib.crc32(record, zlib.crc32(INDEX.pack(index)))
    return zlib.crc32(source[start:stop].data, crc)


def _blocks(source: NDArray[np.uint8]) -> Iterator[tuple[int, int, int]]:
    """Yield where each block starts and stops, and its decompressed bytes.

    Checks all but the blocks themselves.
    """
    head = source[: len(MAGIC)].tobytes()
    if head != MAGIC:
        raise FormatError("not a bbans byte stream: it does not start with its magic")
    if source.size == len(MAGIC):
        raise TruncatedError("byte stream ends early, in its header")
    if source[len(MAGIC)] != VERSION:
        raise VersionError(
            f"byte stream has format version {source[len(MAGIC)]}, this release "
            f"reads {VERSION}"
        )
    at, total, index, size = len(MAGIC) + 1, 0, 0, ffi.new("size_t *")
    while True:
        start, n_bytes = take_uvarint(source, at, "byte stream", f"block {index}")
        if n_bytes == 0:
            break
        stop = start + n_bytes
        if stop + CRC.size > source.size:
            raise TruncatedError(f"byte stream ends early, in block {index}")
        block = source[start:stop]
        status = lib.bbans_bytes_size(pointer(block, "uint8_t[]"), n_bytes, size)
        if status != lib.BBANS_OK:
            raise CorruptError(f"block {index} is damaged: its header is malformed")
        yield start, stop, int(size[0])
        at, total, index = stop + CRC.size, total + int(size[0]), index + 1
    stop, claimed = take_uvarint(source, start, "byte stream", "its end record")
    if stop + CRC.size > source.size:
        raise TruncatedError("byte stream ends early, in its end record")
    crc = zlib.crc32(source[at:stop].data, zlib.crc32(INDEX.pack(index)))
    if CRC.unpack_from(source.data, stop)[0] != crc:
        raise CorruptError("end record is damaged: its checksum does not match")
    if claimed != total:
        raise CorruptError(f"byte stream of {claimed} bytes has blocks of {total}")
    if stop + CRC.size != source.size:
        raise CorruptError("byte stream is followed by other data")
