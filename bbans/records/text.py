"""What records a text is made of: lines, or rows of a table."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FORMS", "TextRecords", "split_text"]

FORMS = ("lines", "csv")

# Lines of a row at the most: a quote that stays open longer is none.
_ROW_LINES = 1000


class TextRecords(NamedTuple):
    """Records that make up a text again, each with the terminator behind it.

    Attributes
    ----------
    records : list of bytes
    terminator : bytes
    unterminated : bool
        It does not follow the last record.
    """

    records: list[bytes]
    terminator: bytes
    unterminated: bool


def split_text(
    data: bytes, form: str = "lines", terminator: bytes | None = None
) -> TextRecords:
    r"""Cut a text into records.

    Parameters
    ----------
    data : bytes
    form : {"lines", "csv"}
        Of a table (csv) line feeds between quotes are part of a row.
    terminator : bytes, optional
        What ends a line. By default a line feed; or a carriage return and a line feed,
        if that ends them all.

    Examples
    --------
    >>> split_text(b"a\nb")
    TextRecords(records=[b'a', b'b'], terminator=b'\n', unterminated=True)
    """
    ending = b"\n" if terminator is None else terminator
    records = data.split(ending)
    unterminated = records[-1] != b""
    if not unterminated:
        records.pop()
    if form == "csv":
        records = _rows(records, ending)
    if terminator is None:
        whole = records[:-1] if unterminated else records
        if whole and all(record.endswith(b"\r") for record in whole):
            ending = b"\r\n"
            records[: len(whole)] = [record[:-1] for record in whole]
    return TextRecords(records, ending, unterminated)


def _rows(lines: list[bytes], ending: bytes) -> list[bytes]:
    """Lines to rows: one whose quotes are odd goes on to the next that is so too."""
    rows = []
    i = 0
    while i < len(lines):
        end = i + 1
        if lines[i].count(b'"') % 2:
            closing = range(i + 1, min(i + _ROW_LINES, len(lines)))
            end += next((j - i for j in closing if lines[j].count(b'"') % 2), 0)
        rows.append(lines[i] if end == i + 1 else ending.join(lines[i:end]))
        i = end
    return rows
