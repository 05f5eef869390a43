"""Tables of text: rows of cells between delimiters, coded by column.

docs/format.md, Tables, byte by byte. Every byte comes back: what is irregular is kept
as it is, and a table is restored once before it is taken for one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as with_default

import numpy as np
from numpy.typing import NDArray

from bbans._records import Buffer, RecordReader, uvarint
from bbans.errors import BbansError, CorruptError
from bbans.formats.cells import (
    DIGITS_MAX,
    FIELDS_MAX,
    NUMBER_BYTES_MAX,
    VALUE_MAX,
    Cells,
    Decimal,
    Field,
    Numbers,
    Pattern,
    different,
    interleaved,
    joined,
    lengths_of,
    parse_numbers,
    patterns,
)
from bbans.formats.container import BLOCK_BYTES_MAX
from bbans.formats.series import (
    SIGNAL,
    encode_integers,
    encode_strings,
    read_integers,
    read_strings,
)
from bbans.formats.signals import decode_signal, encode_signal

__all__ = [
    "COLUMNS_MAX",
    "LINES_MAX",
    "TABLE_BYTES_MAX",
    "decode_table",
    "encode_table",
]

#: Bytes and lines of a table at the most: a reader needs some times their memory; and
#: columns, each of which takes some time.
TABLE_BYTES_MAX, LINES_MAX, COLUMNS_MAX = 1 << 22, 1 << 18, 1 << 10
_ENDS = (b"\n", b"\r\n")
_LF, _CR, _QUOTE = b'\n\r"'
#: Forms of a column.
TEXT, CHOICE, NUMBERS, PATTERN = range(4)
# Flags of a form: its first integers are a channel of the table's signal, and there are
# some for exceptions too; how many decimals there are is said of each number.
_JOINT, _EXPLICIT = 0x80, 0x40
_AFFIX_MAX = 255
_NUMBER = re.compile(rb"([^0-9.\-]*?)( *)(-?[0-9]*\.?[0-9]+)([^0-9]*)")
_SAMPLES = 64
# A form is for one cell in so many at least.
_LEAST = 8
# Choices are for this many words at the most, of so many bytes.
_WORDS_MAX, _WORD_BYTES = 1 << 12, 64

Octets = NDArray[np.uint8]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


# ---- encoding


@dataclass
class _Column:
    """A column in one form.

    Attributes
    ----------
    form : int
    head : bytes
        What follows the form.
    level : int
    values : list of ndarray
        Integers, one for each row.
    regular : ndarray of bool or None
        Which rows are no exceptions; None: all.
    coded : list of bytes
        The integers of regular rows, each by itself.
    """

    form: int
    head: bytes
    level: int
    values: list[Integers] = with_default(default_factory=list)
    regular: Mask | None = None
    coded: list[bytes] = with_default(default_factory=list)

    def __post_init__(self) -> None:
        for values in self.values:
            part = values if self.regular is None else values[self.regular]
            self.coded.append(encode_integers(part, self.level))

    def to_bytes(self, joint: bool = False) -> bytes:
        form = self.form | _JOINT * joint
        return bytes([form]) + self.head + b"".join(self.coded[joint:])


def encode_table(text: Octets, delimiter: bytes, level: int) -> bytes | None:
    """Code lines of text as a table.

    Parameters
    ----------
    text : ndarray of uint8
        At most `TABLE_BYTES_MAX` and `LINES_MAX`, the last a line feed.
    delimiter : bytes
        What stands between cells; empty: lines are cells.
    level : int

    Returns
    -------
    bytes or None
        None if it is no table.
    """
    cut = _cut(text, delimiter, level)
    if cut is None:
        return None
    head, columns = cut
    forms = [_encode_column(column, level) for column in columns]
    data = head + _encode_columns(forms, level)
    restored = np.empty_like(text)
    try:
        decode_table(data, restored)
    except BbansError:
        return None
    return data if np.array_equal(restored, text) else None


def _cut(
    text: Octets, delimiter: bytes, level: int
) -> tuple[bytes, Iterator[Cells]] | None:
    """Find the cells: what a table says before its columns, and the columns."""
    ends = np.flatnonzero(text == _LF)
    if not 2 <= ends.size <= LINES_MAX or text.size > TABLE_BYTES_MAX:
        return None
    if ends[-1] != text.size - 1:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    returns = (text[ends - 1] == _CR) & (ends > starts)
    regular = np.ones(ends.size, bool)
    end = int(np.count_nonzero(returns) > ends.size // 2)
    if end:
        regular = returns
    n_columns, inside = 1, np.empty((ends.size, 0), np.int64)
    if delimiter:
        places, lines = _delimiters(text, delimiter, starts, ends)
        counts = np.bincount(lines, minlength=ends.size)
        n_columns = int(np.bincount(counts).argmax()) + 1
        regular = regular & (counts == n_columns - 1)
        if n_columns > 1:
            inside = places[regular[lines]].reshape(-1, n_columns - 1)
    n_rows = int(np.count_nonzero(regular))
    if n_rows < 2 or 2 * n_rows < ends.size or n_columns > COLUMNS_MAX:
        return None
    head = uvarint(ends.size) + uvarint(n_columns) + delimiter[:1].ljust(1, b"\0")
    others = np.flatnonzero(~regular)
    head += bytes([end]) + uvarint(others.size)
    if others.size:
        irregular = Cells.cut(text, starts[others], ends[others])
        head += encode_integers(np.diff(others, prepend=0), level)
        head += encode_strings(irregular.lines())
    first, last = starts[regular], ends[regular] - end
    bounds = [first - 1, *inside[:n_rows].T, last]
    columns = (Cells.cut(text, bounds[i] + 1, bounds[i + 1]) for i in range(n_columns))
    return head, columns


def _delimiters(
    text: Octets, delimiter: bytes, starts: Integers, ends: Integers
) -> tuple[Integers, Integers]:
    """Where delimiters are that are not between quotes of their line, and its
    number."""
    places = np.flatnonzero(text == delimiter[0])
    lines = np.searchsorted(ends, places)
    quotes = text == _QUOTE
    if quotes.any():
        before = np.cumsum(quotes, dtype=np.int32)
        outside = (before[places] - before[starts[lines]]) & 1 == 0
        # A quote that begins the line is one of those before.
        outside ^= quotes[starts[lines]]
        places, lines = places[outside], lines[outside]
    return places, lines


def _encode_columns(columns: list[_Column], level: int) -> bytes:
    """Each column by itself, or some as channels of one signal."""
    best = b"\0" + b"".join(column.to_bytes() for column in columns)
    channels = [
        i
        for i, column in enumerate(columns)
        if column.coded and column.form >= NUMBERS and column.coded[0][0] == SIGNAL
    ]
    whole = [i for i in channels if columns[i].regular is None]
    for some in (channels, whole) if whole != channels else (channels,):
        values = [columns[i].values[0] for i in some]
        if len(some) < 2 or sum(x.nbytes for x in values) > BLOCK_BYTES_MAX:
            continue
        block = bytes(encode_signal(np.stack(values, axis=1), level))
        data = uvarint(len(some)) + uvarint(len(block)) + block
        data += b"".join(x.to_bytes(i in some) for i, x in enumerate(columns))
        best = min(best, data, key=len)
    return best


def _encode_column(cells: Cells, level: int) -> _Column:
    """A column in its shortest form."""
    forms = [_numbers(cells, level)]
    if forms[0] is None or forms[0].regular is not None:
        forms.append(_pattern(cells, level))
    forms.append(_choice(cells, level))
    found = [form for form in forms if form is not None]
    # Text is not worth a try where it would need a bit and less for each byte.
    least = min((len(form.to_bytes()) for form in found), default=cells.flat.size)
    if 8 * least > cells.flat.size:
        found.append(_Column(TEXT, encode_strings(cells.lines()), level))
    return min(found, key=lambda form: len(form.to_bytes()))


def _choice(cells: Cells, level: int) -> _Column | None:
    """A column of few words."""
    width = int(cells.lengths.max())
    if width > _WORD_BYTES or not cells.flat.all():
        return None
    width = 8 if width <= 8 else width
    rows = cells.right(width)
    keys = rows.view(">u8" if width == 8 else f"S{width}").ravel()
    some = keys[:: max(keys.size // 256, 1)]
    if some.size >= 256 and np.unique(some).size > 240:
        return None
    words, first, index = np.unique(keys, return_index=True, return_inverse=True)
    if words.size > min(_WORDS_MAX, keys.size // 2):
        return None
    order = np.argsort(first)
    rank = np.empty(words.size, np.int64)
    rank[order] = np.arange(words.size)
    head = uvarint(words.size) + encode_strings(cells.take(first[order]).lines())
    return _Column(CHOICE, head, level, [rank[index.ravel()]])


def _sample(cells: Cells) -> list[bytes]:
    """A few cells that are not too long for a regular expression."""
    rows = np.unique(np.linspace(0, len(cells) - 1, _SAMPLES).astype(np.int64))
    rows = rows[cells.lengths[rows] <= _AFFIX_MAX]
    return cells.take(rows).lines().split(b"\n")[:-1]


def _numbers(cells: Cells, level: int) -> _Column | None:
    """A column of decimal numbers."""
    found = [m.groups() for m in map(_NUMBER.fullmatch, _sample(cells)) if m]
    if not found:
        return None
    [((before, after), _)] = Counter((x[0], x[3]) for x in found).most_common(1)
    width = 0
    if len({blanks for _, blanks, *_ in found}) == 1:
        before += found[0][1]
    else:
        sizes = Counter(len(blanks + number) for _, blanks, number, _ in found)
        width = min(sizes.most_common(1)[0][0], NUMBER_BYTES_MAX)
    if max(len(before), len(after)) > _AFFIX_MAX:
        return None
    starts = np.cumsum(cells.lengths) - cells.lengths + len(before)
    ends = np.maximum(starts + cells.lengths - len(before) - len(after), starts)
    ends = np.minimum(ends, cells.flat.size)
    inner = Cells.cut(cells.flat, np.minimum(starts, ends), ends)
    numbers = parse_numbers(inner)
    if _LEAST * np.count_nonzero(numbers.ok) < len(cells):
        return None
    affixes = bytes([len(before)]) + before + bytes([len(after)]) + after
    counts = np.bincount(numbers.decimals[numbers.ok])
    scales = {counts.size - 1, int(counts.argmax())}
    forms = []
    for scale in scales:
        values, fits = _scaled(numbers, scale)
        for decimal, places in _decimals(numbers, values, fits, scale, width):
            written = joined([before, decimal.write(values, places), after], len(cells))
            wrong = different(written, cells) | ~fits
            exceptions = int(np.count_nonzero(wrong))
            forms.append((exceptions, decimal, values, places, wrong))
    most = len(cells) - max(len(cells) // _LEAST, 1)
    forms = [form for form in forms if form[0] <= most]
    if not forms:
        return None
    columns = []
    for _, decimal, values, places, wrong in forms:
        head = affixes + bytes(decimal) + _encode_exceptions(cells, wrong, level)
        series = [_filled(values, wrong)]
        if places is not None:
            series.append(places)
        form = NUMBERS | _EXPLICIT * (places is not None)
        regular = ~wrong if wrong.any() else None
        columns.append(_Column(form, head, level, series, regular))
    return min(columns, key=lambda column: len(column.to_bytes()))


def _scaled(numbers: Numbers, scale: int) -> tuple[Integers, Mask]:
    """Numbers as integers of 10^-scale, and which of them are some."""
    shift = np.clip(scale - numbers.decimals, 0, DIGITS_MAX)
    factor = 10**shift
    fits = numbers.ok & (numbers.decimals <= scale)
    fits &= np.abs(numbers.value) < VALUE_MAX // factor
    return np.where(fits, numbers.value * factor, 0), fits


def _decimals(
    numbers: Numbers, values: Integers, fits: Mask, scale: int, width: int
) -> Iterator[tuple[Decimal, Integers | None]]:
    """The forms in which numbers may be written: the one that suits most, and the one
    that says how many decimals each has if that does not suit almost all."""
    whole = np.abs(values) // 10**scale
    natural = 1 + np.sum([whole >= 10**i for i in range(1, 19)], axis=0)
    digits = numbers.digits[fits]
    padded = digits > natural[fits]
    if padded.any():
        least_digits = int(np.bincount(digits[padded]).argmax())
    else:
        least_digits = int(digits.min(initial=1))
    ways = []
    for least in sorted({0, min(1, scale), scale}, reverse=True):
        decimal = Decimal(scale, least, least_digits, width)
        places = decimal.places(values)
        differ = int(np.count_nonzero((places != numbers.decimals) & fits))
        ways.append((differ, decimal))
    differ, decimal = min(ways, key=lambda way: way[0])
    yield decimal, None
    if 64 * differ > fits.size:
        yield decimal._replace(least=0), np.minimum(numbers.decimals, scale)


def _pattern(cells: Cells, level: int) -> _Column | None:
    """A column of cells of one form."""
    best = None
    for pattern in patterns(cells):
        values = pattern.read(cells)
        wrong = different(pattern.write(values, len(cells)), cells)
        exceptions = int(np.count_nonzero(wrong))
        most = len(cells) - max(len(cells) // _LEAST, 1)
        if exceptions <= most and (best is None or exceptions < best[0]):
            best = exceptions, pattern, values, wrong
    if best is None:
        return None
    _, pattern, values, wrong = best
    head = uvarint(len(pattern.tokens))
    for token in pattern.tokens:
        if isinstance(token, Field):
            head += bytes([ord(token.letter), token.width])
        else:
            head += b"\0" + uvarint(len(token)) + token
    head += _encode_exceptions(cells, wrong, level)
    regular = ~wrong if wrong.any() else None
    return _Column(PATTERN, head, level, [_filled(x, wrong) for x in values], regular)


def _filled(values: Integers, wrong: Mask) -> Integers:
    """Exceptions have the value before them."""
    if not wrong.any():
        return values
    rows = np.where(wrong, 0, np.arange(values.size))
    rows[0] = np.flatnonzero(~wrong)[0]
    return values[np.maximum.accumulate(rows)]


def _encode_exceptions(cells: Cells, wrong: Mask, level: int) -> bytes:
    """Where exceptions are, by the lengths of runs of none and of some, and they."""
    if not wrong.any():
        return uvarint(0)
    bounds = np.flatnonzero(np.diff(wrong)) + 1
    runs = np.diff(np.concatenate([[0], bounds, [wrong.size]]))
    if wrong[0]:
        runs = np.concatenate([[0], runs])
    return (
        uvarint(runs.size)
        + encode_integers(runs, level)
        + encode_strings(cells.take(wrong).lines())
    )


# ---- and back


def decode_table(data: Buffer, out: Octets) -> None:
    """Restore the text of a table.

    Raises
    ------
    CorruptError, TruncatedError, SymbolError, MessageError
        If it is no table of as many bytes.
    """
    reader, where = RecordReader(memoryview(data), "table"), "a table"
    n_lines, n_columns = reader.uvarint(where), reader.uvarint(where)
    delimiter = bytes(reader.read(1, where))
    end = reader.read(1, where)[0]
    n_others = reader.uvarint(where)
    n_rows = n_lines - n_others
    if (
        not 0 < out.size <= TABLE_BYTES_MAX
        or end >= len(_ENDS)
        or not 1 <= n_columns <= COLUMNS_MAX
        or not 1 <= n_rows <= n_lines <= LINES_MAX
        or n_lines + n_rows * (n_columns - 1) > out.size
    ):
        raise CorruptError("a table has impossible lengths")
    regular, others = np.ones(n_lines, bool), None
    if n_others:
        rows = np.cumsum(read_integers(reader, n_others, where))
        if rows[0] < 0 or np.diff(rows).min(initial=1) < 1 or rows[-1] >= n_lines:
            raise CorruptError("a table has lines out of place")
        regular[rows] = False
        others = read_strings(reader, n_others, out.size, where)
    n_channels = reader.uvarint(where)
    channels: list[Integers] = []
    if n_channels > n_columns or 8 * n_rows * n_channels > BLOCK_BYTES_MAX:
        raise CorruptError("a table has an impossible number of channels")
    if n_channels:
        values = np.empty(n_rows * n_channels, np.int64)
        size = reader.uvarint(where)
        decode_signal(reader.take(size, where), values)
        if values.max() >= VALUE_MAX or values.min() <= -VALUE_MAX:
            raise CorruptError("a table has a number that is too large")
        channels = [*values.reshape(n_rows, n_channels).T]
    parts: list[Cells | bytes] = []
    left = out.size  # bytes, for the cells of all columns that are still to come
    for _ in range(n_columns):
        cells = _decode_column(reader, n_rows, out.size, left, channels)
        left -= int(cells.lengths.sum())
        parts += [cells, delimiter]
    parts[-1] = _ENDS[end]
    reader.end()
    if channels:
        raise CorruptError("a table has a channel that no column takes")
    n_bytes = int(lengths_of(parts, n_rows).sum())
    if others is not None:
        n_bytes += others.lengths.sum() + n_others
    if n_bytes != out.size:
        raise CorruptError(f"a table has {n_bytes} bytes and not {out.size}")
    lines = joined(parts, n_rows)
    if others is not None:
        others = joined([others, b"\n"], n_others)
        lines = interleaved(lines, others, regular)
    out[:] = lines.flat


def _decode_column(
    reader: RecordReader, n: int, limit: int, left: int, channels: list[Integers]
) -> Cells:
    """The n cells of a column of a table of `limit` bytes, of which `left` may be of
    this column; channels are taken."""
    where = "a column"
    flags = reader.read(1, where)[0]
    form, joint = flags & 0x3F, bool(flags & _JOINT)
    explicit = bool(flags & _EXPLICIT)
    if form > PATTERN or (joint and form < NUMBERS) or (explicit and form != NUMBERS):
        raise CorruptError("a column has a form that is not known")
    if form == TEXT:
        return read_strings(reader, n, left, where)
    if form == CHOICE:
        n_words = reader.uvarint(where)
        if not 1 <= n_words <= n:
            raise CorruptError("a column has an impossible number of words")
        words = read_strings(reader, n_words, limit, where)
        index = read_integers(reader, n, where)
        if index.min() < 0 or index.max() >= n_words:
            raise CorruptError("a column has a word that is not listed")
        if words.lengths[index].sum() > left:
            raise CorruptError("a column is longer than the table")
        return words.take(index)
    if form == NUMBERS:
        before, after, decimal = _read_decimal(reader, where)
        affixes = len(before) + len(after) + decimal.width
        n_series = 1 + explicit
    else:
        pattern = _read_pattern(reader, where)
        affixes = sum(1 if isinstance(x, Field) else len(x) for x in pattern.tokens)
        n_series = pattern.n_series
    if n * affixes > limit:
        raise CorruptError("a column is longer than the table")
    wrong, others = _read_exceptions(reader, n, limit)
    count = int(np.count_nonzero(~wrong))
    series = []
    if joint:
        if not channels:
            raise CorruptError("a table has too few channels")
        series.append(channels.pop(0)[~wrong])
    while len(series) < n_series:
        series.append(read_integers(reader, count, where))
    if form == PATTERN:
        cells = pattern.write(series, count)
    else:
        places = series[1] if explicit else None
        if places is not None and not (
            0 <= places.min(initial=0) <= places.max(initial=0) <= decimal.scale
        ):
            raise CorruptError("a column has an impossible number of decimals")
        cells = joined([before, decimal.write(series[0], places), after], count)
    if cells.lengths.sum() + others.lengths.sum() > left:
        raise CorruptError("a column is longer than the table")
    return interleaved(cells, others, ~wrong) if len(others) else cells


def _read_decimal(reader: RecordReader, where: str) -> tuple[bytes, bytes, Decimal]:
    before = reader.read(reader.read(1, where)[0], where)
    after = reader.read(reader.read(1, where)[0], where)
    decimal = Decimal(*reader.read(4, where))
    if (
        not decimal.least <= decimal.scale <= DIGITS_MAX >= decimal.digits
        or decimal.width > NUMBER_BYTES_MAX
    ):
        raise CorruptError("a column has numbers in an impossible form")
    return before, after, decimal


def _read_pattern(reader: RecordReader, where: str) -> Pattern:
    n = reader.uvarint(where)
    if n > 2 * FIELDS_MAX:
        raise CorruptError("a pattern is too long")
    tokens: list[Field | bytes] = []
    for _ in range(n):
        letter = reader.read(1, where)[0]
        size = reader.uvarint(where)
        if letter:
            tokens.append(Field(chr(letter), size))
        elif size <= TABLE_BYTES_MAX:
            tokens.append(reader.read(size, where))
    pattern = Pattern(tuple(tokens))
    if not pattern.is_valid():
        raise CorruptError("a pattern has fields that are not known")
    return pattern


def _read_exceptions(reader: RecordReader, n: int, limit: int) -> tuple[Mask, Cells]:
    """Which cells are exceptions, and these."""
    where = "the exceptions of a column"
    n_runs = reader.uvarint(where)
    if n_runs == 0:
        nothing = Cells(np.empty(0, np.uint8), np.empty(0, np.int64))
        return np.zeros(n, bool), nothing
    if n_runs > n + 1:
        raise CorruptError("a column has too many exceptions")
    runs = read_integers(reader, n_runs, where)
    if runs.min() < 0 or runs.max() > n or runs.sum() != n:
        raise CorruptError("exceptions of a column have impossible places")
    wrong = np.repeat(np.arange(n_runs) % 2 == 1, runs)
    return wrong, read_strings(reader, int(np.count_nonzero(wrong)), limit, where)
