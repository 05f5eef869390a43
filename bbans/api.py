"""Compress and decompress: models, codecs, messages and containers, wired up."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_integer, check_file
from bbans._files import read_all, read_full, write_full
from bbans._kinds import MODEL, START_BYTES, check_raw
from bbans._records import check_limit
from bbans.codecs.sequence import decode_sequence, decode_until, encode_sequence
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    WrongModelError,
)
from bbans.formats.container import (
    AXES_MAX,
    BLOCK_MAX,
    ELEMENTS,
    ICONOCLASM,
    PREDICTIVE,
    STORED,
    Block,
    ContainerReader,
    ContainerWriter,
    Header,
)
from bbans.frozen.alphabet import as_integers
from bbans.frozen.base import LGSSM_TYPE
from bbans.frozen.hmm import FrozenHMM, as_frozen
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.message.message import Message

__all__ = [
    "compress",
    "compress_file",
    "decode",
    "decompress",
    "decompress_file",
    "default_model",
    "encode",
    "load_model",
    "read_model",
]

BLOCK_DEFAULT = 1 << 16
BYTES, UTF8, CHARACTERS = 0, 1, 2
INTEGERS = {np.dtype(name): code for code, name in ELEMENTS.items() if code >= 16}

Progress = Callable[[int], object]
FrozenModel: TypeAlias = FrozenHMM | FrozenLGSSM


@lru_cache(maxsize=1)
def default_model() -> FrozenHMM:
    """Return the model of English bytes that comes with the package.

    It codes any bytes, and those of English text in fewest bits.
    """
    return FrozenHMM.from_bytes(
        files("bbans").joinpath("data/english.bbm").read_bytes()
    )


def load_model(path: str | os.PathLike[str]) -> FrozenModel:
    """Read a model file of any type.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is not a model file, or damaged.
    """
    return read_model(Path(path).read_bytes())


def read_model(data: bytes) -> FrozenModel:
    """Read a model file's bytes; see `load_model`."""
    if data.startswith(MODEL) and data[5:6] == bytes([LGSSM_TYPE]):
        return FrozenLGSSM.from_bytes(data)
    return FrozenHMM.from_bytes(data)


# ---- bare messages


def encode(data: Any, model: FrozenModel, *, predictive: bool = False) -> bytes:
    """Code one sequence as a bare message: no header, no length, no checksum.

    Parameters
    ----------
    data : str, bytes or array_like of int
        What the model's alphabet holds; arrays are taken in C order.
    model : FrozenHMM or FrozenLGSSM
    predictive : bool
        Use the range coder alone, without bits back.

    Returns
    -------
    bytes
        Typically 4 bits more than the information content of `data`.

    Raises
    ------
    SymbolError
        If a symbol is not in the alphabet; the text names it and its position.
    """
    model = _as_model(model)
    return _encode(model, model.alphabet.encode(data), predictive)


def decode(
    data: bytes,
    model: FrozenModel,
    length: int | None = None,
    *,
    predictive: bool = False,
    until: Any = None,
    max_bytes: int | None = None,
) -> NDArray[Any]:
    """Decode a bare message of `length` symbols or rows, or up to a symbol.

    Parameters
    ----------
    data : bytes
    model : FrozenHMM or FrozenLGSSM
    length : int
        Number of symbols, or of rows of p > 1 integers; with `until` the most that
        there may be, by default 2**20. Memory and time grow with it, whatever `data`
        is: bound a length that comes from outside, by `max_bytes` or otherwise.
    predictive : bool
        As it was encoded.
    until : a symbol of the alphabet, optional
        An integer, a character or a byte. The message is predictive, and of a
        sequence that has this symbol at its end and nowhere else: nobody needs to
        know how long it is.
    max_bytes : int, optional
        The most bytes that the result may take; by default there is no limit.

    Returns
    -------
    ndarray, shape (length,) or (length, p)
        int64 symbols, or uint32 code points for a model of characters.

    Raises
    ------
    CorruptError
        If `encode` writes these bytes for no sequence of this length, under this model
        and in this mode. A bare message has no checksum: if it is damaged, or any of
        these is wrong, an eighth to two thirds decode all the same, to other data
        (docs/maths.md, section 7).
    LimitError
        If the result would take more than `max_bytes`.
    ModelError
        If there is no sequence of this length, or no memory for one.
    """
    model, message = _as_model(model), Message.from_bytes(data)
    if until is not None:
        model = as_frozen(model)
        single = until if isinstance(until, str | bytes) else [until]
        last = model.alphabet.encode(single)
        if last.size != 1:
            raise SymbolError(f"`until` is one symbol, not {until!r}")
        most = BLOCK_MAX if length is None else length
        x: Any = decode_until(model, message, int(last[0]), most, max_bytes)
    elif length is None:
        raise ModelError("decoding needs the number of symbols, or the last of them")
    else:
        what = f"a message of length {length}"
        check_limit(length, model.alphabet.itemsize, max_bytes, what)
        x = decode_sequence(model, message, length, predictive=predictive)
    return model.alphabet.decode(x)


