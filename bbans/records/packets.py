"""Packets: a fixed number of bytes, each decodable alone. docs/format.md, section 5."""

from __future__ import annotations

import binascii
from typing import Any

from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_bytes, as_integer
from bbans._records import check_limit
from bbans.codecs.sequence import decode_sequence, encode_sequence
from bbans.errors import CorruptError, SymbolError
from bbans.frozen.hmm import FrozenHMM, as_frozen
from bbans.message.message import Message

__all__ = ["decode_packet", "encode_packets"]

MOST_SYMBOLS = 255
MOST_BYTES = 64


def encode_packets(
    x: ArrayLike | str, model: FrozenHMM, size: int = 32, *, checksum: int = 0
) -> list[bytes]:
    """Cut a sequence into packets of `size` bytes, as many symbols in each as fit.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What the model's alphabet holds.
    model : FrozenHMM
        Devices read models of at most 15 bits: `bbans.frozen.c_header.c_header`.
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
        If a symbol is not in the alphabet, or does not fit a packet by itself.
    ModelError
        If `size` or `checksum` is out of range.

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
    as_frozen(model)
    symbols = model.alphabet.encode(x)
    packets, first = [], 0
    while first < symbols.size:
        rest = symbols[first : first + MOST_SYMBOLS]
        n = _fitting(rest, model, size - checksum)
        if n == 0:
            raise SymbolError(
                f"symbol {rest[0]} at position {first} does not fit {size} bytes"
            )
        data = _message(rest[:n], model)
        packet = bytes([n]) + data.ljust(size - checksum - 1, b"\0")
        packets.append(packet + _crc(packet, checksum))
        first += n
    return packets


def decode_packet(
    packet: bytes,
    model: FrozenHMM,
    *,
    checksum: int = 0,
    max_bytes: int | None = None,
) -> NDArray[Any]:
    """Decode one packet.

    Parameters
    ----------
    packet : bytes
    model : FrozenHMM
    checksum : {0, 1, 2}
        As it was encoded. Without one most damaged packets decode, to other
        symbols: see `encode_packets`.
    max_bytes : int, optional
        The most bytes that the result may take; by default there is no limit but that
        of 255 symbols.

    Returns
    -------
    ndarray
        As `decode` returns it.

    Raises
    ------
    CorruptError
        If the checksum does not match; or if no sequence under this model has this
        packet.
    LimitError
        If the result would take more than `max_bytes`.
    ModelError
        If there is no packet of this size, or no such checksum.
    """
    whole = as_bytes(packet, "packet")
    _check_size(len(whole), checksum)
    packet = whole[: len(whole) - checksum]
    as_frozen(model)
    if _crc(packet, checksum) != whole[len(packet) :]:
        raise CorruptError("packet is damaged: its checksum does not match")
    check_limit(packet[0], model.alphabet.itemsize, max_bytes, "the packet")
    try:
        message = Message.from_bytes(packet[1:].rstrip(b"\0"))
        x = decode_sequence(model, message, packet[0], predictive=True)
    except CorruptError as error:
        raise CorruptError(
            "packet is damaged, or of another model or checksum", error.status
        ) from error
    return model.alphabet.decode(x)


def _check_size(size: int, checksum: int) -> None:
    least = 2 + as_integer(checksum, "bytes of a checksum", 0, 2)
    as_integer(size, "bytes of a packet", least, MOST_BYTES)


def _crc(packet: bytes, size: int) -> bytes:
    """Most significant bit first, so that the CRC of a packet with its own is 0."""
    if size == 2:
        return binascii.crc_hqx(packet, 0xFFFF).to_bytes(2, "big")
    value = 0xFF
    for byte in packet:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
    return bytes([value])[:size]


def _message(symbols: NDArray[Any], model: FrozenHMM) -> bytes:
    return encode_sequence(model, symbols, predictive=True).to_bytes()


def _fitting(symbols: NDArray[Any], model: FrozenHMM, size: int) -> int:
    """The most leading symbols that fit: intervals are nested, so that lengths do not
    fall as symbols are added."""
    low, high = 0, symbols.size + 1  # low fit, high do not
    while high - low > 1:
        middle = (low + high) // 2
        if len(_message(symbols[:middle], model)) < size:
            low = middle
        else:
            high = middle
    return low
