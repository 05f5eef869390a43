"""Compress and decompress: models, codecs, messages and containers, wired up."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_integer, check_file
from bbans._files import read_all, read_full, write_full
from bbans._kinds import START_BYTES, check_raw
from bbans._records import check_limit
from bbans.codecs.sequence import decode_sequence, encode_sequence
from bbans.errors import (
    CorruptError,
    FormatError,
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
from bbans.frozen.base import FrozenModel, Mode, as_model
from bbans.frozen.model_file import default_model
from bbans.message.message import Message

__all__ = [
    "compress",
    "compress_file",
    "decode",
    "decompress",
    "decompress_file",
    "encode",
]

BLOCK_DEFAULT = 1 << 16
BYTES, UTF8, CHARACTERS = 0, 1, 2
INTEGERS = {np.dtype(name): code for code, name in ELEMENTS.items() if code >= 16}

Progress = Callable[[int], object]


# ---- bare messages


def encode(data: Any, model: FrozenModel) -> bytes:
    """Code one sequence as a bare message; see `FrozenModel.encode`."""
    return as_model(model).encode(data)


def decode(
    data: bytes,
    model: FrozenModel,
    length: int | None = None,
    *,
    until: Any = None,
    max_bytes: int | None = None,
) -> Any:
    """Decode a bare message; see `FrozenModel.decode`."""
    return as_model(model).decode(data, length, until=until, max_bytes=max_bytes)


# ---- containers


def compress(
    data: Any,
    model: FrozenModel | None = None,
    *,
    block_size: int = BLOCK_DEFAULT,
) -> bytes:
    """Compress text, bytes or an integer array to a container.

    Parameters
    ----------
    data : str, bytes-like or array_like of int
        Text under a model of bytes is compressed as UTF-8.
    model : FrozenModel, optional
        `default_model()` if left out. The reader needs the same.
    block_size : int
        Symbols in a block, 1 to 2**20, or as many whole rows as fit. Blocks are
        coded and checked on their own.

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
    model = default_model() if model is None else as_model(model)
    block_size = _block_size(block_size, model)
    element, shape = _describe(data, model)
    x = model.alphabet.encode(data)
    out = io.BytesIO()
    writer = ContainerWriter(out, Header(element, model.fingerprint))
    for block in _split(x, block_size):
        _write_block(writer, model, element, block)
    writer.finish((x.size,) if shape is None else shape)
    return out.getvalue()


def decompress(
    data: bytes, model: FrozenModel | None = None, *, max_bytes: int | None = None
) -> Any:
    """Restore what `compress` was given.

    Parameters
    ----------
    data : bytes-like
    model : FrozenModel, optional
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
    model = default_model() if model is None else as_model(model)
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
    model = default_model() if model is None else as_model(model)
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
        _write_block(writer, model, element, block)
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
    model = default_model() if model is None else as_model(model)
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


def _block_size(block_size: int, model: FrozenModel) -> int:
    """In whole steps."""
    block_size, width = (
        as_integer(block_size, "block_size", 1, BLOCK_MAX),
        model.width,
    )
    return max(block_size // width, 1) * width


def _encode(model: FrozenModel, x: NDArray[Any]) -> bytes:
    if model.width > 1:
        x = x.reshape(-1, model.width)
    return encode_sequence(x, model).to_bytes()


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
) -> None:
    """Write a message, or the elements themselves where those are shorter."""
    data = _encode(model, x)
    method = PREDICTIVE if model.mode == "predictive" else ICONOCLASM
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
        width = model.width
        if block.n_symbols % width:
            raise CorruptError(f"{name} is damaged: it has no rows of {width}")
        try:
            mode: Mode = "predictive" if block.method == PREDICTIVE else "iconoclasm"
            message = Message.from_bytes(block.data)
            length = block.n_symbols // width
            x = decode_sequence(message, model.with_mode(mode), length).ravel()
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
