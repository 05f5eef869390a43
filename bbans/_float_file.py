"""Files of floats: .npz archives that name what they hold and their version."""

from __future__ import annotations

import io
import os
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bbans._files import replacing, write_full
from bbans._kinds import START_BYTES, wrong_kind
from bbans.errors import CorruptError, FormatError, TruncatedError, VersionError

__all__ = ["Arrays", "read_model", "write_model"]

_VERSION = 2
_MAX_BYTES = 2**32
_MODEL, _FORMAT = "model", "format_version"
_DTYPES = ("<f8", "<i8", "<u4", "|u1", "|S")

Arrays = dict[str, Any]  # of ndarrays


def write_model(
    path: str | os.PathLike[str] | BinaryIO, model: str, arrays: Arrays
) -> None:
    """Write the arrays of a model; an existing file is replaced at once.

    Parameters
    ----------
    path : path or binary file
    model : str
        The name of its class.
    arrays : dict of ndarray
        Of float64, int64, uint32, uint8 or bytes; they are written little-endian.
    """
    content = {
        _FORMAT: np.array(_VERSION, dtype="<i8"),
        _MODEL: np.array(model.encode("ascii")),
    }
    for name, array in arrays.items():
        content[name] = array.astype(array.dtype.newbyteorder("<"), order="C")
    archive = io.BytesIO()  # what cannot seek would get another form of it
    np.savez(archive, **content)  # type: ignore[arg-type]
    with replacing(path) as file:
        write_full(file, archive.getbuffer())


def read_model(path: str | os.PathLike[str], wanted: str) -> tuple[str, Arrays]:
    """Read what `write_model` wrote: the model's name and its arrays.

    Parameters
    ----------
    path : path
    wanted : str
        What the file should be, with its article, for errors.

    Raises
    ------
    TruncatedError
        If the file ends too early.
    VersionError
        If another release wrote it, in a format that this one does not read.
    CorruptError
        If it was damaged.
    FormatError
        If it is something else than what is `wanted`; the text says what.
    OSError
        If it cannot be read.
    """
    with open(os.fspath(path), "rb") as file:  # no number: that is an open file
        content = file.read(4)
        if content != b"PK\3\4"[: len(content)]:
            content += file.read(START_BYTES - len(content))
            raise wrong_kind(content, wanted)
        if os.fstat(file.fileno()).st_size > _MAX_BYTES:
            raise CorruptError(f"too large for {wanted}: {path}")
        content += file.read()
    # Writers of .npz files end them with this record of 22 bytes.
    if content[-22:-18] != b"PK\5\6":
        raise TruncatedError(f"the end of the file is missing: {path}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            # A damaged length in the directory can hide the entry behind it.
            if len(names) != int.from_bytes(content[-12:-10], "little"):
                raise CorruptError(f"damaged file: {path}: an array is missing")
            if _FORMAT not in names:
                raise FormatError(f"not {wanted}: a .npz file of other arrays: {path}")
            version = int(_read(archive, _FORMAT, "<i8"))
            if version != _VERSION:
                raise VersionError(
                    f"saved model has version {version}, this reads {_VERSION}: {path}"
                )
            model = _read(archive, _MODEL, "|S").item().decode("ascii")
            return model, {
                name: _read(archive, name, *_DTYPES)
                for name in names
                if name not in (_FORMAT, _MODEL)
            }
    except FormatError:
        raise
    except Exception as error:  # zipfile alone raises a dozen types
        raise CorruptError(f"damaged file: {path}: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, *dtypes: str) -> NDArray[Any]:
    """Read an array whose size is that of its bytes, whatever its header says."""
    if archive.getinfo(f"{name}.npy").compress_type != zipfile.ZIP_STORED:
        raise CorruptError(f"{name} is compressed")  # could inflate without end
    file = io.BytesIO(archive.read(f"{name}.npy"))  # checks the CRC
    if np.lib.format.read_magic(file) != (1, 0):
        raise CorruptError(f"{name} is not in .npy format 1.0")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if not dtype.str.startswith(dtypes) or (fortran_order and len(shape) > 1):
        raise CorruptError(f"{name} has the wrong type or order")
    array = np.frombuffer(file.read(), dtype=dtype)
    return array.reshape(shape).astype(dtype.newbyteorder("="))
