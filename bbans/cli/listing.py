"""bbans --list: what containers hold, by their heads and indices alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from bbans.cli.streams import reading, shown
from bbans.formats.container import (
    CODE_POINTS,
    METHODS,
    ContainerReader,
    IndexedPart,
    Part,
    read_index,
)

__all__ = ["Listing"]

# Blocks of a part whose coders are looked at, if it has many more.
_LOOKED_AT = 1000
_HEAD = "compressed", "uncompressed", "ratio", "blocks", "holds", "coder", "name"


class Row(NamedTuple):
    """What a line says."""

    compressed: int
    uncompressed: int | None
    """None: text by its code points, of which some take more bytes than others."""
    blocks: int
    holds: str
    coder: str
    name: str

    def __str__(self) -> str:
        ratio = "-"
        if self.uncompressed is not None and self.compressed > 0:
            ratio = f"{self.uncompressed / self.compressed:.3f}"
        plain = "-" if self.uncompressed is None else str(self.uncompressed)
        return _line(
            str(self.compressed), plain, ratio, str(self.blocks), self.holds,
            self.coder, shown(self.name),
        )  # fmt: skip


class Listing:
    """A table of files, line by line, and their sums.

    Parameters
    ----------
    quiet : bool
        Without its head and the sums.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._rows: list[Row] = []

    def add(self, name: str) -> None:
        """Print the line of a file.

        Raises
        ------
        FormatError, VersionError, TruncatedError, CorruptError
            If it is no container, or its frame is damaged.
        """
        with reading(name) as file:
            row = _row(file, name)
        if not (self._rows or self._quiet):
            print(_line(*_HEAD))
        self._rows.append(row)
        print(row)

    def end(self) -> None:
        """Print the sums, of two files or more."""
        if self._quiet or len(self._rows) < 2:
            return
        plain = [row.uncompressed for row in self._rows]
        whole = None if None in plain else sum(n for n in plain if n is not None)
        packed = sum(row.compressed for row in self._rows)
        blocks = sum(row.blocks for row in self._rows)
        print(Row(packed, whole, blocks, "", "", "(total)"))


def _line(
    compressed: str, plain: str, ratio: str, blocks: str, holds: str, coder: str,
    name: str,
) -> str:  # fmt: skip
    numbers = f"{compressed:>12}  {plain:>12}  {ratio:>6}  {blocks:>6}"
    return f"{numbers}  {holds:<10}  {coder:<8}  {name}"


def _row(file: BinaryIO, name: str) -> Row:
    n_blocks = 0
    methods: dict[int, None] = {}  # in order of appearance
    parts: Sequence[Part | IndexedPart]
    if file.seekable() and file.tell() == 0:
        parts = found = read_index(file)[0]
        for indexed in found:
            n_blocks += indexed.n_blocks
            step = max(indexed.n_blocks // _LOOKED_AT, 1)
            methods |= dict.fromkeys(
                map(indexed.method, range(0, indexed.n_blocks, step))
            )
        n_bytes = file.seek(0, os.SEEK_END)
    else:
        reader, parts = ContainerReader(file), []
        for part in reader.parts():
            parts = [*parts, part]
            for block in part.blocks(keep=()):
                methods[block.method] = None
                n_blocks += 1
        n_bytes = reader.n_read
    names = {part.header.type_name for part in parts}  # of parts that can be joined
    holds = names.pop() if len(names) == 1 else "bytes"
    plain = None
    if all(part.header.element != CODE_POINTS for part in parts):
        plain = sum(part.n_elements * part.header.itemsize for part in parts)
    coder = "+".join(METHODS.get(method, "?") for method in methods)
    return Row(n_bytes, plain, n_blocks, holds, coder or "-", name)
