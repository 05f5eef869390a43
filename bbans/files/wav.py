"""Sound in RIFF files (.wav), of any PCM and of floats."""

from __future__ import annotations

import struct

from bbans.files.samples import ENDLESS, Samples, element_of
from bbans.formats.container import float_element

__all__ = ["MAGICS", "wav_layout"]

#: Little-endian, with lengths of 64 bits, and big-endian.
MAGICS = (b"RIFF", b"RF64", b"BW64", b"RIFX")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# What follows the format's number in the name of an extensible one.
_GUID = bytes.fromhex("000000001000800000aa00389b71")
_UNKNOWN = (0, 0xFFFFFFFF)  # lengths of what was written to a pipe


def wav_layout(head: bytes) -> Samples | None:
    """Where the samples of a file are, by its first bytes; None if it has none that
    are integers or floats."""
    if head[:4] not in MAGICS or head[8:12] != b"WAVE":
        return None
    big_endian = head[:4] == b"RIFX"
    order = ">" if big_endian else "<"
    at, form, length = 12, b"", 0
    while at + 8 <= len(head):
        name, size = struct.unpack_from(f"{order}4sI", head, at)
        at += 8
        body = head[at : at + size]
        if name == b"data":
            if size in _UNKNOWN:
                size = length or ENDLESS
            return _layout(form, order, at, at + size)
        if name == b"ds64" and len(body) >= 16:
            (length,) = struct.unpack_from("<Q", body, 8)
            length = min(length, ENDLESS)
        if name == b"fmt ":
            form = body
        at += size + (size & 1)
    return None


def _layout(form: bytes, order: str, start: int, stop: int) -> Samples | None:
    """By what the chunk of the format says."""
    if len(form) < 16:
        return None
    tag, channels, _, _, step, bits = struct.unpack_from(f"{order}HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 40:
        (tag,) = struct.unpack_from(f"{order}H", form, 24)
        tag = tag if form[26:40] == _GUID else 0
    if tag not in (_PCM, _FLOAT) or channels == 0 or step == 0 or step % channels:
        return None
    width = step // channels
    if not 8 * (width - 1) < bits <= 8 * width:
        return None
    element = element_of(width, signed=width > 1)
    if tag == _FLOAT:
        element = float_element(f"float{bits}")
    if element is None:
        return None
    return Samples(start, stop, element, width, channels, order == ">")
