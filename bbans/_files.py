"""Files that are whole or not there."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["Resumed", "read_full", "replacing", "write_file", "write_full"]


def read_full(file: BinaryIO, n: int) -> bytes:
    """Read n bytes, fewer only at the end: pipes and raw files give what they have."""
    parts = []
    while n > 0 and (part := file.read(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def write_full(file: BinaryIO, data: bytes) -> None:
    """Write all of it: pipes and raw files take what they can. None counts as all."""
    view = memoryview(data)
    while view and (written := file.write(view)) is not None:
        view = view[written:]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` if the block succeeds.

    It is written under a temporary name in the same directory, synchronised, and
    renamed; if the block raises, `path` is as it was. Of a symbolic link the target
    is replaced. What exists and is no regular file (a pipe, a device) cannot be
    replaced, and is written to.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with open(target, "wb") as file:
            yield file
        return
    # The name is known before the file exists: an interrupt at any point removes it.
    temporary = target.parent / f".bbans-{secrets.token_hex(8)}"
    try:
        try:
            file = open(temporary, "xb")  # noqa: SIM115 - `with` follows
        except OSError as error:  # name the file that was asked for
            raise type(error)(error.errno, error.strerror, str(path)) from None
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file, or leave `path` as it was."""
    with replacing(path) as file:
        file.write(data)


class Resumed(io.RawIOBase):
    """A file whose start has been read, to be read from there."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start, self._file = start, file

    def read(self, size: int = -1) -> bytes:
        if not self._start:
            return self._file.read(size)
        end = len(self._start) if size < 0 else size
        part, self._start = self._start[:end], self._start[end:]
        return part
