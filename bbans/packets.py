"""Packets: a fixed number of bytes, each decodable alone. docs/format.md, section 5."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_bytes, as_integer
from bbans.errors import CorruptError, SymbolError
from bbans.message import Message
from bbans.sequence import decode_sequence, encode_sequence
from bbans.tables import FrozenHMM, as_frozen

__all__ = ["decode_packet", "encode_packets"]

MOST_SYMBOLS = 255
SIZES = range(2, 65)


def encode_packets(x: ArrayLike | str, model: FrozenHMM, size: int = 32) -> list[bytes]:
    """Cut a sequence into packets of `size` bytes, as many symbols in each as fit.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What the model's alphabet holds.
    model : FrozenHMM
        Devices read models of at most 15 bits: `bbans.export.c_header`.
    size : int
        Bytes of each packet, 2 to 64.

    Returns
    -------
    list of bytes

    Raises
    ------
    SymbolError
        If a symbol is not in the alphabet, or does not fit a packet by itself.
    ModelError
        If `size` is out of range.

    Notes
    -----
    Each packet starts from the initial distribution, so that one lost packet costs
    no other. The C functions are `bbans_tiny_packet_encode` and
    `bbans_tiny_packet_decode`.
    """
    _check_size(size)
    as_frozen(model)
    symbols = model.alphabet.encode(x)
    packets, first = [], 0
    while first < symbols.size:
        rest = symbols[first : first + MOST_SYMBOLS]
        n = _fitting(rest, model, size)
        if n == 0:
            raise SymbolError(
                f"symbol {rest[0]} at position {first} does not fit {size} bytes"
            )
        data = _message(rest[:n], model)
        packets.append(bytes([n]) + data.ljust(size - 1, b"\0"))
        first += n
    return packets


def decode_packet(packet: bytes, model: FrozenHMM) -> NDArray[Any]:
    """Decode one packet.

    Returns
    -------
    ndarray
        As `decode` returns it.

    Raises
    ------
    CorruptError
        If no encoder of this model wrote the packet.
    """
    packet = as_bytes(packet, "packet")
    _check_size(len(packet))
    as_frozen(model)
    message = Message.from_bytes(packet[1:].rstrip(b"\0"))
    try:
        x = decode_sequence(model, message, packet[0], predictive=True)
    except CorruptError as error:
        raise CorruptError(f"packet is damaged: {error}", error.status) from None
    return model.alphabet.decode(x)


def _check_size(size: int) -> None:
    as_integer(size, "bytes of a packet", SIZES[0], SIZES[-1])


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
