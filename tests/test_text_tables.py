"""Tables of text, by column: docs/format.md, Pieces and Tables."""

import contextlib
import random
import re
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from shared import too_long_a_table

import bbans
from bbans._records import RecordReader
from bbans.errors import BbansError, CorruptError
from bbans.formats import tables
from bbans.formats.bytes import octets
from bbans.formats.cells import (
    Cells,
    Decimal,
    Field,
    Pattern,
    different,
    parse_numbers,
    patterns,
)
from bbans.formats.pieces import INT24, Run, decode_pieces, encode_pieces
from bbans.formats.series import encode_integers, read_integers
from bbans.formats.signals import decode_signal
from bbans.formats.tables import decode_table, encode_table


def cells_of(words):
    lengths = np.array([len(word) for word in words], np.int64)
    return Cells(octets(b"".join(words)).copy(), lengths)


def words_of(cells):
    return cells.lines().split(b"\n")[:-1]


def signal(data, n, width, is_signed):
    """For the reference: a block of section Signal."""
    out = np.empty(n, f"{'i' if is_signed else 'u'}{width}")
    decode_signal(bytes(data), out)
    return out.tolist()


def encoded(text, delimiter=b","):
    """A table of this text, which comes back here and in the reference."""
    table = encode_table(octets(text), delimiter, 5)
    if table is not None:
        out = np.empty(len(text), np.uint8)
        decode_table(table, out)
        assert out.tobytes() == text
        assert ref.decode_table(table, signal) == text
    return table


def form_of(words):
    """The form of a column, and how many cells of it are exceptions."""
    column = tables._encode_column(cells_of(words), 5)
    wrong = 0 if column.regular is None else np.count_nonzero(~column.regular)
    return column.form & 63, wrong


# ---- integers and strings

SERIES = {
    "few": [5, -7, 2**61, 0],
    "one": [3],
    "same": [9] * 1000,
    "rising": [*range(0, 9000, 3)],
    "runs": [i // 37 for i in range(900)],
    "a period": [i * i % 24 for i in range(2400)],
    "runs of a period": [i // 10 % 7 for i in range(2800)],
    "small": [i * i % 251 - 100 for i in range(500)],
    "far apart": [(-1) ** i * (2**61 + i * i % 1013) for i in range(400)],
    "noise": [random.Random(i).randrange(10**6) for i in range(300)],
}


@pytest.mark.parametrize("name", SERIES)
def test_integers(name):
    values = np.array(SERIES[name], np.int64)
    data = encode_integers(values, 5)
    reader = RecordReader(memoryview(data), "test")
    assert read_integers(reader, values.size, "it").tolist() == SERIES[name]
    reader.end()
    assert ref.Table(data, signal).integers(values.size) == SERIES[name]
    if name in ("same", "runs of a period", "a period", "rising"):
        assert len(data) < 120


@given(st.lists(st.integers(-(2**62) + 1, 2**62 - 1), max_size=200), st.integers(1, 9))
def test_any_integers(values, repeat):
    values = values * repeat
    data = encode_integers(np.array(values, np.int64), 5)
    reader = RecordReader(memoryview(data), "test")
    assert read_integers(reader, len(values), "it").tolist() == values
    reader.end()
    assert ref.Table(data, signal).integers(len(values)) == values


# ---- cells


@given(st.lists(st.binary(max_size=9), min_size=1), st.randoms())
def test_cells_are_taken_and_compared(words, rng):
    words = [word.replace(b"\n", b"") for word in words]
    cells = cells_of(words)
    rows = [rng.randrange(len(words)) for _ in range(2 * len(words))]
    assert words_of(cells.take(np.array(rows))) == [words[row] for row in rows]
    others = [rng.choice(words) for _ in words]
    expected = [a != b for a, b in zip(words, others, strict=True)]
    assert different(cells, cells_of(others)).tolist() == expected


NUMBERS = st.builds(
    lambda sign, whole, part: sign + whole + ("." + part if part else ""),
    st.sampled_from(["", "-"]),
    st.text("0123456789", max_size=9),
    st.text("0123456789", max_size=9),
)


@given(st.lists(NUMBERS | st.text("-.0 x", max_size=4), min_size=1, max_size=50))
def test_numbers_are_read(words):
    numbers = parse_numbers(cells_of([word.encode() for word in words]))
    for i, word in enumerate(words):
        match = re.fullmatch(r" *(-?)([0-9]*)(?:\.([0-9]+))?", word)
        ok = match is not None and bool(match[2] or match[3])
        assert numbers.ok[i] == ok
        if ok:
            whole, part = match[2], match[3] or ""
            assert numbers.value[i] == int(match[1] + whole + part)
            assert (numbers.digits[i], numbers.decimals[i]) == (len(whole), len(part))


@given(
    st.integers(0, 18), st.integers(0, 18), st.integers(0, 18), st.integers(0, 40),
    st.lists(st.integers(-(10**18) + 1, 10**18 - 1), min_size=1, max_size=9),
)  # fmt: skip
def test_numbers_are_written(scale, least, digits, width, values):
    decimal = Decimal(scale, min(least, scale), digits, width)
    words = words_of(decimal.write(np.array(values)))
    assert words == [ref.decimal_text(decimal, v) for v in values]
    places = np.arange(len(values)) % (scale + 1)
    words = words_of(decimal.write(np.array(values), places))
    pairs = zip(values, places.tolist(), strict=True)
    assert words == [ref.decimal_text(decimal, v, n) for v, n in pairs]


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("2026-11-29", "YMD"), ("11/29/2026", "MDY"), ("29.11.2026", "DMY"),
        ("20261129", "YMD"), ("2026-11-29 23:59", "YMDhm"),
        ("2026/11/29T23:59:58Z", "YMDhms"), ("20261129T235958", "YMDhms"),
        ("20261129235958", "YMDhms"), ("2026-11-29 23:59:58.123456", "YMDhmsf"),
        ("1/2/2026 3:05", "MDYhm"), ("2026-11-29 23:59:58+01:00", "YMDhmsnn"),
        ("23:59", "hm"), ("23:59:58,5", "hmsf"), ("[29/11/2026:23:59:58]", "DMYhms"),
        ("10.0.0.255", "nnnn"), ("id-0042", "n"), ("a1b22c333", "nnn"),
    ],
)  # fmt: skip
def test_patterns_are_found(word, letters):
    """One of those that are found reads and writes the cell, and means this."""
    cells = cells_of([word.encode()] * 3)
    found = []
    for pattern in patterns(cells):
        written = pattern.write(pattern.read(cells), 3)
        if not different(written, cells).any():
            found.append("".join(field.letter for field in pattern.fields))
    assert letters in found


