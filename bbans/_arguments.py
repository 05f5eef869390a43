"""What callers pass, checked in one way: an error names the argument, its value, and
what to pass instead."""

from __future__ import annotations

import operator
import os
import reprlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans.errors import BbansError, MessageError, ModelError, SymbolError

__all__ = [
    "as_array",
    "as_batch",
    "as_bytes",
    "as_generator",
    "as_instance",
    "as_integer",
    "as_message",
    "as_parts",
    "as_real",
    "as_reals",
    "check_file",
    "empty_message",
    "exported",
    "no_value",
    "not_integers",
]

_BYTES = (bytes, bytearray, memoryview)
# The devices of DLPack (dlpack.h, DLDeviceType) whose memory is the host's.
_HOST = {1, 3, 11, 13}
_DEVICES = {2: "a CUDA GPU", 7: "a Vulkan device", 8: "a Metal GPU", 10: "a ROCm GPU"}
# By the kind of an array that is no integers.
_INSTEAD = {
    "b": "convert them with .astype(np.uint8)",
    "f": "round them, with np.rint(x).astype(np.int64)",
    "c": "code real and imaginary parts as integers",
    "O": "convert them to one type of integers, as with .astype(np.int64)",
    "U": "join text to one str, or code many with RecordCodec or records.encode_batch",
    "S": "join bytes to one bytes object, or code many with RecordCodec or "
    "records.encode_batch",
    "M": "view them as integers, with .view(np.int64)",
    "m": "view them as integers, with .view(np.int64)",
}


def as_integer(
    value: Any,
    name: str,
    low: int,
    high: int | None = None,
    error: type[BbansError] = ModelError,
) -> int:
    """The integer that was given, if it is one from `low` to `high`.

    Raises
    ------
    error
        If it is none; the text names the argument.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        wanted = f"{low} to {high}" if high is not None else f"at least {low}"
        raise error(
            f"{name} must be an integer, {wanted}, not {reprlib.repr(value)}"
        ) from None
    return number


def as_real(value: Any, name: str) -> float:
    """The real number that was given.

    Raises
    ------
    ModelError
        If it is none; the text names the argument.
    """
    if isinstance(value, (str, bytes)):
        value = None  # float() would parse it
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(
            f"{name} must be a real number, not {reprlib.repr(value)}"
        ) from None


def as_generator(seed: int | np.random.Generator) -> np.random.Generator:
    """The generator that was given, or the one of a seed.

    Raises
    ------
    ModelError
        If it is neither: no generator is hidden anywhere.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, (int, np.integer)) and seed >= 0:
        return np.random.default_rng(int(seed))
    raise ModelError(f"seed must be an integer >= 0 or a Generator, not {seed!r}")


def as_instance(value: Any, kinds: Any, name: str, wanted: str) -> Any:
    """What was given, if it is of one of these types.

    Raises
    ------
    ModelError
        If it is not; the text says what is wanted.
    """
    if not isinstance(value, kinds):
        raise ModelError(f"{name} must be {wanted}, not {reprlib.repr(value)}")
    return value


def as_parts(values: Any, name: str, wanted: str) -> tuple[Any, ...]:
    """What a sequence that was given holds.

    Raises
    ------
    ModelError
        If it is none; the text says what is wanted.
    """
    try:
        return tuple(values)
    except TypeError:
        raise ModelError(
            f"{name} must be {wanted}, not {reprlib.repr(values)}"
        ) from None


