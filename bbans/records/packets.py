"""Packets: a fixed number of bytes, each decodable alone. docs/format.md,
"Packet"."""

from __future__ import annotations

import binascii
from typing import Any

from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_integer
from bbans._records import check_limit
from bbans.errors import CorruptError, SymbolError
from bbans.frozen.base import FrozenModel, as_model
from bbans.message.message import Message

__all__ = ["decode", "encode"]

MOST_STEPS = 255
MOST_BYTES = 64


def encode(
    x: Any, model: FrozenModel, size: int = 32, *, checksum: int = 0
) -> list[bytes]:
    """Cut a sequence into packets of `size` bytes, as many symbols in each as fit.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What ``model.encode`` takes.
    model : FrozenModel
        Packets are predictive, whatever the model's mode is. Devices read hidden
        Markov models of at most 15 bits: `bbans.frozen.c_header`.
    size : int
        Bytes of each packet, 64 at most, 2 and its checksum at least.
    checksum : {0, 1, 2}
        Bytes of the CRC at the end of each packet.

    Returns
    -------
    list of bytes

    Raises
    ------
    SymbolError
        If `x` is of another kind than the model, or a symbol is not in its alphabet,
        or does not fit a packet by itself.
    ModelError
        If `model` is no frozen model; if `size` or `checksum` is out of range.

    Notes
    -----
    Each packet starts from the initial distribution, so that one lost packet costs
    no other. The C functions are `bbans_tiny_packet_encode` and
    `bbans_tiny_packet_decode`; they know no checksum: their packet is what is before
    it.

    **A packet without a checksum has no integrity**: most damaged packets decode, to
    other symbols, because nearly every string of bytes is the packet of some
    sequence. Leave the checksum out where packets travel in frames that have one (as
    those of CAN, LoRaWAN and Bluetooth do). One byte misses a random packet with
    probability 1/256, two with 1/65536. Of flipped bits, both find every odd
    number. One byte finds every two that are not 127, 254, 381 or 508 places apart,
    and every burst of up to 8; two bytes find every two, and every burst of up to 16.
    """
    _check_size(size, checksum)
    model = as_model(model).with_mode("predictive")
    symbols = model._symbols(x)
    packets, first = [], 0
    while first < len(symbols):
        rest = symbols[first : first + MOST_STEPS]
        n = _fitting(rest, model, size - checksum)
        if model._is_utf8:
            while 0 < n < len(symbols) - first and _continues(symbols[first + n]):
                n -= 1  # each packet is text by itself
        if n == 0:
            raise SymbolError(
                f"symbol {rest[0]} at position {first} does not fit {size} bytes"
            )
        data = model._encode(rest[:n]).to_bytes()
        packet = bytes([n]) + data.ljust(size - checksum - 1, b"\0")
        packets.append(packet + _crc(packet, checksum))
        first += n
    return packets


def decode(
    packet: bytes,
    model: FrozenModel,
    *,
    checksum: int = 0,
    max_bytes: int | None = None,
) -> Any:
    """Decode one packet.

    Parameters
    ----------
    packet : bytes
    model : FrozenModel
    checksum : {0, 1, 2}
        As it was encoded. Without one most damaged packets decode, to other
        symbols: see `encode`.
    max_bytes : int, optional
        The most bytes that the result may take; by default there is no limit but that
        of 255 symbols, or rows.

    Returns
    -------
    str, bytes or ndarray
        As ``model.decode`` returns it.

    Raises
    ------
    CorruptError
        If the checksum does not match; or if no sequence under this model has this
        packet.
    LimitError
        If the result would take more than `max_bytes`.
    ModelError
        If `model` is no frozen model; if there is no packet of this size, or no such
        checksum.
    """
    whole = as_bytes(packet, "packet")
    _check_size(len(whole), checksum)
    packet = whole[: len(whole) - checksum]
    model = as_model(model).with_mode("predictive")
    if _crc(packet, checksum) != whole[len(packet) :]:
        raise CorruptError("packet is damaged: its checksum does not match")
    check_limit(packet[0], model._itemsize, max_bytes, "the packet")
    try:
        message = Message.from_bytes(packet[1:].rstrip(b"\0"))
        x = model.decode_message(message, packet[0])
    except CorruptError as error:
        raise CorruptError(
            "packet is damaged, or of another model or checksum", error.status
        ) from error
    return model._values(x)


def _check_size(size: int, checksum: int) -> None:
    least = 2 + as_integer(checksum, "bytes of a checksum", 0, 2)
    as_integer(size, "bytes of a packet", least, MOST_BYTES)


def _crc(packet: bytes, size: int) -> bytes:
    """Most significant bit first, so that the CRC of a packet with its own is 0."""
    if size == 0:
        return b""
    if size == 2:
        return binascii.crc_hqx(packet, 0xFFFF).to_bytes(2, "big")
    value = 0xFF
    for byte in packet:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
    return bytes([value])


def _continues(symbol: Any) -> bool:
    """Whether a byte of UTF-8 belongs to a character that began before."""
    return bool(0x80 <= symbol < 0xC0)


def _fitting(symbols: NDArray[Any], model: FrozenModel, size: int) -> int:
    """The most leading symbols that fit: intervals are nested, so that lengths do not
    fall as symbols are added."""
    low, high = 0, len(symbols) + 1  # low fit, high do not
    while high - low > 1:
        middle = (low + high) // 2
        if len(model._encode(symbols[:middle]).to_bytes()) < size:
            low = middle
        else:
            high = middle
    return low
