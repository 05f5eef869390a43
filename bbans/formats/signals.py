"""The block of a series of integers, which carries the model that was fitted to it.

docs/format.md, Signal, byte by byte.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._lib import check, ffi, lib, pointer
from bbans.distributions.fixed_point import fixed_locations, fixed_scales
from bbans.distributions.location_scale import Laplace
from bbans.errors import CorruptError
from bbans.formats.container import CHANNELS_MAX
from bbans.message.message import Message

__all__ = ["decode_signal", "encode_signal"]

# Channels, order, cross, scales, scale of the coefficients.
_HEAD = struct.Struct("<BBBBh")
_COEFFICIENT = 1 << 16


def encode_signal(series: NDArray[Any], level: int = 5) -> bytes | None:
    """Code a series under a model fitted to it.

    Parameters
    ----------
    series : ndarray of integers, shape (T, channels)
        At least one step of 1 to `CHANNELS_MAX` channels.
    level : int

    Returns
    -------
    bytes or None
        The block; None if a channel's values are too far apart for one.
    """
    from bbans.models.linear_prediction import fit_prediction  # readers need no models

    low, high = series.min(axis=0).tolist(), series.max(axis=0).tolist()
    widest = max(b - a for a, b in zip(low, high, strict=True))
    if widest >= 2 * lib.BBANS_SIGNAL_VALUE_MAX:
        return None
    middle = [(a + b) // 2 for a, b in zip(low, high, strict=True)]
    # Wraps where uint64 or the ends of int64 need it: the difference is small.
    base = np.array(middle, series.dtype).astype(np.int64)
    values = np.ascontiguousarray(series.astype(np.int64) - base)
    order, cross, coefficients = fit_prediction(values)
    limit = lib.BBANS_SIGNAL_COEFFICIENT_MAX - 1
    fixed = np.clip(np.rint(coefficients * _COEFFICIENT), -limit, limit)
    fixed = fixed.astype(np.int32)
    scales = min(lib.BBANS_SIGNAL_SCALES_MAX, 7 + widest.bit_length() * 4 // 3)
    scale = fixed_scales(1 + np.abs(fixed).mean())
    message = Message()
    _call(message, "push", fixed, (order, cross, scales), values)
    message.push(Laplace(fixed_locations(0), scale), fixed)
    head = _HEAD.pack(len(middle), order, cross, scales, int(scale))
    return head + np.array(middle, series.dtype).tobytes() + message.to_bytes()


def decode_signal(block: bytes, out: NDArray[Any]) -> None:
    """Restore a series.

    Parameters
    ----------
    block : bytes
        What `encode_signal` returned.
    out : ndarray, shape (T * channels,)
        Where its values go.

    Raises
    ------
    CorruptError, SymbolError, MessageError
        If it is no block of as many values of this type.
    """
    if len(block) < _HEAD.size:
        raise CorruptError("it ends early")
    channels, order, cross, scales, scale = _HEAD.unpack_from(block)
    if not 1 <= channels <= CHANNELS_MAX or out.size % channels:
        raise CorruptError(f"{out.size} values are no steps of {channels} channels")
    end = _HEAD.size + channels * out.itemsize
    if len(block) < end:
        raise CorruptError("it ends early")
    middle = np.frombuffer(block[_HEAD.size : end], out.dtype)
    message = Message.from_bytes(block[end:])
    taps = order + (channels - 1) * (cross + 1) + 1
    if taps > lib.BBANS_SIGNAL_TAPS_MAX:
        raise CorruptError("its model is too large")
    law = Laplace(fixed_locations(0), np.array(scale, np.int32), np.int32)
    fixed = message.pop(law, (channels, taps))
    values = np.empty((out.size // channels, channels), np.int64)
    _call(message, "pop", fixed, (order, cross, scales), values)
    if not message.is_empty:
        raise CorruptError("its message does not end where it should")
    limits = np.iinfo(out.dtype)
    ends = zip(middle.tolist(), values.min(axis=0), values.max(axis=0), strict=True)
    if any(m + int(a) < limits.min or m + int(b) > limits.max for m, a, b in ends):
        raise CorruptError("a value is beyond its type")
    out[:] = (values + middle.astype(np.int64)).ravel().astype(out.dtype)


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