def test_stamps_count_the_finest_unit():
    cells = cells_of([b"1970-01-02 00:00:01.5", b"1969-12-31 23:59:59.9"])
    pattern = patterns(cells)[0]
    [stamps] = pattern.read(cells)
    assert stamps.tolist() == [864_015, -1]
    assert words_of(pattern.write([stamps], 2)) == words_of(cells)


@given(st.lists(st.datetimes(), min_size=1, max_size=20), st.integers(0, 6))
def test_any_date_is_the_same_again(dates, digits):
    words = [date.isoformat(" ", "microseconds").encode() for date in dates]
    words = [word[: 19 + digits + (digits > 0)] for word in words]
    cells = cells_of(words)
    form = (Field("Y", 4), b"-", Field("M", 2), b"-", Field("D", 2), b" ")
    clock = (Field("h", 2), b":", Field("m", 2), b":", Field("s", 2))
    pattern = Pattern((*form, *clock, *((b".", Field("f", digits)) if digits else ())))
    assert pattern.is_valid()
    series = pattern.read(cells)
    assert words_of(pattern.write(series, len(words))) == words
    [stamps] = series
    texts = [ref.pattern_text(pattern.tokens, [v]) for v in stamps.tolist()]
    assert texts == words


# ---- columns


def column(make, n=400):
    rng = np.random.default_rng(4)
    x = np.cumsum(rng.normal(size=n))
    return [make(i, v).encode() for i, v in enumerate(x.tolist())]


NUMBER, PATTERN, WORDS, TEXT = 2, 3, 1, 0


