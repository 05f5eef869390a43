"""Compress and decompress: elements, the coders of their blocks, and the container."""

from __future__ import annotations

import builtins
import codecs
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar, cast, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_bytes, as_integer, check_file, exported
from bbans._files import Resumed, read_all, read_full, replacing, write_full
from bbans._kinds import START_BYTES, check_raw
from bbans._lib import lib
from bbans._records import Buffer, check_limit
from bbans._threads import in_order
from bbans.errors import (
    BbansError,
    CorruptError,
    FormatError,
    LimitError,
    MessageError,
    ModelError,
    SymbolError,
    WrongModelError,
)
from bbans.formats.arrays import as_elements, as_extension, cut, stored
from bbans.formats.bytes import octets
from bbans.formats.coders import (
    LEVEL_DEFAULT,
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
    BOOL,
    CODE_POINTS,
    FIRST_EXTENSION,
    UTF8,
    Block,
    ContainerReader,
    ContainerWriter,
    Header,
    Part,
    array_header,
    float_element,
)
from bbans.formats.grid_coder import GridCoder, default_coder
from bbans.formats.salvage import Salvager

if TYPE_CHECKING:  # loaded when used: bytes need no models
    from bbans.formats.random_access import ContainerFile
    from bbans.frozen.base import FrozenModel
    from bbans.frozen.engine import EngineModel

__all__ = [
    "compress",
    "compress_file",
    "costs",
    "decode",
    "decompress",
    "decompress_file",
    "encode",
    "load",
    "open",
    "save",
]

Kind = TypeVar("Kind", str, bytes, NDArray[Any])
Progress: TypeAlias = Callable[[int], object]
# Places of the first axis of a file whose end is not known.
_MANY = 1 << 40


# ---- bare messages


def encode(data: Any, model: EngineModel) -> bytes:
    """Code one sequence as a bare message, under a frozen model or a particle filter;
    see `FrozenModel.encode`."""
    from bbans.frozen.engine import as_engine

    return as_engine(model).encode(data)


def decode(
    data: bytes,
    model: EngineModel,
    length: int | None = None,
    *,
    until: Any = None,
    max_bytes: int | None = None,
) -> Any:
    """Decode a bare message; see `FrozenModel.decode`."""
    from bbans.frozen.engine import as_engine

    return as_engine(model).decode(data, length, until=until, max_bytes=max_bytes)


def costs(
    data: Any,
    coder: Coder | EngineModel | None = None,
    *,
    level: int | None = None,
) -> NDArray[np.float64]:
    """Compute the bits that each symbol takes, given those before it, as it is coded.

    Parameters
    ----------
    data : str, bytes-like or array_like of int
    coder : FrozenModel, ParticleFilter or MixingCoder, optional
        By default bytes and text are coded as `compress` codes them, at levels 3 to 9.
    level : int, optional
        Of the default.

    Returns
    -------
    ndarray of float64, shape (T,)
        -log2 P(x_t | x_1 .. x_t-1) of each observation of a model: see
        `FrozenModel.cost_units`. Without one, of each byte, of text those of its UTF-8:
        see `MixingCoder.costs`. Multiples of 2**-16.

    Raises
    ------
    SymbolError
        If the data cannot be coded.
    ModelError
        If the model has no exact P, unless its mode is predictive; or if no bits belong
        to single symbols: those of a `ByteCoder`, a `SignalCoder` or a `GridCoder` are
        of a block, with the model that it brings along.

    Examples
    --------
    >>> bits = costs("tick tock " * 20)
    >>> bool(bits[:20].mean() > 4 > 0.1 > bits[-50:].mean())
    True
    """
    if coder is not None and not isinstance(coder, Coder):
        from bbans.frozen.engine import as_engine

        if level is not None:
            raise ModelError(f"a model has no level: leave out level={level!r}")
        units = as_engine(coder).cost_units(data)
        bits: NDArray[np.float64] = units / lib.BBANS_COST_BIT
        return bits
    from bbans.formats.mixing_coder import MixingCoder, bytes_coder

    made = as_coder(coder, level, bytes_coder)
    is_array = not isinstance(data, str | bytes | bytearray | memoryview)
    if not isinstance(made, MixingCoder) or (coder is None and is_array):
        what = "arrays have by default" if is_array else f"{made!r} has"
        raise ModelError(
            f"{what} one model for each block, sent along, and no bits of single "
            "elements: pass a frozen model or a MixingCoder, or look at the blocks "
            "with bbans.plot.blocks"
        )
    return made.costs(data)


