"""Integer signals as bytes: blocks that carry the model that was fitted to them.

docs/format.md, section 6, byte by byte.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_integer, not_integers
from bbans._lib import check, ffi, lib, pointer
from bbans._records import CRC, INDEX, checked, take_uvarint, uvarint
from bbans.errors import (
    BbansError,
    CorruptError,
    FormatError,
    SymbolError,
    TruncatedError,
    VersionError,
)
from bbans.message import Message
from bbans.models.autoregressive import fit_prediction
from bbans.shapes import Shape, fixed_locations, fixed_scales
from bbans.static import bytes_compress, bytes_decompress

__all__ = ["signal_compress", "signal_decompress"]

MAGIC = b"\x89bbs"
VERSION = 1
BLOCK_DEFAULT = 65536
MODELLED, STORED = 0, 1
# Codes as in containers.
DTYPES = dict(enumerate(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"], start=16))
CODES = {np.dtype(name): code for code, name in DTYPES.items()}
CHANNELS_MAX = 16
_HEAD = struct.Struct("<BBBh")  # order, cross, scales, scale of the coefficients
_COEFFICIENT = 1 << 16


def signal_compress(values: ArrayLike, *, block_size: int = BLOCK_DEFAULT) -> bytes:
    """Compress a series of integers under a model fitted to it.

    Parameters
    ----------
    values : array_like of int
        Any integer type. The columns of an array with two axes, up to 16, are channels
        that are sampled together; any other number of axes is one series, in C order.
    block_size : int
        Steps in a block, 1 to 2**20; each has a model of its own.

    Returns
    -------
    bytes
        The same everywhere but for the fit, which is done in floats: its result is
        stored, so what decodes is exact on every machine.

    Raises
    ------
    SymbolError
        If these are no integers, or have more than 16 columns or 32 axes.
    ModelError
        If `block_size` is out of range.

    Examples
    --------
    >>> signal_decompress(signal_compress(np.arange(5) ** 2))
    array([ 0,  1,  4,  9, 16])
    """
    array = as_array(values, "values")
    code = CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise not_integers("values", array)
    if array.ndim > 32:
        raise SymbolError(f"a signal has at most 32 axes, not {array.ndim}")
    if array.ndim == 2 and array.size and array.shape[1] > CHANNELS_MAX:
        raise SymbolError(
            f"a signal has at most {CHANNELS_MAX} channels, its columns, and an array "
            f"of shape {array.shape} has {array.shape[1]}: pass .T if its rows are "
            "the channels, groups of columns, or .ravel() as one series"
        )
    block_size = as_integer(block_size, "block_size", 1, 1 << 20)
    series = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    series = series.reshape(-1, _channels(array.shape))
    out = [MAGIC, bytes([VERSION, code, array.ndim])]
    out += [uvarint(length) for length in array.shape]
    head = b"".join([*out, uvarint(block_size)])
    records = [head + CRC.pack(zlib.crc32(head))]
    for index, start in enumerate(range(0, len(series), block_size)):
        block = _encode_block(series[start : start + block_size])
        records.append(checked(index, uvarint(len(block)) + block))
    return b"".join(records)


def signal_decompress(data: bytes) -> NDArray[Any]:
    """Restore the array that `signal_compress` was given.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it cannot be restored whole; the text says why and where.
    """
    data = as_bytes(data, "data")
    dtype, shape, *_ = _read_head(data)
    parts = [*signal_blocks(data)]
    try:
        return np.concatenate(parts).reshape(shape) if parts else np.empty(shape, dtype)
    except ValueError as error:  # of no element, and yet too long
        raise CorruptError(f"header is damaged: {error}") from error


def signal_blocks(
    data: bytes, salvage: Callable[[FormatError], object] | None = None
) -> Iterator[NDArray[Any]]:
    """Restore a signal block by block, shape (steps, channels).

    Parameters
    ----------
    data : bytes
    salvage : callable, optional
        Is given the error of each damaged block, which is left out.
    """
    dtype, shape, block_size, at = _read_head(data)
    channels = _channels(shape)
    steps = int(np.prod(shape, dtype=object)) // channels
    for index in range(-(-steps // block_size)):
        try:
            at, block = _read_block(data, at, index)
        except FormatError as error:
            if salvage is None:
                raise
            salvage(error)
            return  # where the next begins is not known
        try:
            count = min(block_size, steps - index * block_size)
            if block is None:
                raise CorruptError("its checksum does not match")
            yield _decode_block(block, count, channels, dtype)
        except BbansError as error:
            damage = CorruptError(f"block {index} is damaged: {error}")
            if salvage is None:
                raise damage from error
            salvage(damage)
    if at != len(data):
        excess = CorruptError("signal is followed by other data")
        if salvage is None:
            raise excess
        salvage(excess)


# ---- pieces


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 2 and 1 <= shape[1] <= CHANNELS_MAX else 1


def _encode_block(block: NDArray[Any]) -> bytes:
    raw = bytes([STORED]) + bytes_compress(_little(block), order=1)
    low, high = block.min(axis=0).tolist(), block.max(axis=0).tolist()
    widest = max(b - a for a, b in zip(low, high, strict=True))
    if widest >= 2 * lib.BBANS_SIGNAL_VALUE_MAX:
        return raw
    middle = [(a + b) // 2 for a, b in zip(low, high, strict=True)]
    # Wraps where uint64 or the ends of int64 need it: the difference is small.
    base = np.array(middle, block.dtype).astype(np.int64)
    values = np.ascontiguousarray(block.astype(np.int64) - base)
    order, cross, coefficients = fit_prediction(values)
    limit = lib.BBANS_SIGNAL_COEFFICIENT_MAX - 1
    fixed = np.clip(np.rint(coefficients * _COEFFICIENT), -limit, limit)
    fixed = fixed.astype(np.int32)
    scales = min(lib.BBANS_SIGNAL_SCALES_MAX, 7 + widest.bit_length() * 4 // 3)
    scale = fixed_scales(1 + np.abs(fixed).mean())
    message = Message()
    _call(message, "push", fixed, (order, cross, scales), values)
    message.push_located(Shape.laplace(), fixed_locations(0), scale, fixed)
    coded = (
        bytes([MODELLED])
        + _HEAD.pack(order, cross, scales, int(scale))
        + _little(np.array(middle, block.dtype))
        + message.to_bytes()
    )
    return min(coded, raw, key=len)


def _decode_block(
    block: bytes, steps: int, channels: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    if not block or block[0] not in (MODELLED, STORED):
        raise CorruptError("it has no known method")
    if block[0] == STORED:
        raw = bytearray(steps * channels * dtype.itemsize)
        if len(bytes_decompress(block[1:], out=raw)) != len(raw):
            raise CorruptError("it holds another number of values")
        return (
            np.frombuffer(raw, dtype.newbyteorder("<"))
            .astype(dtype)
            .reshape(-1, channels)
        )
    end = 1 + _HEAD.size + channels * dtype.itemsize
    if len(block) < end:
        raise CorruptError("it ends early")
    order, cross, scales, scale = _HEAD.unpack_from(block, 1)
    middle = np.frombuffer(block[1 + _HEAD.size : end], dtype.newbyteorder("<"))
    message = Message.from_bytes(block[end:])
    taps = order + (channels - 1) * (cross + 1) + 1
    if taps > lib.BBANS_SIGNAL_TAPS_MAX:
        raise CorruptError("its model is too large")
    fixed = message.pop_located(
        Shape.laplace(), np.zeros((channels, taps), np.int64),
        np.array(scale, np.int32), dtype=np.int32,
    )  # fmt: skip
    values = np.empty((steps, channels), np.int64)
    _call(message, "pop", fixed, (order, cross, scales), values)
    if not message.is_empty:
        raise CorruptError("its message does not end where it should")
    limits = np.iinfo(dtype)
    ends = zip(middle.tolist(), values.min(axis=0), values.max(axis=0), strict=True)
    if any(m + int(a) < limits.min or m + int(b) > limits.max for m, a, b in ends):
        raise CorruptError("a value is beyond its type")
    return (values + middle.astype(np.int64)).astype(dtype)


def _call(
    message: Message,
    way: str,
    coefficients: NDArray[np.int32],
    form: tuple[int, int, int],
    values: NDArray[np.int64],
) -> None:
    steps, channels = values.shape
    model = ffi.new("bbans_signal *")
    model.channels = channels
    model.order, model.cross, model.scales = form
    model.coefficient = pointer(coefficients, "int32_t[]")
    check(lib.bbans_signal_check(model))
    size = lib.bbans_signal_work_bytes(model, steps if way == "push" else 0)
    work = np.empty(size // 8 + 1, np.uint64)
    message.call(
        f"signal_{way}", model, ..., pointer(values, "int64_t[]"), steps,
        ffi.from_buffer(work), work.nbytes,
        words=4 * values.size if way == "push" else 0,
    )  # fmt: skip


def _little(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _read_head(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """The type, the shape, the block size, and where blocks begin."""
    if data[: len(MAGIC)] != MAGIC:
        raise FormatError("not a bbans signal: it does not start with its magic")
    at = len(MAGIC) + 3
    if len(data) < at:
        raise TruncatedError("signal ends early, in its header")
    version, code, axes = data[len(MAGIC) : at]
    if version != VERSION:
        raise VersionError(
            f"signal has format version {version}, this release reads {VERSION}"
        )
    numbers = []
    for _ in range(axes + 1):
        at, number = take_uvarint(data, at, "signal", "its header")
        numbers.append(number)
    if len(data) < at + CRC.size:
        raise TruncatedError("signal ends early, in its header")
    if CRC.unpack_from(data, at)[0] != zlib.crc32(data[:at]):
        raise CorruptError("header is damaged: its checksum does not match")
    if code not in DTYPES or axes > 32 or not 1 <= numbers[-1] <= 1 << 20:
        raise CorruptError("header is damaged: no such type, shape or block size")
    return np.dtype(DTYPES[code]), tuple(numbers[:-1]), numbers[-1], at + CRC.size


def _read_block(data: bytes, at: int, index: int) -> tuple[int, bytes | None]:
    """Where the next begins, and the block: None if it is damaged."""
    where = f"block {index}"
    start, size = take_uvarint(data, at, "signal", where)
    stop = start + size
    if stop + CRC.size > len(data):
        raise TruncatedError(f"signal ends early, in {where}")
    good = zlib.crc32(data[at:stop], zlib.crc32(INDEX.pack(index)))
    (found,) = CRC.unpack_from(data, stop)
    return stop + CRC.size, data[start:stop] if found == good else None