# ---- containers


def compress(
    data: Any,
    model: FrozenModel | None = None,
    *,
    block_size: int = BLOCK_DEFAULT,
    predictive: bool = False,
) -> bytes:
    """Compress text, bytes or an integer array to a container.

    Parameters
    ----------
    data : str, bytes-like or array_like of int
        Text under a model of bytes is compressed as UTF-8.
    model : FrozenHMM or FrozenLGSSM, optional
        `default_model()` if left out. The reader needs the same.
    block_size : int
        Symbols in a block, 1 to 2**20, or as many whole rows as fit. Blocks are
        coded and checked on their own.
    predictive : bool
        Code without bits back; for comparison.

    Returns
    -------
    bytes
        The same for the same data and model, always and everywhere. Blocks that
        the model would make longer are stored: the result is never longer than
        the data by more than 26 bytes, 9 an axis, and 12 a block
        (characters are stored in 4 bytes each).

    Raises
    ------
    SymbolError
        If a symbol is not in the model's alphabet; the text says where.
    ModelError
        If `block_size` is out of range.

    Examples
    --------
    >>> decompress(compress("All happy families are alike."))
    'All happy families are alike.'
    """
    model = default_model() if model is None else _as_model(model)
    block_size = _block_size(block_size, model)
    element, shape = _describe(data, model)
    x = model.alphabet.encode(data)
    out = io.BytesIO()
    writer = ContainerWriter(out, Header(element, model.fingerprint))
    for block in _split(x, block_size):
        _write_block(writer, model, element, block, predictive)
    writer.finish((x.size,) if shape is None else shape)
    return out.getvalue()


def decompress(
    data: bytes, model: FrozenModel | None = None, *, max_bytes: int | None = None
) -> Any:
    """Restore what `compress` was given.

    Parameters
    ----------
    data : bytes-like
    model : FrozenHMM or FrozenLGSSM, optional
        `default_model()` if left out.
    max_bytes : int, optional
        The most bytes that all elements may take, 4 for each character of text under
        a model of characters; by default there is no limit. A few bytes may
        decompress to many: give it to data from strangers.

    Returns
    -------
    str, bytes or ndarray
        Of the type, dtype and shape that was compressed.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    WrongModelError, VersionError, TruncatedError, CorruptError, FormatError
        If it cannot be restored whole; the text says why and where.
    """
    model = default_model() if model is None else _as_model(model)
    reader = ContainerReader(io.BytesIO(as_bytes(data, "data")))
    _check_model(reader, model)
    blocks = list(reader.blocks())
    element = reader.header.element
    total = sum(block.n_symbols for block in blocks)
    check_limit(total, _dtype(element).itemsize, max_bytes, "the container")
    whole = b"".join(_decode_block(reader.header, model, block) for block in blocks)
    assert reader.shape is not None  # blocks() has run to its end
    if element == BYTES:
        return whole
    if element == UTF8:
        return _text(whole, "utf-8")
    if element == CHARACTERS:
        return whole.decode("utf-8", "surrogatepass")
    dtype = np.dtype(ELEMENTS[element])
    array = np.frombuffer(whole, dtype.newbyteorder("<")).astype(dtype)
    return array.reshape(reader.shape)


