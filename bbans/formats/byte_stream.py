"""The static coder of bytes: any bytes, no model to share, fast.

docs/format.md, section 4, byte by byte.
"""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._kinds import STREAM
from bbans._lib import check, ffi, lib, pointer
from bbans._records import (
    CRC,
    INDEX,
    RecordReader,
    check_limit,
    checked,
    uvarint,
)
from bbans.errors import CorruptError, MessageError, VersionError

__all__ = ["bytes_compress", "bytes_decompress"]

VERSION = 1
BLOCK_DEFAULT = 1 << 20
# Of a block, at the most: method, number of bytes, number of symbols, symbols.
_HEADER_BYTES = 1 + 4 + 1 + 16


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
    return b"".join([STREAM + bytes([VERSION]), *blocks, end])


def bytes_decompress(
    data: Any, *, out: Any = None, max_bytes: int | None = None, threads: int = 1
) -> Any:
    """Restore what `bytes_compress` was given.

    Parameters
    ----------
    data : buffer
        What `bytes_compress` returned.
    out : writable buffer, optional
        Where the bytes go; it may be larger. By default they are returned.
    max_bytes : int, optional
        The most bytes that there may be; by default there is no limit. A few bytes
        may decompress to many, up to 16 MiB for each 11: give it, or `out`, to data
        from strangers.
    threads : int

    Returns
    -------
    bytes or memoryview
        The bytes, or with `out` the part of it that holds them.

    Raises
    ------
    LimitError
        If there are more than `max_bytes`. Nothing was decoded.
    VersionError, TruncatedError, CorruptError, FormatError
        If it cannot be restored whole; the text says why and where. `out` then
        holds some blocks.
    MessageError
        If `out` is too small. Nothing was written.
    ModelError
        If `threads` is below 1.
    """
    source = _octets(data)
    blocks = list(stream_blocks(RecordReader(io.BytesIO(data), "byte stream")))
    ends = np.cumsum([0] + [n for _, _, n in blocks])
    total = int(ends[-1])
    check_limit(total, 1, max_bytes, "the byte stream")
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
            raise CorruptError(
                f"block {index} is damaged: it does not decode"
            ) from error

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


def stream_blocks(
    reader: RecordReader, check: bool = False
) -> Iterator[tuple[int, int, int]]:
    """Yield where each block starts and stops, and its decompressed bytes.

    Checks all but the blocks themselves; with `check` their checksums too.
    """
    reader.magic(STREAM)
    version = reader.read(1, "its header")[0]
    if version != VERSION:
        raise VersionError(
            f"byte stream has format version {version}, this release reads {VERSION}"
        )
    total, index, size = 0, 0, ffi.new("size_t *")
    while True:
        where = f"block {index}"
        reader.begin(index)
        n_bytes = reader.uvarint(where)
        if n_bytes == 0:
            break
        start = reader.at
        header = reader.read(min(n_bytes, _HEADER_BYTES), where)
        if check:
            reader.skip(n_bytes - len(header), where)
        else:
            reader.leap(n_bytes - len(header))
        good = reader.matches(where)
        if check and not good:
            raise CorruptError(f"{where} is damaged: its checksum does not match")
        if lib.bbans_bytes_size(header, len(header), size) != lib.BBANS_OK:
            raise CorruptError(f"{where} is damaged: its header is malformed")
        yield start, start + n_bytes, int(size[0])
        total, index = total + int(size[0]), index + 1
    where = "its end record"
    claimed = reader.uvarint(where)
    if not reader.matches(where):
        raise CorruptError("end record is damaged: its checksum does not match")
    if claimed != total:
        raise CorruptError(f"byte stream of {claimed} bytes has blocks of {total}")
    reader.end()