@pytest.mark.parametrize(
    ("make", "form", "exceptions"),
    [
        (lambda i, v: f"{v:.2f}", NUMBER, 0),
        (lambda i, v: f"{v:9.2f}", NUMBER, 0),
        (lambda i, v: f"${v:.2f}", NUMBER, 0),
        (lambda i, v: f'"{v:.2f}"', NUMBER, 0),
        (lambda i, v: f"{i * i % 1013}%", NUMBER, 0),
        (lambda i, v: f"{i:05d}", NUMBER, 0),
        (lambda i, v: repr(round(v, 2)), NUMBER, 0),
        (lambda i, v: f"{round(v, 1):g}", NUMBER, None),
        (lambda i, v: f"{v % 1:.3f}".lstrip("0"), NUMBER, 0),
        (lambda i, v: f"{v:.{i * i % 3}f}", NUMBER, None),
        (lambda i, v: "NA" if i % 7 == 3 else f"{v:.1f}", NUMBER, 57),
        (lambda i, v: "" if i % 3 else f"{v:.1f}", NUMBER, 266),
        (lambda i, v: f"{1900 + i // 28}-01-{1 + i % 28:02}", PATTERN, 0),
        (lambda i, v: "never" if i == 5 else f"{2000 + i}-01-01", PATTERN, 1),
        (lambda i, v: f"ab-{i * i % 997:06d}-{i:04d}", PATTERN, 0),
        (lambda i, v: ["red", "green", "blue"][i * i % 7 % 3], WORDS, 0),
        (lambda i, v: f"{hash((i, v)):x}", TEXT, 0),
    ],
)  # fmt: skip
def test_forms_of_columns(make, form, exceptions):
    words = column(make)
    assert form_of(words)[0] == form
    if exceptions is not None:
        assert form_of(words)[1] == exceptions
    text = b"".join(b"%d,%s\r\n" % (i, word) for i, word in enumerate(words))
    assert encoded(text) is not None
    text = b"".join(word + b"\n" for word in words)
    assert encoded(text, b"") is not None


def test_columns_are_channels_of_one_signal_where_that_is_shorter():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=3000)) * 10
    rows = [
        f"{a:.1f},{a + b:.1f}\n" for a, b in zip(x, rng.normal(size=3000), strict=True)
    ]
    table = encoded("".join(rows).encode())
    apart = sum(
        len(
            encoded(
                b"".join(row.split(",")[i].strip().encode() + b"\n" for row in rows),
                b"",
            )
        )
        for i in range(2)
    )
    assert len(table) < 0.9 * apart


@pytest.mark.parametrize("byte", [b" ", b"1", b"-", b".", b'"', b"a"])
def test_long_cells_take_no_long_time(byte):
    encoded((byte * 50_000 + b",1\n") * 4)


def test_regular_stamps_cost_little():
    when = np.datetime64("2020-02-27T22:00:00") + 300 * np.arange(20_000)
    text = "".join(f"{t}\n" for t in when.astype(str)).encode()
    assert len(encoded(text, b"")) < 150


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n", b"1\n", b"1,2", b"1,2\n3,4", b"1,2\n3\n4,5,6\n7,8,9,0\n",
        (b"1," * tables.COLUMNS_MAX + b"1\n") * 9, b"1\n" * (tables.LINES_MAX + 1),
         b"x" * tables.TABLE_BYTES_MAX + b"\n1\n",
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_table(text):
    assert encode_table(octets(text), b",", 5) is None


LINES = st.lists(
    st.tuples(st.sampled_from(["1", "-2.50", "x", '"a,b"', "", "2020-01-01"])).map(
        "".join
    )
    | st.text(
        st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=9
    ),
    min_size=2,
)


@given(st.lists(LINES, min_size=1, max_size=3), st.sampled_from([",", ";", ""]))
def test_any_lines_come_back(columns, delimiter):
    n = max(map(len, columns))
    rows = [
        delimiter.join(words[i % len(words)] for words in columns) for i in range(n)
    ]
    encoded("".join(row + "\n" for row in rows).encode(), delimiter.encode())


# ---- pieces


@pytest.mark.parametrize("element", [INT24, *range(16, 24)])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("planar", [False, True])
def test_pieces_of_integers(element, big_endian, planar):
    width = 3 if element == INT24 else 1 << (element - 16) // 2
    rng = np.random.default_rng(element)
    walk = np.cumsum(rng.integers(-3, 4, (600, 3)), axis=0)
    walk -= walk.min() - 1 if element % 2 == 0 and element != INT24 else 0
    values = walk.T.ravel() if planar else walk.ravel()
    order = "big" if big_endian else "little"
    part = b"".join(
        int(v).to_bytes(8, order, signed=True)[8 - width if big_endian else 0 :][:width]
        for v in values
    )
    data = octets(b"head" + part + b"tail")
    runs = [Run(4), Run(len(part), element, 3, big_endian, planar), Run(4)]
    block = encode_pieces(data, runs, 5)
    assert len(block) < len(part) / 2 + 20
    out = np.empty_like(data)
    decode_pieces(block, out)
    assert np.array_equal(out, data)
    assert ref.decode_pieces(block, signal) == data.tobytes()


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("planar", [False, True])
def test_pieces_of_floats(kind, planar):
    rng, dtype = np.random.default_rng(0), np.dtype(kind)
    walk = np.round(np.cumsum(rng.normal(size=(200, 3)), axis=0), 1)
    part = (walk.T if planar else walk).astype(dtype).tobytes()
    data = octets(b"head" + part + b"tail")
    element = {2: 27, 4: 28, 8: 29}[dtype.itemsize]
    runs = [Run(4), Run(len(part), element, 3, kind[0] == ">", planar), Run(4)]
    block = encode_pieces(data, runs, 5)
    assert len(block) < len(part) * 3 / 4
    out = np.empty_like(data)
    decode_pieces(block, out)
    assert np.array_equal(out, data)
    assert ref.decode_pieces(block, signal) == data.tobytes()