def compress_file(
    source: BinaryIO,
    sink: BinaryIO,
    model: FrozenModel | None = None,
    *,
    block_size: int = BLOCK_DEFAULT,
    predictive: bool = False,
    dtype: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Compress a binary file to another, block by block.

    Parameters
    ----------
    source, sink : binary files
        Pipes will do, also non-blocking ones: they are waited for. Under a model of
        characters the source must be UTF-8, and is read whole.
    dtype : str, optional
        The file holds little-endian integers of this type, as "int16", and no
        header: one that is known is refused.
    progress : callable, optional
        Called with the number of bytes (characters) done, after each block.

    Other parameters and errors are those of `compress`.
    """
    model = default_model() if model is None else _as_model(model)
    check_file(source, "source", "read")
    check_file(sink, "sink", "write")
    block_size = _block_size(block_size, model)
    if model.alphabet.kind == "characters" and dtype is None:
        try:
            text = read_all(source).decode("utf-8")
        except UnicodeDecodeError as error:
            raise SymbolError(f"a model of characters needs UTF-8: {error}") from None
        element, blocks = CHARACTERS, _split(model.alphabet.encode(text), block_size)
    else:
        element = BYTES if dtype is None else _element(np.dtype(dtype))
        blocks = _read_blocks(source, model, block_size, _dtype(element), dtype)
    writer = ContainerWriter(sink, Header(element, model.fingerprint))
    total, size = 0, 1 if element == CHARACTERS else _dtype(element).itemsize
    for block in blocks:
        _write_block(writer, model, element, block, predictive)
        total += block.size
        if progress is not None:
            progress(block.size * size)
    writer.finish((total,))


def decompress_file(
    source: BinaryIO,
    sink: BinaryIO,
    model: FrozenModel | None = None,
    *,
    salvage: Callable[[FormatError], object] | None = None,
    progress: Progress | None = None,
    max_bytes: int | None = None,
) -> None:
    """Decompress a container to a binary file, block by block.

    Parameters
    ----------
    source, sink : binary files
        Text is written as UTF-8, integers as little-endian elements.
    salvage : callable, optional
        Called with each error: a damaged block is then left out, and a container
        that ends early ends there. By default the first error is raised.
    progress : callable, optional
        Called with the number of symbols done, after each block.
    max_bytes : int, optional
        As for `decompress`.

    Errors are those of `decompress`. Blocks before a fault, or before the first that
    goes beyond `max_bytes`, have been written.
    """
    model = default_model() if model is None else _as_model(model)
    check_file(source, "source", "read")
    check_file(sink, "sink", "write")
    reader = ContainerReader(source)
    _check_model(reader, model)
    total, size = 0, _dtype(reader.header.element).itemsize
    try:
        for block in reader.blocks(salvage=salvage is not None):
            total += block.n_symbols
            what = f"the container up to block {block.index}"
            check_limit(total, size, max_bytes, what)
            try:
                part = _decode_block(reader.header, model, block)
            except CorruptError as error:
                if salvage is None:
                    raise
                salvage(error)
            else:
                write_full(sink, part)
            if progress is not None:
                progress(block.n_symbols)
    except FormatError as error:  # there is no way to the next block
        if salvage is None:
            raise
        salvage(error)


# ---- pieces


def _describe(data: Any, model: FrozenModel) -> tuple[int, tuple[int, ...] | None]:
    """Element code, and the shape of an array."""
    if isinstance(data, str):
        return (CHARACTERS if model.alphabet.kind == "characters" else UTF8), None
    if isinstance(data, bytes | bytearray) or (
        isinstance(data, memoryview) and data.format == "B"
    ):
        return BYTES, None
    array = as_integers(data)
    element = _element(array.dtype)
    if array.ndim > AXES_MAX:
        raise SymbolError(f"an array may have {AXES_MAX} axes, not {array.ndim}")
    return element, array.shape


def _element(dtype: np.dtype[Any]) -> int:
    native = dtype.newbyteorder("=")
    if native not in INTEGERS:
        raise SymbolError(f"can compress str, bytes and integer arrays, not {dtype}")
    return INTEGERS[native]


def _as_model(model: Any) -> FrozenModel:
    return model if isinstance(model, FrozenLGSSM) else as_frozen(model)


def _width(model: FrozenModel) -> int:
    """Integers of a step."""
    return model.n_observed if isinstance(model, FrozenLGSSM) else 1


def _block_size(block_size: int, model: FrozenModel) -> int:
    """In whole steps."""
    block_size, width = (
        as_integer(block_size, "block_size", 1, BLOCK_MAX),
        _width(model),
    )
    return max(block_size // width, 1) * width


def _encode(model: FrozenModel, x: NDArray[Any], predictive: bool) -> bytes:
    if _width(model) > 1:
        x = x.reshape(-1, _width(model))
    return encode_sequence(model, x, predictive=predictive).to_bytes()


def _split(x: NDArray[Any], block_size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, x.size, block_size):
        yield x[start : start + block_size]


def _read_blocks(
    source: BinaryIO,
    model: FrozenModel,
    block_size: int,
    dtype: np.dtype[Any],
    bare: str | None,
) -> Iterator[NDArray[Any]]:
    """`bare`: what the integers are called in a file that must hold nothing else."""
    start, size, ahead = 0, block_size * dtype.itemsize, b""
    if bare is not None:
        ahead = read_full(source, START_BYTES)
        check_raw(ahead, bare)
    while data := ahead[:size] + read_full(source, max(size - len(ahead), 0)):
        ahead = ahead[size:]
        try:
            if len(data) % dtype.itemsize:
                raise SymbolError(f"the file ends within an element of {dtype}")
            yield model.alphabet.encode(np.frombuffer(data, dtype))
        except SymbolError as error:
            raise SymbolError(f"in the block at byte {start}: {error}") from None
        start += len(data)


def _dtype(element: int) -> np.dtype[Any]:
    """Of the elements as they are stored."""
    if element in (BYTES, UTF8):
        return np.dtype(np.uint8)
    name = "uint32" if element == CHARACTERS else ELEMENTS[element]
    return np.dtype(name).newbyteorder("<")


def _write_block(
    writer: ContainerWriter,
    model: FrozenModel,
    element: int,
    x: NDArray[Any],
    predictive: bool,
) -> None:
    """Write a message, or the elements themselves where those are shorter."""
    data = _encode(model, x, predictive)
    predictive = predictive or model.mode == "predictive"
    method = PREDICTIVE if predictive else ICONOCLASM
    dtype = _dtype(element)
    if len(data) > x.size * dtype.itemsize:
        data, method = model.alphabet.decode(x).astype(dtype).tobytes(), STORED
    writer.write(x.size, method, data)


def _check_model(reader: ContainerReader, model: FrozenModel) -> None:
    if reader.header.fingerprint != model.fingerprint:
        raise WrongModelError(
            f"data was compressed with model {reader.header.fingerprint.hex()}, "
            f"not with {model.fingerprint.hex()}"
        )


def _decode_block(header: Header, model: FrozenModel, block: Block) -> bytes:
    """The elements of a block: little-endian, characters as UTF-8."""
    if block.error is not None:
        raise block.error
    dtype, name = _dtype(header.element), f"block {block.index}"
    if block.method == STORED:
        if len(block.data) != block.n_symbols * dtype.itemsize:
            raise CorruptError(f"{name} is damaged: its length does not fit")
        elements = block.data
    else:
        width = _width(model)
        if block.n_symbols % width:
            raise CorruptError(f"{name} is damaged: it has no rows of {width}")
        try:
            x = decode_sequence(
                model, Message.from_bytes(block.data), block.n_symbols // width,
                predictive=block.method == PREDICTIVE,
            ).ravel()  # fmt: skip
        except CorruptError as error:
            raise CorruptError(f"{name} is damaged: it does not decode") from error
        values = model.alphabet.decode(x)
        array = values.astype(dtype)
        if not np.array_equal(array, values):
            raise CorruptError(f"{name} holds values beyond {dtype}")
        elements = array.tobytes()
    if header.element == CHARACTERS:
        return _text(elements, "utf-32-le").encode("utf-8", "surrogatepass")
    return elements


def _text(data: bytes, encoding: str) -> str:
    try:
        errors = "strict" if encoding == "utf-8" else "surrogatepass"
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise CorruptError(f"decoded text is not {encoding}: {error}") from None
