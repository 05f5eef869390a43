"""Tables in text (.csv and the like): rows of cells between delimiters."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bbans.formats.container import BYTES
from bbans.formats.pieces import TABLE, Run
from bbans.formats.tables import LINES_MAX, TABLE_BYTES_MAX

__all__ = ["Lines", "csv_layout"]

#: Delimiters, those first that are less likely to be in a cell.
_DELIMITERS = (b"\t", b";", b",", b"|", b" ")
_HEAD_BYTES, _LINES_MIN = 1 << 16, 4
# What holds of this part of the lines holds of all; so many are looked at closer.
_MOST, _ROWS = 0.8, 256
# A number or a date, or what stands for none: of these a table has a column.
_VALUE = re.compile(rb'"?[-+]?[0-9.][0-9.:/TZ+\-eE ]*%?"?|NA|NaN|nan')
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_QUOTED = re.compile(rb'"[^"]*"')


@dataclass(frozen=True)
class Lines:
    """Lines of cells.

    Parameters
    ----------
    delimiter : bytes
        What stands between cells; empty: lines are cells.
    """

    tries_bytes: ClassVar[bool] = True

    delimiter: bytes

    @property
    def block_bytes(self) -> int:
        return TABLE_BYTES_MAX

    def runs(self, start: int, data: NDArray[np.uint8]) -> list[Run]:
        """Whole lines in the middle; the first line of a block is left out, which is
        names of columns or not whole."""
        ends = np.flatnonzero(data == ord("\n"))
        if ends.size < 3:
            return [Run(data.size, BYTES)]
        runs = [Run(int(ends[0]) + 1, BYTES)]
        at, line = runs[0].n_bytes, 0
        while line + 1 < ends.size:
            most = int(np.searchsorted(ends, at + TABLE_BYTES_MAX)) - 1
            line = min(line + LINES_MAX, max(most, line + 1))
            runs.append(Run(int(ends[line]) + 1 - at, TABLE, delimiter=self.delimiter))
            at = int(ends[line]) + 1
        return [*runs, Run(data.size - at, BYTES)]


def csv_layout(head: bytes, wanted: bool = False) -> Lines | None:
    """How the lines of a file are cut, by its first bytes; None if they are no
    rows, or have no column of numbers or dates.

    Parameters
    ----------
    head : bytes
    wanted : bool
        It is a table, so that the likeliest delimiter is taken.
    """
    head = head[:_HEAD_BYTES]
    if not wanted and _NO_TEXT.search(head):
        return None
    lines = head.split(b"\n")[1:-1]
    if len(lines) < _LINES_MIN and not wanted:
        return None
    plain = [_QUOTED.sub(b"", line) if b'"' in line else line for line in lines]
    best, rows = (_MOST * len(lines), b""), lines
    for delimiter in _DELIMITERS:
        counts = [line.count(delimiter) for line in plain]
        often = Counter(filter(None, counts)).most_common(1)
        if often and often[0][1] > best[0]:
            number, n = often[0]
            best = n, delimiter
            pairs = zip(counts, lines, strict=True)
            rows = [line for count, line in pairs if count == number]
    if wanted or _has_values(rows[:_ROWS], best[1]):
        return Lines(best[1])
    return None


def _has_values(lines: list[bytes], delimiter: bytes) -> bool:
    """Whether a column, or all words of a line, are numbers and dates."""
    rows = [line.split(delimiter) if delimiter else [line] for line in lines]
    if delimiter == b" ":
        words = [all(map(_VALUE.fullmatch, row)) for row in rows]
        return sum(words) > _MOST * len(rows)
    for i in range(min(map(len, rows), default=0)):
        column = [row[i].strip() for row in rows]
        found = Counter(bool(_VALUE.fullmatch(cell)) for cell in column if cell)
        if found[True] > max(_MOST * found.total(), len(rows) // 4):
            return True
    return False
