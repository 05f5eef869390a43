"""Compress and decompress: elements, the coders of their blocks, and the container."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_integer, check_file
from bbans._files import Resumed, read_all, read_full, write_full
from bbans._kinds import START_BYTES, check_raw
from bbans._records import Buffer, check_limit
from bbans._threads import in_order
from bbans.errors import (
    BbansError,
    FormatError,
    LimitError,
    MessageError,
    ModelError,
    SymbolError,
    WrongModelError,
)
from bbans.formats.bytes import octets
from bbans.formats.coders import (
    LEVEL_DEFAULT,
    ByteCoder,
    Coder,
    Coders,
    SignalCoder,
    as_coder,
    code_points,
    coders_of,
    decode_block,
    restored_text,
)
from bbans.formats.container import (
    AXES_MAX,
    BLOCK_BYTES_MAX,
    CODE_POINTS,
    Block,
    ContainerReader,
    ContainerWriter,
    Header,
    Part,
    integer_element,
)
from bbans.formats.random_access import ContainerFile

if TYPE_CHECKING:  # loaded when used: bytes need no models
    from bbans.frozen.base import FrozenModel

__all__ = [
    "compress",
    "compress_file",
    "decode",
    "decompress",
    "decompress_file",
    "encode",
    "open",
]

Kind = TypeVar("Kind", str, bytes, NDArray[Any])
Progress: TypeAlias = Callable[[int], object]


# ---- bare messages


def encode(data: Any, model: FrozenModel) -> bytes:
    """Code one sequence as a bare message; see `FrozenModel.encode`."""
    from bbans.frozen.base import as_model

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
    from bbans.frozen.base import as_model

    return as_model(model).decode(data, length, until=until, max_bytes=max_bytes)


# ---- containers


def compress(
    data: Any,
    coder: Coder | FrozenModel | None = None,
    *,
    level: int | None = None,
    block_size: int | None = None,
    threads: int = 1,
) -> bytes:
    """Compress text, bytes or an integer array to a container.

    Parameters
    ----------
    data : str, bytes-like or array_like of int
        Text is coded as UTF-8, or as code points under a model of text, and where it
        has no UTF-8.
    coder : Coder or FrozenModel, optional
        What codes the blocks. By default bytes and text are coded by their own
        frequencies (`ByteCoder`), integers under a model that is fitted to
        them (`SignalCoder`). A reader needs the same model, or codec of your own.
    level : int
        From 1, fast, to 9, small; 5 by default. A `Coder` has its own.
    block_size : int, optional
        Elements in a block, in whole steps of the coder; they take 2**24 bytes at most.
        Blocks are coded and checked on their own. By default 2**16 elements, of a
        signal or under a model 2**16 steps, and for a `ByteCoder` 2**20 bytes.
    threads : int
        The result does not depend on it.

    Returns
    -------
    bytes
        The same for the same data and coder, always and everywhere, but for a
        `SignalCoder`, whose fit is done in floats. Blocks that the coder would make
        longer than a `ByteCoder` are coded by that, or stored: the result is never
        longer than the elements by more than 44 bytes, 9 an axis, 17 a block, and the
        name of a codec.

    Raises
    ------
    SymbolError
        If the coder cannot code an element; the text says which and where.
    ModelError
        If `coder`, `level`, `block_size` or `threads` is none of the above.

    Examples
    --------
    >>> decompress(compress("All happy families are alike."))
    'All happy families are alike.'
    """
    if isinstance(data, str | bytes | bytearray) or (
        isinstance(data, memoryview) and data.format == "B"
    ):
        coder = as_coder(coder, level, ByteCoder)
        if isinstance(data, memoryview) and not data.c_contiguous:
            data = bytes(data)
        element, values = coder.elements(data)
        big_endian, shape = False, values.shape
    else:
        coder = as_coder(coder, level, SignalCoder)
        from bbans.frozen.alphabet import as_integers

        array = as_integers(data)
        element, big_endian = _element(array.dtype), array.dtype.str[0] == ">"
        shape = _shape(array)
        values = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).ravel()
    header = Header(element, big_endian, coder.fingerprint, coder.name)
    width = coder.width(shape)
    size = _block_size(block_size, coder, header, width)
    blocks = (values[at : at + size] for at in range(0, values.size, size))
    out = io.BytesIO()
    _write_part(out, header, coder, width, blocks, threads).finish(shape)
    return out.getvalue()


def compress_file(
    source: BinaryIO,
    sink: BinaryIO,
    coder: Coder | FrozenModel | None = None,
    *,
    level: int | None = None,
    block_size: int | None = None,
    threads: int = 1,
    dtype: str | None = None,
    channels: int = 1,
    kind: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Compress a binary file to another, block by block.

    Parameters
    ----------
    source, sink : binary files
        Pipes will do, also non-blocking ones: they are waited for. Under a model of
        text the source must be UTF-8, and is read whole.
    dtype : str, optional
        The file holds little-endian integers of this type, as "int16", and no
        header: one that is known is refused.
    channels : int
        With `dtype`: integers that are sampled together, the columns of an array of two
        axes.
    kind : {"auto", "bytes", "npy", "wav", "csv"}, optional
        What the file is, where neither `coder` nor `dtype` is given: arrays, sound and
        tables are coded by what they hold, and come back to the byte like any other
        file. By default its first bytes tell.
    progress : callable, optional
        Called with the number of bytes done, after each block.

    Other parameters and errors are those of `compress`.
    """
    check_file(source, "source", "read")
    check_file(sink, "sink", "write")
    channels = as_integer(channels, "channels", 1)
    if dtype is None:
        if channels > 1:
            raise ModelError("channels are those of integers: say their dtype too")
        if coder is None:
            from bbans.files.recognise import HEAD_BYTES, file_coder

            head = read_full(source, HEAD_BYTES)
            level = LEVEL_DEFAULT if level is None else level
            coder = file_coder(head, "auto" if kind is None else kind, level)
            source = cast(BinaryIO, Resumed(head, source))
        elif kind is not None:
            raise ModelError(f"kind is for files without a coder: it is {coder!r}")
        coder = as_coder(coder)
        if coder.file_element is None:
            raise ModelError(f"{coder!r} codes integers: say their dtype too")
        element = coder.file_element
    else:
        if kind is not None:
            raise ModelError(f"kind is for files without a dtype: it is {dtype!r}")
        coder = as_coder(coder, level, SignalCoder)
        element = _element(np.dtype(dtype))
        if np.dtype(dtype).byteorder == ">":
            raise ModelError(f"dtype must be little-endian, as the file, not {dtype!r}")
    header = Header(element, False, coder.fingerprint, coder.name)
    columns = (channels,) if channels > 1 else ()
    width = coder.width((0, *columns))
    step = max(width, channels)
    size = _block_size(block_size, coder, header, step)
    if element == CODE_POINTS:
        blocks: Iterable[NDArray[Any]] = _read_text(source, size)
    else:
        blocks = _read_blocks(source, header.dtype, size, step, dtype)
    writer = _write_part(sink, header, coder, width, blocks, threads, progress)
    writer.finish((writer.n_elements // channels, *columns))


def _element(dtype: np.dtype[Any]) -> int:
    element = integer_element(dtype)
    if element is None:
        raise SymbolError(f"can compress str, bytes and integer arrays, not {dtype}")
    return element


def _shape(array: NDArray[Any]) -> tuple[int, ...]:
    if array.ndim > AXES_MAX:
        raise SymbolError(f"an array may have {AXES_MAX} axes, not {array.ndim}")
    return array.shape


def _block_size(
    block_size: int | None, coder: Coder, header: Header, width: int
) -> int:
    """Elements of a block, in whole steps of `width`."""
    itemsize = header.dtype.itemsize
    most = BLOCK_BYTES_MAX // itemsize
    if block_size is None:
        size = min(coder.block_size(itemsize, width), most)
    else:
        size = as_integer(block_size, "block_size", 1, most)
    return max(size // width, 1) * width


def _write_part(
    sink: BinaryIO,
    header: Header,
    coder: Coder,
    width: int,
    blocks: Iterable[NDArray[Any]],
    threads: int,
    progress: Progress | None = None,
) -> ContainerWriter:
    """Write all but the end record."""

    def code(item: tuple[int, NDArray[Any]]) -> tuple[NDArray[Any], int, Buffer]:
        start, block = item
        try:
            return block, *coder.shortest(block.reshape(-1, width), start)
        except SymbolError as error:
            if start == 0:
                raise
            raise SymbolError(f"in the block at element {start}: {error}") from None

    writer = ContainerWriter(sink, header)
    for block, method, data in in_order(code, _placed(blocks), threads):
        writer.write(block.size, method, data)
        if progress is not None:
            progress(block.nbytes)
    return writer


def _placed(blocks: Iterable[NDArray[Any]]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each block, and the number of elements before it."""
    start = 0
    for block in blocks:
        yield start, block
        start += block.size


def _read_text(source: BinaryIO, size: int) -> Iterator[NDArray[Any]]:
    try:
        values = code_points(read_all(source).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SymbolError(f"a model of text needs UTF-8: {error}") from None
    return (values[at : at + size] for at in range(0, values.size, size))


def _read_blocks(
    source: BinaryIO, dtype: np.dtype[Any], size: int, step: int, bare: str | None
) -> Iterator[NDArray[Any]]:
    """`step`: elements that go together; `bare`: what integers are called in a file
    that must hold nothing else."""
    start, n_bytes, ahead = 0, size * dtype.itemsize, b""
    if bare is not None:
        ahead = read_full(source, START_BYTES)
        check_raw(ahead, bare)
    while data := ahead[:n_bytes] + read_full(source, max(n_bytes - len(ahead), 0)):
        ahead = ahead[n_bytes:]
        start += len(data)
        if len(data) < n_bytes and start % (step * dtype.itemsize):
            raise SymbolError(f"{start} bytes are no rows of {step} {dtype.name}")
        yield np.frombuffer(data, dtype)


# ---- and back


@overload
def decompress(
    data: bytes,
    coder: Coder | FrozenModel | None = None,
    *,
    kind: None = None,
    out: Any = None,
    max_bytes: int | None = None,
    threads: int = 1,
) -> Any: ...
@overload
def decompress(
    data: bytes,
    coder: Coder | FrozenModel | None = None,
    *,
    kind: type[Kind],
    max_bytes: int | None = None,
    threads: int = 1,
) -> Kind: ...
def decompress(
    data: Any,
    coder: Coder | FrozenModel | None = None,
    *,
    kind: type[Any] | None = None,
    out: Any = None,
    max_bytes: int | None = None,
    threads: int = 1,
) -> Any:
    """Restore what `compress` was given.

    Parameters
    ----------
    data : bytes-like
    coder : Coder or FrozenModel, optional
        The model or the codec that the data name, if they do. `default_model()` need
        not be given.
    kind : {str, bytes, numpy.ndarray}, optional
        What the result must be; type checkers then know it.
    out : writable buffer, optional
        Where bytes, or the elements of an array, go; it may be larger. Text is refused.
    max_bytes : int, optional
        The most bytes that all elements may take (4 for each character of text that is
        coded as code points); by default there is no limit. A few bytes may decompress
        to many, up to 16 MiB for each 17: give it, or `out`, to data from strangers.
    threads : int

    Returns
    -------
    str, bytes or ndarray
        Of the type, dtype (byte order included) and shape that was compressed. Data one
        behind the other are joined, arrays along their first axis. With `out` the part
        of it that holds the result: a memoryview, or an array.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    MessageError
        If `out` is too small. Nothing was written.
    ModelError
        If `kind` is none of these, or `out` is given for text.
    WrongModelError
        If another model or codec is needed; the text names it.
    VersionError, TruncatedError, CorruptError, FormatError
        If it cannot be restored whole, or is of another kind; the text says why and
        where. `out` then holds some blocks.
    """
    given = None if coder is None else as_coder(coder)
    reader = ContainerReader(memoryview(as_bytes(data, "data")))
    header, n_bytes = reader.header, 0
    if kind not in (None, str, bytes, np.ndarray):
        raise ModelError(f"kind must be str, bytes or numpy.ndarray, not {kind!r}")
    if kind is not None and kind is not header.type:
        raise FormatError(f"container holds {header.kind}, not {kind.__name__}")
    check_limit(0, 1, max_bytes, "the container")
    parts: list[tuple[Part, list[Block], Coders]] = []
    for part in reader.parts():
        parts.append((part, [], coders_of(part.header, given)))
        for block in part.blocks():
            n_bytes += block.n * part.header.dtype.itemsize
            what = f"the container up to {block.name}"
            check_limit(n_bytes, 1, max_bytes, what)
            parts[-1][1].append(block)
    if header.is_text:
        if out is not None:
            raise ModelError("out takes bytes and arrays, and the container holds text")
        texts = []
        for entry in parts:
            elements = np.empty(entry[0].n_elements, entry[0].header.dtype)
            _restore([entry], elements, threads)
            texts.append(restored_text(elements, entry[0].header))
        return "".join(texts)
    n = n_bytes // header.dtype.itemsize
    target = np.empty(n, header.dtype) if out is None else _part_of(out, n, header)
    _restore(parts, target, threads)
    if not header.is_array:
        return target.tobytes() if out is None else memoryview(out).cast("B")[:n]
    if header.big_endian:
        target = target.byteswap(inplace=True).view(header.array_dtype)
    return target.reshape(reader.shape)


def _part_of(out: Any, n: int, header: Header) -> NDArray[Any]:
    """The first n elements of a buffer of the caller."""
    target = octets(out)
    if not target.flags.writeable:
        raise TypeError("out must be writable")
    size = n * header.dtype.itemsize
    if target.size < size:
        raise MessageError(f"out holds {target.size} bytes, the data {size}")
    return target[:size].view(header.dtype)


def _restore(
    parts: list[tuple[Part, list[Block], Coders]],
    target: NDArray[Any],
    threads: int,
) -> None:
    """Decode all blocks, one behind the other."""

    def slices() -> Iterator[tuple[Block, Coders, NDArray[Any]]]:
        start = 0
        for _, blocks, coders in parts:
            for block in blocks:
                yield block, coders, target[start : start + block.n]
                start += block.n

    for _ in in_order(lambda item: decode_block(*item), slices(), threads):
        pass


def decompress_file(
    source: BinaryIO,
    sink: BinaryIO,
    coder: Coder | FrozenModel | None = None,
    *,
    salvage: Callable[[FormatError], object] | None = None,
    progress: Progress | None = None,
    max_bytes: int | None = None,
    threads: int = 1,
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
        Called with the number of elements done, after each block.

    Other parameters and errors are those of `decompress`. Blocks before a fault, or
    before the first that goes beyond `max_bytes`, have been written.
    """
    given = None if coder is None else as_coder(coder)
    check_file(source, "source", "read")
    check_file(sink, "sink", "write")
    check_limit(0, 1, max_bytes, "the container")
    reader = ContainerReader(source)
    coders_of(reader.header, given)  # or nothing is written

    def items() -> Iterator[tuple[Block, Header, Coders] | BbansError]:
        """The blocks, and last the error that ends them early."""
        n_bytes = 0
        try:
            for part in reader.parts():
                coders = coders_of(part.header, given)
                for block in part.blocks(salvage is not None):
                    n_bytes += block.n * part.header.dtype.itemsize
                    what = f"the container up to {block.name}"
                    check_limit(n_bytes, 1, max_bytes, what)
                    yield block, part.header, coders
        except BbansError as error:
            yield error

    def restore(
        item: tuple[Block, Header, Coders] | BbansError,
    ) -> tuple[int, Buffer | BbansError]:
        if isinstance(item, BbansError):
            return 0, item
        block, header, coders = item
        part = np.empty(block.n, header.dtype)
        try:
            decode_block(block, coders, part)
            if header.element == CODE_POINTS:
                text = restored_text(part, header)
                return block.n, text.encode("utf-8", "surrogatepass")
        except FormatError as error:
            return block.n, error
        return block.n, octets(part).data

    for n, result in in_order(restore, items(), threads):
        if not isinstance(result, BbansError):
            write_full(sink, result)
        elif salvage is None or isinstance(result, WrongModelError | LimitError):
            raise result
        else:
            salvage(cast(FormatError, result))
        if progress is not None and n > 0:
            progress(n)


def open(
    file: str | os.PathLike[str] | BinaryIO, coder: Coder | FrozenModel | None = None
) -> ContainerFile:
    """Open a container to read parts of it: ``with bbans.open(path) as x: x[a:b]``.

    Parameters
    ----------
    file : path or binary file
        It can seek. A path is opened, and closed with the result.
    coder : Coder or FrozenModel, optional
        As of `decompress`.

    Returns
    -------
    ContainerFile
        Like the array, bytes or text that was compressed, but in the file.

    Raises
    ------
    WrongModelError
        If another model or codec is needed; the text names it.
    VersionError, TruncatedError, CorruptError, FormatError
        If it is no container, or not whole.
    """
    return ContainerFile(file, None if coder is None else as_coder(coder))
