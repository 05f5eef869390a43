"""Integer signals as bytes: blocks that carry the model that was fitted to them.

docs/format.md, section 6, byte by byte.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_integer, not_integers
from bbans._kinds import SIGNAL
from bbans._lib import check, ffi, lib, pointer
from bbans._records import (
    CRC,
    RecordReader,
    check_limit,
    check_shape,
    checked,
    uvarint,
)
from bbans.distributions.fixed_point import fixed_locations, fixed_scales
from bbans.distributions.location_scale import Laplace
from bbans.errors import (
    BbansError,
    CorruptError,
    FormatError,
    SymbolError,
    VersionError,
)
from bbans.formats.byte_stream import bytes_compress, bytes_decompress
from bbans.message.message import Message
from bbans.models.linear_prediction import fit_prediction

__all__ = ["signal_compress", "signal_decompress"]

VERSION = 1
BLOCK_DEFAULT, BLOCK_MAX = 65536, 1 << 20
METHODS = {0: "modelled", 1: "stored"}
MODELLED, STORED = METHODS
# Codes as in containers.
DTYPES = dict(enumerate(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"], start=16))
CODES = {np.dtype(name): code for code, name in DTYPES.items()}
AXES_MAX, CHANNELS_MAX = 32, 16
_HEAD = struct.Struct("<BBBh")  # order, cross, scales, scale of the coefficients
_COEFFICIENT = 1 << 16
_NO_METHOD = "it has no known method"


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
    if array.ndim > AXES_MAX:
        raise SymbolError(f"a signal has at most {AXES_MAX} axes, not {array.ndim}")
    if array.ndim == 2 and array.size and array.shape[1] > CHANNELS_MAX:
        raise SymbolError(
            f"a signal has at most {CHANNELS_MAX} channels, its columns, and an array "
            f"of shape {array.shape} has {array.shape[1]}: pass .T if its rows are "
            "the channels, groups of columns, or .ravel() as one series"
        )
    block_size = as_integer(block_size, "block_size", 1, BLOCK_MAX)
    series = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    series = series.reshape(-1, _channels(array.shape))
    out = [SIGNAL, bytes([VERSION, code, array.ndim])]
    out += [uvarint(length) for length in array.shape]
    head = b"".join([*out, uvarint(block_size)])
    records = [head + CRC.pack(zlib.crc32(head))]
    for index, start in enumerate(range(0, len(series), block_size)):
        block = _encode_block(series[start : start + block_size])
        records.append(checked(index, uvarint(len(block)) + block))
    return b"".join(records)


def signal_decompress(data: bytes, *, max_bytes: int | None = None) -> NDArray[Any]:
    """Restore the array that `signal_compress` was given.

    Parameters
    ----------
    data : bytes-like
    max_bytes : int, optional
        The most bytes that the array may take; by default there is no limit. A few
        bytes may decompress to many: give it to data from strangers.

    Raises
    ------
    LimitError
        If the array would be larger. Nothing was decoded.
    FormatError, VersionError, TruncatedError, CorruptError
        If it cannot be restored whole; the text says why and where.
    """
    reader = SignalReader(io.BytesIO(as_bytes(data, "data")), max_bytes=max_bytes)
    parts = [*reader.blocks()]
    whole = np.concatenate(parts) if parts else np.empty(0, reader.dtype)
    return whole.reshape(reader.shape)


class SignalReader:
    """Reads a signal, front to back, from a binary file.

    Parameters
    ----------
    file : binary file
    max_bytes : int, optional
        The most bytes that the values may take.

    Attributes
    ----------
    dtype : dtype
    shape : tuple of int
        Of the whole.

    Raises
    ------
    FormatError
        If the file is no signal.
    LimitError
        If its values would take more than `max_bytes`.
    VersionError, TruncatedError, CorruptError
        If it cannot be read whole; the text names the part.
    """

    def __init__(self, file: BinaryIO, *, max_bytes: int | None = None) -> None:
        self._reader = reader = RecordReader(file, "signal")
        where = "its header"
        reader.magic(SIGNAL)
        version, code, axes = reader.read(3, where)
        if version != VERSION:
            raise VersionError(
                f"signal has format version {version}, this release reads {VERSION}"
            )
        self.shape = tuple(reader.uvarint(where) for _ in range(axes))
        self._block_size = reader.uvarint(where)
        if not reader.matches(where):
            raise CorruptError("header is damaged: its checksum does not match")
        if code not in DTYPES or axes > AXES_MAX:
            raise CorruptError("header is damaged: no such type or shape")
        if not 1 <= self._block_size <= BLOCK_MAX:
            raise CorruptError("header is damaged: no such block size")
        self.dtype = np.dtype(DTYPES[code])
        check_shape(self.shape, self.dtype.itemsize)
        self._channels = _channels(self.shape)
        size = math.prod(self.shape)
        self._steps = size // self._channels
        check_limit(size, self.dtype.itemsize, max_bytes, "the signal")

    @property
    def n_read(self) -> int:
        """Bytes that have been read."""
        return self._reader.at

    def methods(self) -> Iterator[int]:
        """Check the blocks without decoding them; yield how each was coded."""
        for index in range(self._n_blocks):
            where = f"block {index}"
            self._reader.begin(index)
            n_bytes = self._reader.uvarint(where)
            start = self._reader.read(min(n_bytes, 1), where)
            self._reader.skip(n_bytes - len(start), where)
            if not self._reader.matches(where):
                raise CorruptError(f"{where} is damaged: its checksum does not match")
            if not start or start[0] not in METHODS:
                raise CorruptError(f"{where} is damaged: {_NO_METHOD}")
            yield start[0]
        self._reader.end()

    def blocks(
        self, salvage: Callable[[FormatError], object] | None = None
    ) -> Iterator[NDArray[Any]]:
        """Restore the signal block by block, shape (steps, channels).

        Parameters
        ----------
        salvage : callable, optional
            Is given the error of each damaged block, which is left out.
        """
        for index in range(self._n_blocks):
            where = f"block {index}"
            try:
                self._reader.begin(index)
                block = self._reader.read(self._reader.uvarint(where), where)
                good = self._reader.matches(where)
            except FormatError as error:
                if salvage is None:
                    raise
                salvage(error)
                return  # where the next begins is not known
            steps = min(self._block_size, self._steps - index * self._block_size)
            try:
                if not good:
                    raise CorruptError("its checksum does not match")
                yield _decode_block(block, steps, self._channels, self.dtype)
            except BbansError as error:
                damage = CorruptError(f"{where} is damaged: {error}")
                if salvage is None:
                    raise damage from error
                salvage(damage)
        try:
            self._reader.end()
        except CorruptError as excess:
            if salvage is None:
                raise
            salvage(excess)

    @property
    def _n_blocks(self) -> int:
        return -(-self._steps // self._block_size)


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
    message.push(Laplace(fixed_locations(0), scale), fixed)
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
    if not block or block[0] not in METHODS:
        raise CorruptError(_NO_METHOD)
    if block[0] == STORED:
        size = steps * channels * dtype.itemsize
        raw = bytes_decompress(block[1:], max_bytes=size)
        if len(raw) != size:
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
    law = Laplace(fixed_locations(0), np.array(scale, np.int32), np.int32)
    fixed = message.pop(law, (channels, taps))
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
