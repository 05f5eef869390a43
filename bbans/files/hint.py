"""Bytes that look like samples without a header: whoever has such should say so."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._kinds import kind_name
from bbans.files.npy import npy_description, npy_layout
from bbans.formats.axes import default_axes
from bbans.formats.bytes import encode_bytes
from bbans.formats.grid_coder import is_grid
from bbans.formats.signals import encode_signal

__all__ = ["Guess", "grid_axes", "looks_like"]

# Bytes that are looked at, at two places: whole steps of all channels below.
_SAMPLE_BYTES = 3 << 13
# Half the values of 32 bits, the upper ones, are nearly still: they are no channel.
_TYPES = {"<i2": 1.0, ">i2": 1.0, "<i4": 0.97, ">i4": 0.97}
_CHANNELS = (1, 2, 3, 4, 6)
# Samples must be this much shorter than bytes, and bytes take as many bits at least.
_SHORTER, _LEAST = 0.8, 2.0
# The bytes of a text are above these.
_TEXT = 8
# Letters for axes of frames.
_FRAMES = "tzpq"
# How much less than lower bytes the highest must change from sample to sample.
_STILLER = 0.5


class Guess(NamedTuple):
    """What bytes look like."""

    dtype: np.dtype[Any]
    channels: int


def looks_like(head: bytes) -> Guess | None:
    """What the start of a file looks like, if it is samples of a few channels.

    Returns
    -------
    Guess or None
        None if it has a header that is known, or is about as short as bytes.
    """
    if kind_name(head) is not None or len(head) < _SAMPLE_BYTES:
        return None
    guess = None
    for part in (1, 2):  # what begins a file is often still
        start = (len(head) - _SAMPLE_BYTES) * part // 3
        sample = np.frombuffer(head, np.uint8)[start // 24 * 24 :][:_SAMPLE_BYTES]
        before, guess = guess, _guess(sample)
        if guess is None or (before is not None and guess != before):
            return None
    return guess


def grid_axes(head: bytes) -> str | None:
    """What axes the array of a .npy file may have, if its shape is that of a grid.

    Returns
    -------
    str or None
        A letter each, as `GridCoder` takes them.
    """
    described = npy_description(head)
    if described is None or described.fortran or npy_layout(head) is None:
        return None
    shape = described.shape
    names = default_axes(shape)
    if names is None or not is_grid(shape) or described.dtype.kind == "c":
        return None
    frames = sum(len(name) > 1 for name in names)
    if frames > len(_FRAMES):
        return None
    return _FRAMES[:frames] + "".join(names[frames:])


def _guess(sample: NDArray[np.uint8]) -> Guess | None:
    """What a part looks like."""
    octets = len(encode_bytes(sample, 1))
    if 8 * octets < _LEAST * sample.size or sample.min() > _TEXT:
        return None
    likely = [
        (_bits(sample.view(name), channels) * preference, name, channels)
        for name, preference in _TYPES.items()
        for channels in _CHANNELS
    ]
    _, name, channels = min(likely)
    values = sample.view(name)
    if not _has_digits(values, channels):
        return None
    if _size(values, channels) >= _SHORTER * octets:
        return None
    return Guess(np.dtype(name), channels)


def _has_digits(values: NDArray[Any], channels: int) -> bool:
    """Whether bytes are of lower and higher worth, as those of integers are, and not
    the pixels of an image or the fields of records."""
    width = values.itemsize
    steps = values.view(np.uint8).reshape(-1, channels, width).astype(np.int8)
    changes = abs(np.diff(steps, axis=0).astype(np.int64)).mean(axis=(0, 1))
    if values.dtype.str[0] == ">":
        changes = changes[::-1]
    changes = np.trim_zeros(changes, "b")
    return changes.size == 1 or bool(changes[-1] < _STILLER * changes.max())


def _bits(values: NDArray[Any], channels: int) -> float:
    """About how many bits a byte takes of integers whose differences are coded."""
    steps = values.reshape(-1, channels).astype(np.int64)
    bits = []
    for _ in range(3):
        bits.append(float(np.log2(1 + 2 * abs(steps)).mean()))
        steps = np.diff(steps, axis=0)
    return min(bits) / values.itemsize


def _size(values: NDArray[Any], channels: int) -> int:
    """Bytes as a signal."""
    plain = values.astype(values.dtype.newbyteorder("="))
    block = encode_signal(plain.reshape(-1, channels), 1)
    return values.nbytes if block is None else len(block)
