"""Cells of text: many at once, as bytes one behind the other and their lengths.

What reads numbers and dates here need not be strict: a cell is taken for one only if
what writes them gives the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.errors import CorruptError

__all__ = [
    "DIGITS_MAX",
    "FIELDS_MAX",
    "NUMBER_BYTES_MAX",
    "VALUE_MAX",
    "Cells",
    "Decimal",
    "Field",
    "Numbers",
    "Pattern",
    "different",
    "interleaved",
    "joined",
    "lengths_of",
    "parse_numbers",
    "patterns",
]

Octets = NDArray[np.uint8]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Integers are below it, either side of 0.
VALUE_MAX = 1 << 62
#: Digits of a number at the most: it is below 10^18. Bytes, with blanks before it.
DIGITS_MAX, NUMBER_BYTES_MAX = 18, 40
_POWERS = 10 ** np.arange(DIGITS_MAX + 1, dtype=np.int64)
_ZERO, _MINUS, _DOT, _BLANK = b"0-. "
# Rows that are worked on at a time, which bounds the memory.
_ROWS = 1 << 16


def _places(starts: Integers, lengths: Integers) -> Integers:
    """The places of runs of bytes, one run behind the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    places: Integers = np.arange(total)
    places += np.repeat(starts - (ends - lengths), lengths)
    return places


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells, one behind the other.

    Parameters
    ----------
    flat : ndarray of uint8
    lengths : ndarray of int64, shape (n,)
        In bytes.
    """

    flat: Octets
    lengths: Integers

    @classmethod
    def cut(cls, text: Octets, starts: Integers, ends: Integers) -> Cells:
        """Those that begin and end at these places of a text."""
        lengths = ends - starts
        return cls(text[_places(starts, lengths)], lengths)

    def __len__(self) -> int:
        return self.lengths.size

    def take(self, rows: Any) -> Cells:
        """Some of them, by a mask or by their numbers."""
        starts = np.cumsum(self.lengths) - self.lengths
        return Cells.cut(self.flat, starts[rows], (starts + self.lengths)[rows])

    def parts(self) -> Iterator[Cells]:
        """All of them, not too many at a time."""
        bounds = np.concatenate([[0], np.cumsum(self.lengths)])
        for row in range(0, len(self), _ROWS):
            end = min(row + _ROWS, len(self))
            flat = self.flat[bounds[row] : bounds[end]]
            yield Cells(flat, self.lengths[row:end])

    def lines(self) -> bytes:
        """Their bytes, each with a line feed at its end."""
        return joined([self, b"\n"], len(self)).flat.tobytes()

    def right(self, width: int) -> Octets:
        """A row of `width` bytes each, with zeros before; none is longer."""
        out = np.zeros((len(self), width), np.uint8)
        ends = np.arange(1, len(self) + 1) * width
        out.reshape(-1)[_places(ends - self.lengths, self.lengths)] = self.flat
        return out


def joined(parts: Sequence[Cells | bytes], n: int) -> Cells:
    """n cells, each made of a cell of every part, or of the bytes that are a part."""
    lengths = lengths_of(parts, n)
    at = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), np.uint8)
    for part in parts:
        if isinstance(part, bytes):
            for byte in part:
                out[at] = byte
                at += 1
        else:
            out[_places(at, part.lengths)] = part.flat
            at += part.lengths
    return Cells(out, lengths)


def lengths_of(parts: Sequence[Cells | bytes], n: int) -> Integers:
    """The lengths of the n cells that `joined` makes."""
    lengths = np.zeros(n, np.int64)
    for part in parts:
        lengths += len(part) if isinstance(part, bytes) else part.lengths
    return lengths


def interleaved(some: Cells, others: Cells, mask: Mask) -> Cells:
    """Cells of which some are those of a mask, and others the rest."""
    lengths = np.empty(mask.size, np.int64)
    lengths[mask], lengths[~mask] = some.lengths, others.lengths
    ends = np.cumsum(lengths)
    out = np.empty(int(ends[-1]) if ends.size else 0, np.uint8)
    starts = ends - lengths
    out[_places(starts[mask], some.lengths)] = some.flat
    out[_places(starts[~mask], others.lengths)] = others.flat
    return Cells(out, lengths)


def different(one: Cells, other: Cells) -> Mask:
    """Which rows differ."""
    wrong: Mask = one.lengths != other.lengths
    if wrong.any():
        same = np.flatnonzero(~wrong)
        one, other = one.take(same), other.take(same)
    else:
        same = np.arange(wrong.size)
    if not np.array_equal(one.flat, other.flat):
        rows = np.repeat(same, one.lengths)
        wrong[rows[one.flat != other.flat]] = True
    return wrong


# ---- numbers


class Numbers(NamedTuple):
    """What cells are as decimal numbers."""

    ok: Mask
    """Which are some."""
    value: Integers
    """Of all digits, with the sign."""
    decimals: Integers
    """How many digits follow the point."""
    digits: Integers
    """How many precede it."""


def parse_numbers(cells: Cells) -> Numbers:
    """Read cells such as -12.50, with at most `DIGITS_MAX` digits, and blanks before
    them."""
    parts = [_parse_part(part) for part in cells.parts()]
    if not parts:
        none = np.empty(0, np.int64)
        return Numbers(none.astype(bool), none, none, none)
    return Numbers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _parse_part(cells: Cells) -> Numbers:
    width = min(int(cells.lengths.max()), NUMBER_BYTES_MAX)
    ok = (cells.lengths > 0) & (cells.lengths <= width)
    if not ok.all():
        cells = joined([cells.take(ok)], int(ok.sum()))
    value, decimals, digits = (np.zeros(len(cells), np.int64) for _ in range(3))
    negative, dot, begun, wrong = (np.zeros(len(cells), bool) for _ in range(4))
    first = width - cells.lengths
    for i, column in enumerate(cells.right(width).T if len(cells) else ()):
        inside = first <= i
        digit = column - np.uint8(_ZERO)
        is_digit = digit < 10
        value = np.where(is_digit, 10 * value + digit, value)
        decimals += is_digit & dot
        digits += is_digit & ~dot
        is_dot = column == _DOT
        is_minus = (column == _MINUS) & ~begun
        blank = (column == _BLANK) & ~begun
        wrong |= inside & ~(is_digit | (is_dot & ~dot) | is_minus | blank)
        begun |= is_digit | is_dot | is_minus
        negative |= is_minus
        dot |= is_dot
    n_digits = decimals + digits
    wrong |= (n_digits == 0) | (n_digits > DIGITS_MAX) | (dot & (decimals == 0))
    np.negative(value, out=value, where=negative)
    if ok.all():
        return Numbers(~wrong, value, decimals, digits)
    whole = [np.zeros(ok.size, np.int64) for _ in range(3)]
    for column, part in zip(whole, (value, decimals, digits), strict=True):
        column[ok] = part
    ok[ok] = ~wrong
    return Numbers(ok, *whole)


class Decimal(NamedTuple):
    """How integers are written as decimal numbers.

    Parameters
    ----------
    scale : int
        The number is the integer times 10^-scale.
    least : int
        Zeros at the end are left out behind this many decimals, and the point with
        the last of them.
    digits : int
        There are at least this many before the point.
    width : int
        There are blanks before the number, up to this many bytes.
    """

    scale: int
    least: int
    digits: int
    width: int = 0

    def places(self, values: Integers) -> Integers:
        """How many decimals are written of each."""
        rest = np.abs(values) % _POWERS[self.scale]
        places = np.full(values.size, self.least, np.int64)
        for i in range(self.least, self.scale):
            places[rest % _POWERS[self.scale - i] != 0] = i + 1
        return places

    def write(self, values: Integers, places: Integers | None = None) -> Cells:
        """Write integers.

        Parameters
        ----------
        values : ndarray of int64, shape (n,)
            Below `VALUE_MAX`, either side of 0.
        places : ndarray of int64, shape (n,), optional
            How many decimals each has, up to the scale: more are cut off. By default
            as `least` says.
        """
        if places is None:
            places = self.places(values)
        parts = [
            self._write_part(values[at : at + _ROWS], places[at : at + _ROWS])
            for at in range(0, values.size, _ROWS)
        ]
        return _concatenated(parts)

    def _write_part(self, values: Integers, places: Integers) -> Cells:
        whole, rest = np.divmod(np.abs(values), _POWERS[self.scale])
        shown = np.full(values.size, self.digits, np.int64)
        for i in range(self.digits, DIGITS_MAX + 1):
            shown[whole >= _POWERS[i]] = i + 1
        width = int(shown.max(initial=0))
        columns = [(np.full(values.size, _MINUS), values < 0)]
        for i in reversed(range(width)):
            columns.append((_digit(whole, i), shown > i))
        columns.append((np.full(values.size, _DOT), places > 0))
        for i in range(int(places.max(initial=0))):
            columns.append((_digit(rest, self.scale - 1 - i), places > i))
        lengths = np.sum([written for _, written in columns], axis=0)
        for i in range(self.width):
            columns.insert(0, (np.full(values.size, _BLANK), lengths <= i))
        text = np.stack([column.astype(np.uint8) for column, _ in columns], axis=1)
        mask = np.stack([written for _, written in columns], axis=1)
        return Cells(text[mask], mask.sum(axis=1))


def _digit(values: Integers, i: int) -> Integers:
    """The digit of 10^i."""
    if i > DIGITS_MAX:
        return np.full(values.size, _ZERO)
    digits: Integers = values // _POWERS[i] % 10 + _ZERO
    return digits


def _concatenated(parts: Sequence[Cells]) -> Cells:
    if not parts:
        return Cells(np.empty(0, np.uint8), np.empty(0, np.int64))
    flat = np.concatenate([part.flat for part in parts])
    return Cells(flat, np.concatenate([part.lengths for part in parts]))


# ---- patterns: dates, times, and numbers among other characters

#: Fields of a pattern at the most.
FIELDS_MAX = 32
# The longest cell that a pattern is looked for in.
_PATTERN_BYTES = 64
_DATE, _CLOCK, NUMBER = "YMD", "hmsf", "n"
# Of each field of a clock how many make one of the field before.
_UNITS = {"h": 24, "m": 60, "s": 60}
_YEARS = 10_000


class Field(NamedTuple):
    """Digits in a pattern.

    Parameters
    ----------
    letter : str
        What they are: of YMDhmsf, of a date and a time; n a number by itself.
    width : int
        How many they are; 0 if there are no zeros in front.
    """

    letter: str
    width: int


class Pattern(NamedTuple):
    """Cells of one form, as 2026-11-29 12:00 or id-0017.

    Fields of a date or a time are one integer together, that of the finest unit; each
    other is an integer by itself.
    """

    tokens: tuple[Field | bytes, ...]

    @property
    def fields(self) -> list[Field]:
        return [token for token in self.tokens if isinstance(token, Field)]

    @property
    def stamp(self) -> str:
        """The letters of the date and the time."""
        letters = [field.letter for field in self.fields]
        return "".join(x for x in _DATE + _CLOCK if x in letters)

    @property
    def n_series(self) -> int:
        """How many integers a cell is."""
        numbers = sum(field.letter == NUMBER for field in self.fields)
        return numbers + bool(self.stamp)

    def is_valid(self) -> bool:
        """Whether `read` and `write` know what it means."""
        letters = [field.letter for field in self.fields]
        known = all(
            letter in _DATE + _CLOCK + NUMBER
            and 0 <= width <= DIGITS_MAX
            and (letter != "f" or 1 <= width <= 9)
            for letter, width in self.fields
        )
        stamp = self.stamp
        days, clock = stamp[: stamp.count("Y") * 3], stamp.lstrip(_DATE)
        return (
            known
            and 1 <= len(letters) <= FIELDS_MAX
            and all(letters.count(letter) == 1 for letter in stamp)
            and days + clock == stamp
            and days in ("", _DATE)
            and _CLOCK.startswith(clock)
        )

    def read(self, cells: Cells) -> list[Integers]:
        """The integers of cells; of those of another form any."""
        short = cells.lengths <= _PATTERN_BYTES
        if not short.all():
            lengths = np.where(short, cells.lengths, 0)
            cells = Cells(cells.take(short).flat, lengths)
        parts = [self._read_part(part) for part in cells.parts()]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _read_part(self, cells: Cells) -> list[Integers]:
        runs = self._runs()
        width, n = int(cells.lengths.max()), len(cells)
        values = np.zeros((len(runs) + 1, n), np.int64)
        run = np.full(n, -1)
        rows, before = np.arange(n), np.zeros(n, bool)
        for column in cells.right(width).T if width else ():
            digit = column - np.uint8(_ZERO)
            is_digit = digit < 10
            run += is_digit & ~before
            before = is_digit
            at = np.minimum(run[is_digit], len(runs)), rows[is_digit]
            values[at] = values[at] * 10 + digit[is_digit]
        found: dict[str, Integers] = {}
        numbers = []
        for fields, value in zip(runs, values, strict=False):
            parts = []
            for field in reversed(fields[1:]):
                value, part = np.divmod(value, _POWERS[field.width])
                parts.append(part)
            for field, part in zip(fields, [value, *reversed(parts)], strict=True):
                if field.letter == NUMBER:
                    numbers.append(part)
                else:
                    found[field.letter] = part
        stamp = [self._stamp(found)] if found else []
        # What overflowed is of another form, as what is negative.
        return [*stamp, *(np.where((x >= 0) & (x < VALUE_MAX), x, 0) for x in numbers)]

    def _runs(self) -> list[list[Field]]:
        """The fields, those together whose digits are."""
        runs: list[list[Field]] = []
        together = False
        for token in self.tokens:
            if isinstance(token, Field):
                if not together:
                    runs.append([])
                runs[-1].append(token)
            together = isinstance(token, Field)
        return runs

    def _stamp(self, found: dict[str, Integers]) -> Integers:
        """The integer of a date and a time."""
        value = np.zeros(next(iter(found.values())).size, np.int64)
        if "Y" in found:
            years = np.clip(found["Y"], 0, _YEARS - 1)
            months = 12 * (years - 1970) + np.clip(found["M"], 1, 12) - 1
            days = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
            value = days + np.clip(found["D"], 1, 31) - 1
        for letter, unit in self._clock():
            value = value * unit + np.clip(found[letter], 0, unit - 1)
        return value

    def _clock(self) -> list[tuple[str, int]]:
        """The fields of the time, and how many of each make one of what is before."""
        widths = dict(self.fields)
        letters = self.stamp.lstrip(_DATE)
        units = [(x, _UNITS.get(x) or 10 ** widths[x]) for x in letters]
        if units and "Y" not in widths:  # hours go on
            units[0] = units[0][0], 10**6
        return units

    def write(self, series: Sequence[Integers], n: int) -> Cells:
        """Write n cells.

        Raises
        ------
        CorruptError
            If a date is not of the years 0 to 9999, or a number is negative.
        """
        rest = iter(series)
        values = self._unstamp(next(rest)) if self.stamp else {}
        parts: list[Cells | bytes] = []
        for token in self.tokens:
            if isinstance(token, bytes):
                parts.append(token)
                continue
            value = values[token.letter] if token.letter in values else next(rest)
            if value.min(initial=0) < 0:
                raise CorruptError("a field of a pattern is negative")
            parts.append(Decimal(0, 0, token.width or 1).write(value))
        return joined(parts, n)

    def _unstamp(self, value: Integers) -> dict[str, Integers]:
        """The fields of a date and a time."""
        found = {}
        for letter, unit in reversed(self._clock()):
            value, found[letter] = np.divmod(value, unit)
        if "Y" not in self.stamp:
            if value.any():
                raise CorruptError("a time of a pattern is out of range")
            return found
        if abs(value).max(initial=0) > 366 * _YEARS:
            raise CorruptError("a date of a pattern is out of range")
        months = value.astype("M8[D]").astype("M8[M]")
        found["D"] = value - months.astype("M8[D]").astype(np.int64) + 1
        years, found["M"] = np.divmod(months.astype(np.int64), 12)
        found["M"] += 1
        found["Y"] = years + 1970
        if ((found["Y"] < 0) | (found["Y"] >= _YEARS)).any():
            raise CorruptError("a date of a pattern is out of range")
        return found


# What dates and times look like: <4> is a run of four digits, <0> one of any number.
_TWO, _BETWEEN = r"<[02]>", r"[-/. ]"
_DATES = [
    (rf"<4>{_BETWEEN}{_TWO}{_BETWEEN}{_TWO}", "Y M D"),
    (rf"{_TWO}{_BETWEEN}{_TWO}{_BETWEEN}<4>", "M D Y"),
    (rf"{_TWO}{_BETWEEN}{_TWO}{_BETWEEN}<4>", "D M Y"),
    (r"(?<!>)<8>", "YMD"),
    (r"(?<!>)<12>", "YMDhm"),
    (r"(?<!>)<14>", "YMDhms"),
]
_CLOCKS = [
    (rf"{_TWO}[:.h]<2>[:.m]<2>[.,]<[0-9]>", "h m s f"),
    (rf"{_TWO}[:.h]<2>[:.m]<2>", "h m s"),
    (rf"{_TWO}[:h]<2>", "h m"),
    (r"<6>", "hms"),
    (r"<4>", "hm"),
]
_GAP = r"[T _,;:-]{1,2}"
_SAMPLES = 64


def patterns(cells: Cells) -> list[Pattern]:
    """The patterns that most cells may have, by a few of them."""
    rows = np.unique(np.linspace(0, len(cells) - 1, _SAMPLES).astype(np.int64))
    some = cells.take(rows)
    texts = some.lines().split(b"\n")[:-1] if (some.flat != 10).all() else []
    split = [re.split(rb"(\d+)", text) for text in texts if len(text) <= _PATTERN_BYTES]
    forms = Counter(tuple(parts[::2]) for parts in split)
    if not forms:
        return []
    literals, _ = forms.most_common(1)[0]
    runs = [parts[1::2] for parts in split if tuple(parts[::2]) == literals]
    columns = [[*column] for column in zip(*runs, strict=True)]
    if not 1 <= len(columns) <= FIELDS_MAX - 5:  # one may be six
        return []
    widths = []
    for column in columns:
        lengths = {len(digits) for digits in column}
        widths.append(lengths.pop() if len(lengths) == 1 else 0)
    if max(widths) > DIGITS_MAX:
        return []
    found = [
        _pattern(literals, widths, letters) for letters in _stamps(literals, widths)
    ]
    if len(columns) > 1 or any(literals):
        padded = [any(x[:1] == b"0" < x for x in column) for column in columns]
        widths = [w if zeros else 0 for w, zeros in zip(widths, padded, strict=True)]
        found.append(_pattern(literals, widths, {}))
    return [pattern for pattern in found if pattern.is_valid()]


def _stamps(literals: tuple[bytes, ...], widths: list[int]) -> Iterator[dict[int, str]]:
    """What runs may mean as dates and times: letters by the number of the run."""
    text = ""
    for i, literal in enumerate(literals):
        text += literal.decode("latin-1").replace("<", "?").replace(">", "?")
        if i < len(widths):
            text += f"<{widths[i] if widths[i] > 1 else 0}>"

    def letters_from(place: int, letters: str) -> dict[int, str]:
        run = text.count("<", 0, place)
        return {run + i: part for i, part in enumerate(letters.split())}

    any_date = False
    for form, letters in _DATES:
        date = re.search(form, text)
        if date is None:
            continue
        any_date = True
        meant = letters_from(date.start(), letters)
        for clock, more in _CLOCKS if "h" not in letters else ():
            time = re.compile(_GAP + clock).match(text, date.end())
            if time is not None:
                place = text.index("<", date.end())
                meant |= letters_from(place, more)
                break
        yield meant
    for clock, more in _CLOCKS[:3] if not any_date else ():
        time = re.search(clock, text)
        if time is not None:
            yield letters_from(time.start(), more)
            return


def _pattern(
    literals: tuple[bytes, ...], widths: list[int], meant: dict[int, str]
) -> Pattern:
    tokens: list[Field | bytes] = []
    for i, literal in enumerate(literals):
        if literal:
            tokens.append(literal)
        if i == len(widths):
            break
        letters = meant.get(i, NUMBER)
        if len(letters) > 1:
            tokens += [Field(x, 4 if x == "Y" else 2) for x in letters]
        else:
            width = widths[i] if widths[i] > 1 or letters == "f" else 0
            tokens.append(Field(letters, width))
    return Pattern(tuple(tokens))
