"""Kinds of files, known by their first bytes: ours, and those met by mistake."""

from __future__ import annotations

import re
from typing import NamedTuple

from bbans.errors import FormatError, SymbolError

__all__ = [
    "CONTAINER",
    "MODEL",
    "NETWORK",
    "RECORDS",
    "START_BYTES",
    "check_raw",
    "kind_name",
    "wrong_kind",
]

MODEL, NETWORK, CONTAINER = b"\x89bbm", b"\x89bbn", b"\x89bbz"
RECORDS = b"\x89bbr"


class _Kind(NamedTuple):
    start: bytes  # a regular expression
    name: str
    advice: str


_UNPACK = "unpack it first"
_READ = "read its values with a library for such files"
_KINDS = (
    _Kind(MODEL, "a bbans model file", "load_model reads it"),
    _Kind(NETWORK, "a bbans network file", "FrozenNetwork.load reads it"),
    _Kind(CONTAINER, "a bbans container", "decompress restores it"),
    _Kind(RECORDS, "a bbans record file", "Records and bbans unpack read it"),
    _Kind(
        rb"PK\x03\x04",
        "a zip archive (.npz)",
        "a float model is loaded by its class and frozen by freeze(), arrays are read "
        "by numpy.load",
    ),
    _Kind(rb"\x93NUMPY", "a numpy array (.npy)", "numpy.load reads it"),
    _Kind(rb"(RIFF|RF64|RIFX)....WAVE", "a WAVE file", _READ),
    _Kind(rb"FORM....AIF[FC]", "an AIFF file", _READ),
    _Kind(rb"fLaC", "a FLAC file", _READ),
    _Kind(rb"OggS\x00", "an Ogg file", _READ),
    _Kind(rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _READ),
    _Kind(rb"CDF[\x01\x02\x05]", "a netCDF file", _READ),
    _Kind(rb"PAR1", "a Parquet file", _READ),
    _Kind(rb"ARROW1\x00\x00", "an Arrow file", _READ),
    _Kind(rb"SIMPLE  =", "a FITS file", _READ),
    _Kind(rb"\x89PNG\r\n\x1a\n", "a PNG image", _READ),
    _Kind(rb"(II\*\x00|MM\x00\*)", "a TIFF image", _READ),
    _Kind(rb"\xff\xd8\xff", "a JPEG image", _READ),
    _Kind(rb"\x7fELF", "a program or library (ELF)", _UNPACK),
    _Kind(rb"!<arch>\n", "an archive (ar)", _UNPACK),
    _Kind(rb"\x1f\x8b\x08[\x00-\x1f]", "a gzip file", _UNPACK),
    _Kind(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "a bzip2 file", _UNPACK),
    _Kind(rb"\xfd7zXZ\x00", "an xz file", _UNPACK),
    _Kind(rb"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    _Kind(rb"\x04\x22\x4d\x18", "an lz4 file", _UNPACK),
)

#: Bytes at the start of a file that tell its kind.
START_BYTES = 16


def _kind_of(start: bytes) -> _Kind | None:
    return next((k for k in _KINDS if re.match(k.start, start, re.DOTALL)), None)


def kind_name(start: bytes) -> str | None:
    """What a file is called, with its article, that starts like this; None if its kind
    is not known."""
    kind = _kind_of(start)
    return None if kind is None else kind.name


def wrong_kind(start: bytes, wanted: str) -> FormatError:
    """The error for a file that does not start as what is wanted.

    Parameters
    ----------
    start : bytes
        Its first bytes, `START_BYTES` or more if it has them.
    wanted : str
        With its article, as "a bbans container".
    """
    text = f"not {wanted}"
    kind = _kind_of(bytes(start))
    if kind is None:
        return FormatError(f"{text}: it does not start with its magic")
    return FormatError(f"{text}: this is {kind.name}; {kind.advice}")


def check_raw(start: bytes, dtype: str, name: str = "this") -> None:
    """That a file of bare numbers does not start with a header, which would be coded
    as numbers.

    Raises
    ------
    SymbolError
        If it starts as a file of another kind; the text says which.
    """
    kind = _kind_of(start)
    if kind is not None:
        raise SymbolError(
            f"{name} is {kind.name}, and its header would be coded as {dtype}: "
            f"{kind.advice}, and ndarray.tofile writes the bare numbers"
        )
