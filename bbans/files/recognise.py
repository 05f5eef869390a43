"""Which kind of file it is, and by what it is coded."""

from __future__ import annotations

from bbans.errors import ModelError, SymbolError
from bbans.files.csv import csv_layout
from bbans.files.npy import npy_layout
from bbans.files.safetensors import header_bytes, safetensors_layout
from bbans.files.wav import wav_layout
from bbans.formats.coders import LEVEL_DEFAULT, Coder, PieceCoder
from bbans.formats.mixing_coder import bytes_coder
from bbans.formats.pieces import Layout

__all__ = ["HEAD_BYTES", "KINDS", "file_coder", "head_left"]

#: What a file may be said to be.
KINDS = ("auto", "bytes", "npy", "wav", "safetensors", "csv")
#: Bytes at the start of a file by which its kind is known.
HEAD_BYTES = 1 << 18


def head_left(head: bytes) -> int:
    """How many bytes more tell what a file is that starts with these."""
    return max(header_bytes(head) - len(head), 0)


def file_coder(head: bytes, kind: str = "auto", level: int = LEVEL_DEFAULT) -> Coder:
    """The coder of a file of bytes.

    Parameters
    ----------
    head : bytes
        Its first `HEAD_BYTES` and what `head_left` says, or all.
    kind : {"auto", "bytes", "npy", "wav", "safetensors", "csv"}
        What it is; "auto": its first bytes tell.
    level : int

    Raises
    ------
    ModelError
        If `kind` is none of these.
    SymbolError
        If the file is none of that kind.
    """
    if kind not in KINDS:
        raise ModelError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    layout: Layout | None = None
    if kind in ("auto", "npy"):
        layout = npy_layout(head)
    if layout is None and kind in ("auto", "wav"):
        layout = wav_layout(head)
    if layout is None and kind in ("auto", "safetensors"):
        layout = safetensors_layout(head)
    if layout is None and kind in ("auto", "csv"):
        layout = csv_layout(head, wanted=kind == "csv")
    if layout is not None:
        return PieceCoder(layout, level)
    if kind in ("auto", "bytes"):
        return bytes_coder(level)
    raise SymbolError(f"this is no {kind} file that holds numbers")