def as_bytes(data: Any, name: str) -> bytes:
    """A copy of a buffer of bytes.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(data, (str, os.PathLike)):
        raise TypeError(f"{name} must be bytes, not {reprlib.repr(data)}: of a file, "
                        "pass what it holds")  # fmt: skip
    if not isinstance(data, _BYTES):
        data = exported(data, name, TypeError)
        try:
            data = memoryview(data)
        except TypeError:
            raise TypeError(
                f"{name} must be bytes, not {type(data).__name__}"
            ) from None
    if isinstance(data, memoryview) and data.itemsize != 1:
        raise TypeError(f"{name} must be bytes, not items of {data.itemsize} bytes")
    return bytes(data)


def check_file(file: Any, name: str, method: str) -> None:
    """Refuse what is no binary file, with a read or write `method`.

    Raises
    ------
    TypeError
        If it is a path, a text file or no file.
    """
    if not hasattr(file, method):
        raise TypeError(
            f"{name} must be a binary file with {method}(), not {reprlib.repr(file)}: "
            "open paths first"
        )
    if hasattr(file, "encoding"):
        raise TypeError(f"{name} is a text file: open it in binary mode, 'rb' or 'wb'")


def exported(values: Any, what: str, error: type[Exception] = SymbolError) -> Any:
    """An array of another library as one of numpy, without a copy; all else as it is.

    That library is not imported: the array exports itself, by ``__array__`` or DLPack.

    Raises
    ------
    error
        If it is not in the memory of the host, or cannot be exported, as a tensor that
        requires a gradient; the text says what to do.
    """
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack_device__"):
        return values
    device, number = values.__dlpack_device__()
    if device not in _HOST:
        where = _DEVICES.get(int(device), f"device {int(device)}:{number} of DLPack")
        raise error(
            f"{what} are on {where}: copy them to the host first, as with .cpu() in "
            "torch or jax.device_get(x)"
        )
    try:
        if hasattr(values, "__array__"):
            return np.asarray(values)
        return np.from_dlpack(values)
    except (BufferError, RuntimeError, TypeError, ValueError) as cause:
        raise error(
            f"{what} of {type(values).__name__} form no array of numpy: {cause}. Pass "
            "x.detach() of a tensor that requires a gradient; of bfloat16, which numpy "
            "does not have, x.view(torch.uint16), with dtype='bfloat16' for compress"
        ) from None


def as_array(
    values: ArrayLike, what: str, error: type[BbansError] = SymbolError
) -> NDArray[Any]:
    """Values as an array, no mask lost.

    Raises
    ------
    error
        If a list is ragged, an array masked, or a tensor cannot be exported.
    """
    if type(values) is np.ndarray:  # the case to be quick about
        return values
    if isinstance(values, np.ma.MaskedArray):
        raise error(
            f"{what} are a masked array: pass .compressed() or .filled(value), and the "
            "mask apart"
        )
    values = exported(values, what, error)
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as cause:
        raise error(f"{what} must form an array: {cause}") from None


def as_reals(
    values: ArrayLike, what: str, error: type[BbansError] = ModelError
) -> NDArray[np.float64]:
    """Real numbers as a contiguous float64 array.

    Raises
    ------
    error
        If they are booleans, complex, objects, text, or form no array.
    """
    array = as_array(values, what, error)
    if array.size and array.dtype.kind not in "iuf":
        raise error(f"{what} must be real numbers, not {array.dtype}")
    return np.asarray(array, np.float64, order="C")


def empty_message() -> MessageError:
    """The error for a pop that finds nothing: how to start a message."""
    return MessageError(
        "the message is empty: push first, or start it from other data, as "
        "Message.seeded(data, lanes)"
    )


def as_message(value: Any) -> Any:
    """What was given, if it is a message, an end of the range coder, or like them.

    Raises
    ------
    ModelError
        If it is none.
    """
    if not (hasattr(value, "push_interval") or hasattr(value, "peek")):
        raise ModelError(
            "message must be a Message, or an end of the range coder in a codec, not "
            f"{reprlib.repr(value)}"
        )
    return value


def no_value(status: int | None) -> SymbolError:
    """The error for a pop of no value, under parameters that are valid."""
    return SymbolError(
        "the data type does not hold what was popped: it is too narrow, or the message "
        "is damaged, or ran out of bits (start it from more data, as "
        "Message.seeded(data, lanes))",
        status,
    )


def not_integers(
    what: str,
    array: NDArray[Any],
    wanted: str = "integers of at most 64 bits",
    instead: str | None = None,
) -> SymbolError:
    """The error for an array of anything but integers: what to pass instead."""
    if instead is None:
        instead = _INSTEAD.get(array.dtype.kind)
    return SymbolError(
        f"{what} must be {wanted}, not of dtype {array.dtype}"
        + (f": {instead}" if instead else "")
    )


def as_batch(
    values: Sequence[Any],
    shapes: Sequence[tuple[int, ...]],
    convert: Callable[[Any, str], NDArray[Any]],
) -> tuple[tuple[int, ...], list[NDArray[Any]]]:
    """Return the leading axes of a network's inputs, and these as arrays.

    Parameters
    ----------
    values : sequence of array_like
    shapes : sequence of tuple of int
        Of each input, behind leading axes that all have alike.
    convert : callable
        ``convert(value, name)`` is the array, or an error that names it.

    Raises
    ------
    ModelError
        If there are not as many, or a shape is another.
    """
    if len(values) != len(shapes):
        raise ModelError(f"the network takes {len(shapes)} inputs, not {len(values)}")
    batch: tuple[int, ...] = ()
    arrays = []
    for k, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        array = convert(value, f"input {k}")
        rank = array.ndim - len(shape)
        if rank < 0 or array.shape[rank:] != shape:
            shown = ", ".join(map(str, ("...", *shape)))
            raise ModelError(f"input {k} must have shape ({shown}), not {array.shape}")
        if k and array.shape[:rank] != batch:
            raise ModelError(
                f"input {k} has leading axes {array.shape[:rank]}, and input 0 {batch}"
            )
        batch = array.shape[:rank]
        arrays.append(array)
    return batch, arrays