# ---- containers


def compress(
    data: Any,
    coder: Coder | FrozenModel | None = None,
    *,
    level: int | None = None,
    block_size: int | None = None,
    threads: int = 1,
    dtype: Any = None,
) -> bytes:
    """Compress text, bytes or an array to a container.

    Parameters
    ----------
    data : str, bytes-like or array_like of int, float, bool, datetime64 or timedelta64
        Text is coded as UTF-8, or as code points under a model that lists characters,
        and without a model where it has no UTF-8. Arrays may have any layout and byte
        order; coders see them as integers, of 0 and 1 or in their unit, and floats as
        their bits, every one of which comes back. What inherits from ndarray is one.
    coder : Coder or FrozenModel, optional
        What codes the blocks. By default bytes and text are coded under contexts that
        learn from them (`MixingCoder`), at levels 1 and 2 by their own frequencies
        (`ByteCoder`), and arrays under a model that is fitted to them.
        Arrays with at least 8 rows and 8 columns, the last two axes or those before up
        to 4 bands, are coded as images (`GridCoder`). All others are coded as series
        (`SignalCoder`), and so are arrays of two axes with up to 64 columns, which are
        channels, and arrays of which a sample is shorter as a series. bfloat16 and
        float8, which usually are weights, are coded as bytes. A reader needs the same
        model or codec, if you pass one.
    level : int
        From 1, fast, to 9, small; 5 by default. A `Coder` has its own.
    block_size : int, optional
        Elements in a block, in whole steps of the coder; they take 2**24 bytes at most.
        Blocks are coded and checked on their own. By default 2**16 elements, under
        a model 2**16 steps, of a signal 2**18 elements or, with many channels, 2**13
        steps, of a grid 2**22 elements in whole frames, for a `MixingCoder` 2**24
        bytes, at levels 3 and 4 2**22, and for a `ByteCoder` 2**20, of floats 2**21.
    threads : int
        The result does not depend on it.
    dtype : {"bfloat16", "float8_e4m3fn", "float8_e5m2"}, optional
        The floats that an array of unsigned integers has the bits of, where `ml_dtypes`
        is not at hand: numpy does not have these.

    Returns
    -------
    bytes
        The same for the same data and coder, always and everywhere. Blocks that the
        coder would make longer than a `ByteCoder` are coded by that, or stored: the
        result is never longer than the elements by more than 57 bytes, 9 an axis, 17 a
        block, and the name of a codec.

    Raises
    ------
    SymbolError
        If the data are nothing that can be compressed, or the coder cannot code an
        element; the text says which and where.
    ModelError
        If `coder`, `level`, `block_size` or `threads` is none of the above.

    Examples
    --------
    >>> decompress(compress("All happy families are alike."))
    'All happy families are alike.'
    """
    from bbans._sink import BytesSink  # what decodes needs neither
    from bbans.formats.mixing_coder import bytes_coder

    held = BytesSink()
    out = cast(BinaryIO, held)
    if isinstance(data, str | bytes | bytearray) or (
        isinstance(data, memoryview) and data.format == "B"
    ):
        if dtype is not None:
            raise SymbolError(
                f"dtype is for arrays, not {type(data).__name__}: pass "
                "np.frombuffer(data, np.uint16), or np.uint8"
            )
        coder = as_coder(coder, level, bytes_coder)
        if isinstance(data, memoryview) and not data.c_contiguous:
            data = bytes(data)
        element, values = coder.elements(data)
        header = Header(element, False, coder.fingerprint, coder.name)
        held.expect(values.nbytes)
        _write(out, values, header, coder, block_size, threads)
    else:
        held.expect(data.nbytes if isinstance(data, np.ndarray) else 0)
        _write_array(out, data, coder, level, block_size, threads, dtype)
    return held.getvalue()