def test_bytes_alone_are_no_pieces():
    assert encode_pieces(octets(b"some bytes"), [Run(10)], 5) is None


EXAMPLE = re.search(
    r"^## Tables.*?Worked example.*?```\n(.*?)```",
    (Path(__file__).parents[1] / "docs/format.md").read_text("utf-8"),
    flags=re.DOTALL | re.MULTILINE,
)[1]


def test_the_worked_example():
    rows = re.findall(r"^((?:[0-9a-f]{2}(?: |$))+)", EXAMPLE, flags=re.MULTILINE)
    example = bytes.fromhex("".join(rows))
    text = b"7.5,a\n8,b\n9.25,a\n"
    out = np.empty(len(text), np.uint8)
    decode_table(example, out)
    assert out.tobytes() == text
    assert ref.decode_table(example, signal) == text


# ---- what no writer makes


def test_damaged_tables_are_refused_by_an_error_of_ours():
    rng = np.random.default_rng(0)
    text = (
        b"".join(
            b"%d,%.2f,%s\n" % (i, v, word)
            for i, (v, word) in enumerate(
                zip(
                    np.cumsum(rng.normal(size=200)),
                    column(lambda i, v: "abc"[i % 3], 200),
                    strict=True,
                )
            )
        )
        + b"odd\n"
    )
    table = encoded(text)
    for i in range(len(table)):
        for value in (0, 1, 127, 128, 255, table[i] ^ 1):
            bad = table[:i] + bytes([value]) + table[i + 1 :]
            out = np.empty(len(text), np.uint8)
            with contextlib.suppress(BbansError):
                decode_table(bad, out)
        with pytest.raises(BbansError):
            decode_table(table[:i], np.empty(len(text), np.uint8))


LONG = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"


@pytest.mark.parametrize(
    "table",
    [
        LONG + b"\x01\0\0\0\0", b"\x02" + LONG + b",\0\0\0", b"\x02\x01\0\0" + LONG,
        b"\x02\x01\0\0\0" + LONG, b"\x02\x01\0\0\0\x01" + LONG,
        b"\x02\x01\0\0\0\0\x00" + LONG, b"\x02\x01\0\0\0\0\x01" + LONG,
        b"\x02\x01\0\0\0\0\x03" + LONG, b"\x02\x01\0\0\0\0\x02\0\0\0\0\0\0" + LONG,
        b"\x02\x01\0\0\0\0\x03\x01n\x12\0\x02" + LONG,
        b"\x02\x01\0\0\0\0\x02\0\0\0\0\0\x28\0\x04\0\0",
    ],
    ids=range(11),
)  # fmt: skip
def test_claims_take_no_memory(table):
    with pytest.raises(BbansError):
        decode_table(table, np.empty(8, np.uint8))


def test_the_c_library_refuses_tables():
    """And says that they are of another version, not that they are damaged."""
    from bbans._lib import ffi, lib

    table = encode_table(octets(b"1\n2\n" * 9), b"", 5)
    piece = bytes([2, 36, len(table)]) + table
    data = ref.write_part(0, b"\0", [(36, 5, piece)])
    assert bbans.decompress(data) == b"1\n2\n" * 9
    reader = ffi.new("bbans_reader *")
    source = ffi.from_buffer("uint8_t[]", data)
    status = lib.bbans_container_check(reader, source, len(data))
    assert status == lib.BBANS_ERR_VERSION


def test_a_table_has_its_number_of_bytes():
    table = encode_table(octets(b"1\n2\n" * 9), b"", 5)
    for n in (1, 35, 37, 5000):
        with pytest.raises(CorruptError):
            decode_table(table, np.empty(n, np.uint8))


def test_columns_are_together_no_longer_than_the_table():
    """Or a small block of many columns would take gigabytes before it is refused."""
    size, block = too_long_a_table()
    with pytest.raises(CorruptError, match="a column is longer than the table"):
        decode_table(block, np.empty(size, np.uint8))