def _write_array(
    sink: BinaryIO,
    data: Any,
    coder: Coder | FrozenModel | None,
    level: int | None,
    block_size: int | None,
    threads: int,
    dtype: Any = None,
) -> None:
    """Write a part that is an array."""
    if coder is not None:
        coder, level = as_coder(coder, level), None
    array = as_elements(data)
    header = array_header(array.dtype)
    if dtype is not None:
        header = _as_floats(header, array, dtype)
    default = None
    if coder is None:
        default = default_coder(header, array.shape, stored(array, 0))
    coder = as_coder(coder, level, default)
    coder = coder.laid_out(array.shape, array.itemsize)
    axis = coder.axis_of(array.shape)
    header = header._replace(fingerprint=coder.fingerprint, name=coder.name, axis=axis)
    _write(sink, stored(array, axis), header, coder, block_size, threads)


def _as_floats(header: Header, array: NDArray[Any], dtype: Any) -> Header:
    """The header of floats whose bits are in an array of unsigned integers."""
    floats = Header(as_extension(dtype))
    if header.element != floats.element and (
        array.dtype.kind != "u" or header.dtype.itemsize != floats.dtype.itemsize
    ):
        raise SymbolError(
            f"{dtype} takes an array of their bits, {floats.dtype.name}, not of "
            f"{array.dtype}"
        )
    return floats


def _write(
    sink: BinaryIO,
    values: NDArray[Any],
    header: Header,
    coder: Coder,
    block_size: int | None,
    threads: int,
) -> None:
    """Write a part of these elements."""
    width = coder.width(values.shape)
    size = _block_size(block_size, coder, header, width)
    blocks = cut(values, size, header)
    _write_part(sink, header, coder, width, blocks, threads).finish(values.shape)


def save(
    file: str | os.PathLike[str] | BinaryIO,
    array: ArrayLike,
    coder: Coder | FrozenModel | None = None,
    *,
    level: int | None = None,
    block_size: int | None = None,
    threads: int = 1,
    dtype: Any = None,
) -> None:
    """Compress an array to a file, as `numpy.save` saves it: `load` restores it.

    Parameters
    ----------
    file : path or binary file
        A path gets no suffix, and its file, if there is one, is replaced when the new
        one is whole and on disk. In an open file the array is written where it stands;
        arrays saved one behind the other are loaded as one.
    array : array_like of int, float, bool, datetime64 or timedelta64

    Other parameters and errors are those of `compress`.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()  # or a path
    >>> save(file, [[3, 1, 4], [1, 5, 9]])
    >>> _ = file.seek(0)
    >>> load(file)
    array([[3, 1, 4],
           [1, 5, 9]])
    """
    if isinstance(array, str | bytes | bytearray):
        raise SymbolError(
            f"array is a {type(array).__name__}: compress and compress_file take text "
            "and bytes"
        )
    if not isinstance(file, str | os.PathLike):
        check_file(file, "file", "write")
    with replacing(file) as sink:
        _write_array(sink, array, coder, level, block_size, threads, dtype)


def compress_file(
    source: BinaryIO,
    sink: BinaryIO,
    coder: Coder | FrozenModel | None = None,
    *,
    level: int | None = None,
    block_size: int | None = None,
    threads: int = 1,
    dtype: DTypeLike | None = None,
    channels: int = 1,
    shape: Sequence[int] | None = None,
    kind: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Compress a binary file to another, block by block.

    Parameters
    ----------
    source, sink : binary files
        Open files, not paths. Pipes will do, also non-blocking ones, which are waited
        for. Under a model of
        text the source must be UTF-8, and is read whole if the model lists characters.
    dtype : dtype, optional
        The file holds elements of this type, as "int16", ">f4", "datetime64[ns]" or
        "bfloat16", and no header: one that is known is refused.
    channels : int
        With `dtype`: elements that are sampled together, the columns of an array of two
        axes.
    shape : sequence of int, optional
        With `dtype`: that of the array that the file holds in C order, as
        (-1, 480, 640), where -1 stands for as many as there are. By default one series,
        or `channels`.
    kind : {"auto", "bytes", "npy", "wav", "safetensors", "csv"}, optional
        What the file is, where neither `coder` nor `dtype` is given: arrays, sound,
        weights and tables are coded by what they hold, and come back to the byte like
        any other file. By default its first bytes tell.
    progress : callable, optional
        Called with the number of bytes done, after each block.

    Other parameters and errors are those of `compress`.
    """
    check_file(source, "source", "read")
    check_file(sink, "sink", "write")
    first, inner = _axes_of(shape, as_integer(channels, "channels", 1))
    if dtype is None:
        if inner or shape is not None:
            what = "channels are those" if shape is None else "shape is that"
            raise ModelError(f"{what} of numbers: say their dtype too")
        if coder is None:
            from bbans.files.recognise import HEAD_BYTES, file_coder, head_left

            head = read_full(source, HEAD_BYTES)
            head += read_full(source, head_left(head))
            level = LEVEL_DEFAULT if level is None else level
            coder = file_coder(head, "auto" if kind is None else kind, level)
            source = cast(BinaryIO, Resumed(head, source))
        elif kind is not None:
            raise ModelError(f"kind is for files without a coder: it is {coder!r}")
        coder = as_coder(coder)
        if coder.file_element is None:
            raise ModelError(f"{coder!r} codes numbers: say their dtype too")
        header = Header(coder.file_element, False, coder.fingerprint, coder.name)
    else:
        if kind is not None:
            raise ModelError(f"kind is for files without a dtype: it is {dtype!r}")
        header = _header_of(dtype)
        axes = (_MANY if first < 0 else first, *inner)
        default = default_coder(header, (0,) if shape is None else axes)
        coder = as_coder(coder, level, default)
        if isinstance(coder, SignalCoder) and shape is None:
            coder = coder.of_rows()
        if shape is None and isinstance(coder, GridCoder):
            raise SymbolError(
                f"{coder!r} codes arrays: pass their shape too, as (-1, 480, 640)"
            )
        if axis := coder.axis_of(axes):
            raise ModelError(
                f"a file is read from front to back, and {coder!r} would move axis "
                f"{axis} to the front: pass the array to `compress`"
            )
        coder = coder.laid_out(axes, header.dtype.itemsize)
        header = header._replace(fingerprint=coder.fingerprint, name=coder.name)
    width, row = coder.width((0, *inner)), math.prod(inner)
    step = max(width, row)
    size = _block_size(block_size, coder, header, step if shape is None else width)
    if header.element == CODE_POINTS:
        blocks: Iterable[NDArray[Any]] = _read_text(source, size)
    else:
        blocks = _read_blocks(source, header, size, step)
        if header.element == UTF8:
            blocks = _checked_text(blocks)
    writer = _write_part(sink, header, coder, width, blocks, threads, progress)
    n, rest = divmod(writer.n_elements, row)
    if rest or first not in (-1, n):
        raise SymbolError(
            f"{writer.n_elements} elements are no array of shape {(first, *inner)}"
        )
    writer.finish((n, *inner))


def _axes_of(shape: Sequence[int] | None, channels: int) -> tuple[int, tuple[int, ...]]:
    """The axes that a file has: the first, which may be -1, and the others."""
    if shape is None:
        return -1, (channels,) if channels > 1 else ()
    if channels > 1:
        raise ModelError("shape says all axes: pass channels without it")
    if not isinstance(shape, Sequence) or not 1 <= len(shape) <= AXES_MAX:
        raise ModelError(
            f"shape must have 1 to {AXES_MAX} axes, as (-1, 480, 640), not {shape!r}"
        )
    most = 1 << 62
    inner = (as_integer(n, f"shape[{i}]", 1, most) for i, n in enumerate(shape) if i)
    return as_integer(shape[0], "shape[0]", -1, most), tuple(inner)


def _header_of(dtype: Any) -> Header:
    """The header of a type that numpy may not have."""
    if isinstance(dtype, str) and (float_element(dtype) or 0) >= FIRST_EXTENSION:
        return Header(as_extension(dtype))
    return array_header(np.dtype(dtype))


def _block_size(
    block_size: int | None, coder: Coder, header: Header, width: int
) -> int:
    """Elements of a block, in whole steps of `width`."""
    itemsize = header.dtype.itemsize
    most = BLOCK_BYTES_MAX // itemsize
    if width > most:
        raise SymbolError(
            f"a step of {width} elements takes {width * itemsize} bytes, and a block "
            f"at most {BLOCK_BYTES_MAX}: {coder!r} needs fewer of them"
        )
    if block_size is None:
        size = min(coder.of(header).block_size(itemsize, width), most)
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
    coder = coder.of(header)
    ahead = iter(blocks)
    first = [*islice(ahead, 2)]
    if len(first) > 1:  # it takes bytes, which only the blocks behind save
        header = header._replace(line=coder.line_of(first[0].reshape(-1, width)))
        coder = coder.of(header)

    def code(item: tuple[int, NDArray[Any]]) -> tuple[NDArray[Any], int, Buffer]:
        start, block = item
        try:
            return block, *coder.shortest(block.reshape(-1, width), start)
        except SymbolError as error:
            if start == 0:
                raise
            raise SymbolError(f"in the block at element {start}: {error}") from None

    writer = ContainerWriter(sink, header)
    for block, method, data in in_order(code, _placed(chain(first, ahead)), threads):
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
        raise _no_text(error, 0) from None
    return (values[at : at + size] for at in range(0, values.size, size))


def _checked_text(blocks: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The same blocks, if they are UTF-8 together."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    start = 0
    for block in chain(blocks, [np.zeros(0, np.uint8)]):
        kept = len(decoder.getstate()[0])  # of a character that began before
        try:
            decoder.decode(block.tobytes(), final=block.size == 0)
        except UnicodeDecodeError as error:
            raise _no_text(error, start - kept) from None
        if block.size > 0:
            start += block.size
            yield block


def _no_text(error: UnicodeDecodeError, before: int) -> SymbolError:
    at, byte = before + error.start, error.object[error.start]
    return SymbolError(
        f"a model of text needs UTF-8, and byte {byte:#04x} at position {at} is none: "
        "take a model of bytes"
    )


def _read_blocks(
    source: BinaryIO, header: Header, size: int, step: int
) -> Iterator[NDArray[Any]]:
    """`step`: elements that go together."""
    dtype = header.array_dtype
    start, n_bytes, ahead = 0, size * dtype.itemsize, b""
    if header.is_array:  # and nothing else
        ahead = read_full(source, START_BYTES)
        check_raw(ahead, dtype.name)
    while data := ahead[:n_bytes] + read_full(source, max(n_bytes - len(ahead), 0)):
        ahead = ahead[n_bytes:]
        start += len(data)
        if len(data) < n_bytes and start % (step * dtype.itemsize):
            raise SymbolError(f"{start} bytes are no rows of {step} {dtype.name}")
        elements = stored(np.frombuffer(data, dtype), 0)
        if header.element == BOOL and elements.max() > 1:
            at = start - len(data) + int(elements.argmax())
            raise SymbolError(f"byte {at} is {elements.max()}, which is no bool")
        yield elements.astype(header.dtype, copy=False)


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
    out : writable buffer or DLPack array, optional
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
        behind the other are joined, arrays along their first axis or that of time; text
        and bytes are bytes together, text as its UTF-8. With `out` the part of it that
        holds the result: a memoryview, or an array.

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
    check_limit(0, 1, max_bytes, "the container")
    parts: list[tuple[Part, list[Block], Coders]] = []
    for part in reader.parts():
        parts.append((part, [], coders_of(part.header, given)))
        for block in part.blocks():
            n_bytes += block.n * part.header.dtype.itemsize
            what = f"the container up to {block.name}"
            check_limit(n_bytes, 1, max_bytes, what)
            parts[-1][1].append(block)
    holds = header.type if reader.kind == header.kind else bytes
    if kind is not None and kind is not holds:
        raise FormatError(f"container holds {reader.kind}, not {kind.__name__}")
    if holds is str:
        if out is not None:
            raise ModelError("out takes bytes and arrays, and the container holds text")
        texts = _restored_alone(parts, threads)
        return "".join(restored_text(*text) for text in texts)
    out = exported(out, "out", TypeError)
    if any(part.header.element == CODE_POINTS for part, *_ in parts):
        joined = b"".join(_as_bytes(*text) for text in _restored_alone(parts, threads))
        if out is None:
            return joined
        _part_of(out, len(joined))[:] = np.frombuffer(joined, np.uint8)
        return memoryview(out).cast("B")[: len(joined)]
    target = np.empty(n_bytes, np.uint8) if out is None else _part_of(out, n_bytes)
    if reader.shape is None:
        _restore(parts, target, threads)
        return target.tobytes() if out is None else memoryview(out).cast("B")[:n_bytes]
    elements = target.view(header.dtype)
    array: NDArray[Any] = target.view(header.array_dtype)
    array = array.reshape(header.shape_of(reader.shape))
    if header.axis:
        elements = stored(array, header.axis)
    _restore(parts, elements, threads)
    if header.memory_dtype != header.dtype and not header.axis:
        elements.byteswap(inplace=True)
    return array


def _restored_alone(
    parts: list[tuple[Part, list[Block], Coders]], threads: int
) -> Iterator[tuple[NDArray[Any], Header]]:
    """The elements of each part of text or bytes, and its header."""
    for part, blocks, coders in parts:
        elements = np.empty(part.n_elements, part.header.dtype)
        _restore([(part, blocks, coders)], elements, threads)
        yield elements, part.header


def _as_bytes(elements: NDArray[Any], header: Header) -> Buffer:
    """Elements of text or bytes as in a file: text by code points as its UTF-8."""
    if header.element == CODE_POINTS:
        return restored_text(elements, header).encode("utf-8", "surrogatepass")
    return octets(elements).data


def _part_of(out: Any, n_bytes: int) -> NDArray[np.uint8]:
    """The first bytes of a buffer of the caller."""
    target = octets(out)
    if not target.flags.writeable:
        raise TypeError("out must be writable")
    if target.size < n_bytes:
        raise MessageError(f"out holds {target.size} bytes, the data {n_bytes}")
    return target[:n_bytes]


def _restore(
    parts: list[tuple[Part, list[Block], Coders]],
    target: NDArray[Any],
    threads: int,
) -> None:
    """Decode all blocks, one behind the other.

    `target` has one axis, or those of the array in the file; then it may have any
    layout and byte order, and blocks are whole rows.
    """
    row = math.prod(target.shape[1:])

    def slices() -> Iterator[tuple[Block, Header, Coders, NDArray[Any]]]:
        start = 0
        for part, blocks, coders in parts:
            for block in blocks:
                rows = target[start // row : (start + block.n) // row]
                yield block, part.header, coders, rows
                start += block.n

    def restore(item: tuple[Block, Header, Coders, NDArray[Any]]) -> None:
        block, header, coders, rows = item
        if rows.ndim == 1:
            decode_block(block, header, coders, rows)
        else:
            elements = np.empty(block.n, header.dtype)
            decode_block(block, header, coders, elements)
            rows[...] = elements.reshape(rows.shape)

    for _ in in_order(restore, slices(), threads):
        pass


def load(
    file: str | os.PathLike[str] | BinaryIO,
    coder: Coder | FrozenModel | None = None,
    *,
    max_bytes: int | None = None,
    threads: int = 1,
) -> NDArray[Any]:
    """Restore the array of a file that `save` wrote, or another container of an array.

    Parameters
    ----------
    file : path or binary file
        An open file is read from where it stands to its end.

    Other parameters and errors are those of `decompress`; `open` reads parts of a file.

    Raises
    ------
    FormatError
        If the file is of another kind, or holds text or bytes; the text says what it
        is, and what reads it.
    OSError
        If it cannot be read.
    """
    if isinstance(file, str | os.PathLike):
        with builtins.open(file, "rb") as source:
            return load(source, coder, max_bytes=max_bytes, threads=threads)
    check_file(file, "file", "read")
    data = read_all(file)
    return decompress(
        data, coder, kind=np.ndarray, max_bytes=max_bytes, threads=threads
    )


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
        Text is written as UTF-8, and an array as its elements, in C order and their
        own byte order. One whose axis of time is not the first is held whole for that.
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
    reader: ContainerReader | Salvager
    reader = ContainerReader(source) if salvage is None else Salvager(source)
    coders_of(reader.header, given)  # or nothing is written

    def items() -> Iterator[tuple[Block, Header, Coders] | BbansError]:
        """The blocks, the errors in the place of others, and last one that ends them
        early."""
        n_bytes = 0
        before: Header | None = None
        coders: Coders = {}
        try:
            for item in reader.blocks():
                if isinstance(item, FormatError):
                    yield item
                    continue
                header, block = item
                if header is not before:
                    before, coders = header, coders_of(header, given)
                n_bytes += block.n * header.dtype.itemsize
                what = f"the container up to {block.name}"
                check_limit(n_bytes, 1, max_bytes, what)
                yield block, header, coders
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
            decode_block(block, header, coders, part)
            if header.memory_dtype != header.dtype:
                part.byteswap(inplace=True)
            return block.n, _as_bytes(part, header)
        except FormatError as error:
            return block.n, error

    held = bytearray()
    for n, result in in_order(restore, items(), threads):
        if not isinstance(result, BbansError):
            if reader.header.axis:
                held += result
            else:
                write_full(sink, result)
        elif salvage is None or isinstance(result, WrongModelError | LimitError):
            raise result
        else:
            salvage(cast(FormatError, _without_frames(result)))
        if progress is not None and n > 0:
            progress(n)
    if held:
        write_full(sink, _in_c_order(held, reader).data)


def _without_frames(error: BaseException) -> BaseException:
    """An error that may be kept: frames hold the block, and what was to decode it."""
    for each in (error, error.__cause__, error.__context__):
        if each is not None:
            each.__traceback__ = None
    return error


def _in_c_order(held: bytearray, reader: ContainerReader | Salvager) -> NDArray[Any]:
    """Elements whose axis of time comes first, as they were.

    Raises
    ------
    CorruptError
        If the other axes are not known, as the end record is not there.
    """
    header, shape = reader.header, reader.shape
    if shape is None:
        raise CorruptError(
            "no axes are known, which the end record has, and without them the order "
            f"of the elements: axis {header.axis} of them came first"
        )
    array = np.frombuffer(held, header.dtype).reshape(-1, *shape[1:])
    return octets(np.ascontiguousarray(header.moved(array)))


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
    from bbans.formats.random_access import ContainerFile

    return ContainerFile(file, None if coder is None else as_coder(coder))
