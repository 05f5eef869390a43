"""Record files: what is written comes back, by any number; what is damaged, cut, locked
or of another model says so, and costs no more than it must."""

import copy
import os
import pickle
import random
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ALL_BYTES, random_hmm

import bbans
from bbans import Alphabet, RecordCodec, Records
from bbans._lib import lib
from bbans.errors import (
    CorruptError,
    FormatError,
    LimitError,
    ModelError,
    TruncatedError,
    VersionError,
    WrongModelError,
)
from bbans.records import file
from bbans.records.groups import GROUP_RECORDS, RecordBytes, put_group, split

BYTES = random_hmm(3, ALL_BYTES)
LETTERS = random_hmm(2, Alphabet("".join(map(chr, range(32, 127)))))
GROUP_HEADER = struct.Struct("<4sI I Q I")

LINES = [f"line {i}: " + "ab" * (i % 7) for i in range(700)]
MANY = [*LINES, "", "é€😀", "\0", "x" * 3000, "\ud800", "a\nb"]


@pytest.fixture(autouse=True)
def nothing_is_synchronised(monkeypatch):
    """That takes most of the time; test_faults.py, which cuts the power, needs it."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
    monkeypatch.setattr(file, "_sync_data", lambda number: None)


def raw(records):
    return [record.encode("utf-8", "surrogatepass") for record in records]


def header_bytes(data):
    """Where the first group begins."""
    return 24 + data[7] + int.from_bytes(data[16:20], "little")


def groups(data):
    """Where each group begins, and where the last ends."""
    at, places = header_bytes(data), []
    while at < len(data):
        places.append(at)
        magic, n, size, _, _ = GROUP_HEADER.unpack_from(data, at)
        assert magic == b"\x89bbg"
        at += lib.bbans_records_group_bytes(n & 0xFFFFFF, size, data[5])
    return [*places, at]


def written(path, records, model=BYTES, **options):
    Records.write(path, records, model, **options)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.bbr"


# ---- what is written comes back


@pytest.mark.parametrize("model", [BYTES, LETTERS], ids=["bytes", "text"])
@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("text", [False, True])
def test_records_come_back(path, model, checksums, text):
    wanted = MANY if text else [*raw(MANY), b"\xff\xfe", b"\xff", b"\x80" * 50]
    Records.write(path, wanted, model, checksums=checksums)
    with Records(path) as records:
        assert len(records) == len(wanted)
        assert [*records] == wanted
        assert records[:] == wanted
        assert [records[k] for k in range(len(wanted))] == wanted
        assert records[[*range(len(wanted))]] == wanted
        assert records.kind == ("text" if text else "bytes")
        assert (records.checksums, records.model) == (checksums, model)
        assert records.codec == RecordCodec(model)
        salvaged = [*records.salvage()]
        assert [s.record for s in salvaged] == wanted
        assert all(s.intact for s in salvaged)
        assert [s.number for s in salvaged] == [*range(len(wanted))]


def test_keys(path):
    with Records(written(path, LINES)) as records:
        n = len(LINES)
        assert (records[-1], records[-n]) == (LINES[-1], LINES[0])
        for key in (
            slice(5, 10), slice(None), slice(300, 200), slice(None, None, -1),
            slice(-7, None), slice(10, 600, 37), slice(600, 10, -91), slice(0, 10**9),
        ):  # fmt: skip
            assert records[key] == LINES[key]
        numbers = [5, -1, 7, 5, 699, -n]
        wanted = [LINES[k] for k in numbers]
        assert records[numbers] == records[tuple(numbers)] == wanted
        for dtype in ("i1", "i8", ">i4"):
            assert records[np.array([5, -1, 7], dtype)] == [
                LINES[5], LINES[-1], LINES[7],
            ]  # fmt: skip
        assert records[np.uint8(200)] == LINES[200]
        assert records[[]] == records[np.array([], int)] == []
        assert records[range(3)] == LINES[:3]
        assert LINES[3] in records
        assert "none such" not in records
        assert records.index(LINES[400]) == 400
        assert [*reversed(records)] == LINES[::-1]


@pytest.mark.parametrize("k", [700, -701, 10**30, -(10**30)])
def test_no_such_record(path, k):
    with Records(written(path, LINES)) as records:
        with pytest.raises(IndexError, match=f"record {k} of 700"):
            records[k]
        with pytest.raises(IndexError):
            records[[0, k]]


@pytest.mark.parametrize(
    "key", ["1", b"1", 1.0, None, [1.5], ["a"], [[1, 2]], [True, False], np.ones(3)]
)
def test_what_is_no_number(path, key):
    with Records(written(path, LINES)) as records, pytest.raises(TypeError):
        records[key]


@pytest.mark.parametrize("text", [False, True])
def test_no_records(path, text):
    with Records(written(path, [])) as records:
        assert ([*records], records[:], len(records)) == ([], [], 0)
        assert [*records.salvage()] == []
        with pytest.raises(IndexError):
            records[0]
        records.append(b"one")
        assert [*records] == [b"one"]


def test_long_and_empty_records(path):
    wanted = [b"", os.urandom(10**6), b"", b"ab" * 500_000, *[b""] * 600]
    with Records(written(path, wanted)) as records:
        assert [*records] == wanted
        assert records[1] == wanted[1]
    with (
        Records(path, max_bytes=999_999) as records,
        pytest.raises(LimitError, match="record 1: "),
    ):
        records[0:5]
    with Records(path, max_bytes=10) as records, pytest.raises(LimitError, match="3"):
        records[3]


def test_groups_are_full(path):
    rng = random.Random(1)
    wanted = [rng.randbytes(rng.choice([0, 3, 20, 20, 30_000])) for _ in range(2000)]
    data = written(path, wanted).read_bytes()
    at = groups(data)
    assert at[-1] == len(data)
    sizes = [GROUP_HEADER.unpack_from(data, a)[1:3] for a in at[:-1]]
    assert sum(n for n, _ in sizes) == 2000
    assert all(n == GROUP_RECORDS or size >= 1 << 16 for n, size in sizes[:-1])
    assert all(size < (1 << 16) + 30_001 for _, size in sizes)


def test_the_index_takes_one_to_two_bytes_or_less(path):
    rng = random.Random(1)
    for mean, least, most in ((10, 0.5, 1), (25, 0.6, 1.2), (1000, 1.2, 2)):
        messages = [rng.randbytes(rng.randrange(2 * mean)) for _ in range(20 * 256)]
        size = sum(len(put_group(0, 0, group, False)) for group in split(messages))
        per_record = (size - sum(map(len, messages))) / len(messages)
        assert least < per_record < most


def test_bytes_like_records_and_generators(path):
    Records.write(path, (bytearray(b"ab"), memoryview(b"cd")), BYTES)
    with Records(path) as records:
        assert [*records] == [b"ab", b"cd"]
    Records.write(path, (line for line in LINES), RecordCodec(BYTES), threads=2)
    with Records(path, threads=2) as records:
        assert [*records] == LINES


def test_the_same_bytes_whatever_the_threads(path):
    one = written(path, LINES * 20, threads=1).read_bytes()
    assert written(path, LINES * 20, threads=3).read_bytes() == one


def test_the_terminator(path):
    assert Records(written(path, LINES)).terminator == b"\n"
    for terminator in (b"", b"\r\n", b"\0" * 16):
        with Records(written(path, LINES, terminator=terminator)) as records:
            assert records.terminator == terminator
    with pytest.raises(ModelError, match="17 bytes: it may have 16"):
        written(path, LINES, terminator=b"x" * 17)
    with pytest.raises(TypeError, match="terminator"):
        written(path, LINES, terminator="\n")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (["a", b"b"], "record 1 is bytes: .* these are str"),
        ([b"a", "b"], "record 1 is str: .* these are bytes"),
        ([b"a", 3], "record 1 must be bytes, not int"),
        ("abc", "records must be many, as a list, not one str"),
        (b"abc", "not one bytes"),
    ],
)
def test_what_are_no_records(path, records, message):
    with pytest.raises(TypeError, match=message):
        Records.write(path, records, BYTES)
    assert not path.exists()


def test_the_old_file_stays_if_writing_fails(path):
    before = written(path, LINES).read_bytes()

    def broken():
        yield from LINES
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Records.write(path, broken(), BYTES)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_is_no_model(path):
    with pytest.raises(ModelError):
        Records.write(path, LINES, None)
    with pytest.raises(ModelError, match="integers"):
        Records.write(path, LINES, random_hmm(2, Alphabet([1, 2])))


# ---- its model


def test_a_file_without_its_model(path):
    written(path, LINES, embed=False)
    with pytest.raises(WrongModelError, match=f"{BYTES.fingerprint.hex()} as `model`"):
        Records(path)
    for model in (BYTES, RecordCodec(BYTES)):
        with Records(path, model) as records:
            assert [*records] == LINES
    with pytest.raises(WrongModelError, match=BYTES.fingerprint.hex()) as caught:
        Records(path, LETTERS)
    assert LETTERS.fingerprint.hex() in str(caught.value)


def test_a_model_that_is_passed_spares_reading_that_in_the_file(path):
    data = bytearray(written(path, LINES).read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=r"^\S*x\.bbr: packed model file is damaged"):
        Records(path)
    with Records(path, BYTES) as records:
        assert [*records] == LINES


# ---- other files


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", TruncatedError, r"^\S*x.bbr cannot be read: it ends in its header"),
        (b"\x89bb", TruncatedError, "it ends in its header"),
        (b"text", FormatError, "not a bbans record file"),
        (bbans.compress(b"a"), FormatError, "this is a bbans container"),
        (b"\x89bbr\2", VersionError, "version or codes"),
    ],
)
def test_what_is_no_record_file(path, data, error, message):
    path.write_bytes(data)
    with pytest.raises(error, match=message):
        Records(path, BYTES)


def test_other_readers_say_what_it_is(path):
    data = written(path, LINES).read_bytes()
    for function in (bbans.decompress, bbans.frozen.FrozenModel.from_bytes):
        with pytest.raises(FormatError, match="file; Records and bbans unpack read it"):
            function(data)


def test_a_closed_file(path):
    records = Records(written(path, LINES))
    assert repr(records) == f"<Records {str(path)!r}: 700 records of text, " + (
        f"{path.stat().st_size} bytes>"
    )
    records.close()
    records.close()
    assert repr(records) == f"<Records {str(path)!r}, closed>"
    for use in (lambda: records[0], lambda: len(records), records.refresh):
        with pytest.raises(ValueError, match="is closed"):
            use()
    with pytest.raises(ValueError, match="is closed"):
        records.append("a")


def test_an_open_file_is_not_copied(path):
    with Records(written(path, LINES)) as records:
        for function in (copy.copy, pickle.dumps):
            with pytest.raises(TypeError, match="open file"):
                function(records)


def test_a_file_that_no_path_names_any_more(path):
    with Records(written(path, LINES)) as records:
        if os.name != "nt":
            path.unlink()
            assert [*records] == LINES
            with pytest.raises(FileNotFoundError):
                records.append("a")
    assert not path.exists() or os.name == "nt"


# ---- appending


@pytest.mark.parametrize("checksums", [False, True])
def test_appending_touches_no_old_byte(path, checksums):
    before = written(path, LINES, checksums=checksums).read_bytes()
    with Records(path) as records, Records(path) as reader:
        passes = iter(reader)
        next(passes)
        records.append("one more")
        records.extend(LINES)
        records.extend([])
        wanted = [*LINES, "one more", *LINES]
        assert [*records] == wanted
        after = path.read_bytes()
        assert after[: len(before)] == before
        assert len(reader) == 700
        assert [*reader] == LINES
        assert reader.refresh() == 701
        assert reader.refresh() == 0
        assert [*reader] == wanted
        assert reader[700] == "one more"
        assert len([*passes]) == 699
    assert Records(path)[:] == wanted


def test_what_a_group_of_one_costs(path):
    written(path, LINES)
    size = path.stat().st_size
    record = "some line"
    with Records(path) as records:
        records.append(record)
    cost = path.stat().st_size - size - len(RecordCodec(BYTES).encode(record))
    assert cost == 30


def test_appending_the_wrong_kind(path):
    with Records(written(path, LINES)) as records:
        with pytest.raises(TypeError, match="record 1 is bytes"):
            records.extend(["a", b"b"])
        with pytest.raises(TypeError, match="not one str"):
            records.extend("ab")
    assert Records(path)[:] == LINES


def test_compacting(path):
    written(path, LINES)
    with Records(path) as records, Records(path) as reader:
        for i in range(30):
            records.append(f"appended {i}")
        wanted, size = [*records], path.stat().st_size
        records.compact()
        assert [*records] == wanted
        assert path.stat().st_size < size - 30 * 25
        assert [*reader] == LINES  # of the file that was
        assert reader.refresh() == 30
        assert [*reader] == wanted
    data = path.read_bytes()
    Records.write(path, wanted, BYTES)
    assert path.read_bytes() == data


def test_another_file_in_its_place(path):
    with Records(written(path, LINES)) as records:
        written(path, LINES[:10], LETTERS)
        with pytest.raises(WrongModelError, match="is another file than it was"):
            records.refresh()
        assert [*records] == LINES
        written(path, LINES[:10])
        assert records.refresh() == 10 - 700
        assert [*records] == LINES[:10]


@pytest.mark.parametrize("checksums", [False, True])
def test_an_append_that_is_cut_anywhere(path, checksums):
    """What was there stays, and what comes then follows it."""
    written(path, LINES[:300], checksums=checksums)
    before = path.read_bytes()
    with Records(path) as records:
        records.extend(LINES[300:310])
    after = path.read_bytes()
    for cut in range(len(before), len(after)):
        path.write_bytes(after[:cut])
        with Records(path) as records, Records(path) as reader:
            assert [*records] == LINES[:300]
            records.append("next")
            assert [*records] == [*LINES[:300], "next"]
            records.append("and next")
            assert reader.refresh() == 2
            assert reader[300:] == ["next", "and next"]
        with Records(path) as records:
            assert [*records] == [*LINES[:300], "next", "and next"]
            assert records.compact() is None
            assert [*records] == [*LINES[:300], "next", "and next"]
        assert path.stat().st_size < len(before) + 100


def test_whole_groups_of_a_file_that_is_cut(path):
    data = written(path, LINES).read_bytes()
    at = groups(data)
    assert len(at) == 4
    for cut in [*at[:-1], at[1] + 1, at[1] + 30, at[2] - 1, at[3] - 1]:
        path.write_bytes(data[:cut])
        n = sum(end <= cut for end in at[1:]) * GROUP_RECORDS
        with Records(path) as records:
            assert [*records] == LINES[:n]


def test_zeros_behind_a_file(path):
    """As a file system leaves them whose machine stopped."""
    data = written(path, LINES).read_bytes()
    path.write_bytes(data + bytes(1000))
    with Records(path) as records:
        assert [*records] == LINES
        records.append("next")
        assert [*records] == [*LINES, "next"]
    assert Records(path)[-1] == "next"


def test_two_writers(path):
    written(path, LINES)
    code = (
        "import sys, bbans\n"
        "from bbans._files import locking\n"
        f"with locking({str(path)!r}):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=path.parent,
        ) as other,
        Records(path) as records,
    ):  # fmt: skip
        assert other.stdout.readline() == "locked\n"
        for write in (lambda: records.append("a"), records.compact):
            with pytest.raises(BlockingIOError, match="somebody else is writing") as e:
                write()
            assert e.value.filename == str(path)
        assert [*records] == LINES  # readers go on
        other.stdin.close()
        other.wait()
        records.append("a")
        assert records[-1] == "a"


def test_threads_that_append_and_read(path):
    written(path, LINES)
    with Records(path) as records:

        def work(i):
            for j in range(20):
                records.append(f"{i} {j}")
                assert records[-1].split()[0].isdigit()
                assert records[: len(LINES)] == LINES

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(records[700:]) == sorted(
            f"{i} {j}" for i in range(4) for j in range(20)
        )


@given(
    st.lists(st.lists(st.binary(max_size=20), max_size=9), max_size=9), st.booleans()
)
@settings(max_examples=30, deadline=None)
def test_any_records_in_any_portions(tmp_path_factory, portions, checksums):
    path = tmp_path_factory.mktemp("any") / "x.bbr"
    Records.write(path, [b"first"], BYTES, checksums=checksums)
    wanted = [b"first"]
    with Records(path) as records:
        for portion in portions:
            records.extend(portion)
            wanted += portion
        assert [*records] == wanted
        assert [records[k] for k in range(-len(wanted), 0)] == wanted
        records.compact()
        assert [*records] == wanted


# ---- damage


def fields(data, group):
    """Where the parts of a group begin: header, index, messages, checksum, end."""
    at = groups(data)[group]
    view = RecordBytes(bytes(data), "x")
    place = view._place(group)
    return [at, place.index, place.checksums, place.messages, at + place.n_bytes - 4]


def readable(records):
    """The records that can be read, one by one."""
    found = {}
    for k in range(len(records)):
        try:
            found[k] = records[k]
        except CorruptError as error:
            assert f"record {k} cannot be read" in str(error)  # noqa: PT017
    return found


def test_a_damaged_record_takes_its_group_with_it(path):
    data = bytearray(written(path, LINES).read_bytes())
    data[fields(data, 1)[3] + 500] ^= 4
    path.write_bytes(data)
    with Records(path) as records:
        found = readable(records)
        assert found == {k: LINES[k] for k in range(700) if not 256 <= k < 512}
        with pytest.raises(CorruptError, match="group 1, of records 256 to 511"):
            records[300]
        with pytest.raises(CorruptError, match="record 256 cannot be read"):
            list(records)
        with pytest.raises(CorruptError):
            records[[0, 300]]
        assert records[100:256] == LINES[100:256]
        with pytest.raises(CorruptError):
            records.compact()
        salvaged = [*records.salvage()]
        assert [s.number for s in salvaged] == [*range(700)]
        good = [s for s in salvaged if s.intact]
        assert {s.number: s.record for s in good} == found
        bad = [s for s in salvaged if not s.intact]
        assert sum(s.record == LINES[s.number] for s in bad) >= 250
    assert path.read_bytes() == data


def test_with_checksums_of_records_only_that_one_is_lost(path):
    data = bytearray(written(path, LINES, checksums=True).read_bytes())
    data[fields(data, 1)[3] + 500] ^= 4
    path.write_bytes(data)
    with Records(path) as records:
        found = readable(records)
        (lost,) = {*range(700)} - {*found}
        assert found == {k: LINES[k] for k in range(700) if k != lost}
        with pytest.raises(
            CorruptError, match=f"record {lost} cannot .* it is damaged"
        ):
            list(records)
        assert records[256:lost] == LINES[256:lost]
        salvaged = [*records.salvage()]
        assert [s.number for s in salvaged if not s.intact] == [lost]
        assert all(s.record == LINES[s.number] for s in salvaged if s.intact)
        records.append("behind it")
        assert records[-1] == "behind it"


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("part", range(5))
def test_damage_of_every_part_of_a_group(path, checksums, part):
    data = written(path, LINES, checksums=checksums).read_bytes()
    for shift in (0, 1, 3):
        changed = bytearray(data)
        changed[fields(data, 1)[part] + shift] ^= 16
        path.write_bytes(changed)
        with Records(path) as records:
            found = readable(records)
            assert all(record == LINES[k] for k, record in found.items())
            assert {*range(256), *range(512, 700)} <= {*found}
            assert all(
                s.record == LINES[s.number] for s in records.salvage() if s.intact
            )
            if part == 0:
                assert len(found) == 700 - 256
                with pytest.raises(CorruptError, match="records 256 to 511 are lost"):
                    records[400]
                assert [s.number for s in records.salvage() if s.record is None] == [
                    *range(256, 512)
                ]
                records.append("behind")
                assert records[700] == "behind"
            elif not checksums:
                assert len(found) == 700 - 256
            elif part in (2, 3, 4):
                assert len(found) >= 699


@pytest.mark.parametrize("first", [1 << 20, 1 << 40, 1 << 62])
def test_no_more_records_are_lost_than_there_was_room_for(path, first):
    data = written(path, LINES[:300]).read_bytes()
    group = put_group(len(data), first, [RecordCodec(BYTES).encode("far")], False)
    path.write_bytes(data + group)
    with Records(path) as records:
        assert len(records) == 300
        assert [s.number for s in records.salvage()] == [*range(300)]
    # As many as have one bit each, in the bytes since the last group began.
    most = 300 + 8 * (len(data) - groups(data)[-2])
    for first, n in ((most, most + 1), (most + 1, 300)):
        group = put_group(len(data), first, [RecordCodec(BYTES).encode("far")], False)
        path.write_bytes(data + group)
        with Records(path) as records:
            assert len(records) == n


def test_a_damaged_first_and_last_header(path):
    data = written(path, LINES).read_bytes()
    at = groups(data)
    changed = bytearray(data)
    changed[at[0] + 9] ^= 1
    path.write_bytes(changed)
    with Records(path) as records:
        assert [*readable(records)] == [*range(256, 700)]
        with pytest.raises(CorruptError, match="records 0 to 255 are lost"):
            records[3]
    changed = bytearray(data)
    changed[at[2] + 9] ^= 1
    path.write_bytes(changed)
    with Records(path) as records:
        assert [*records] == LINES[:512]  # as if it were not whole
        records.append("next")
        assert records[512] == "next"
    assert path.read_bytes()[: len(changed)] == changed


def test_a_message_that_no_encoder_writes(path):
    """Under right checksums, as in a file that was made to do harm."""
    header = written(path, []).read_bytes()
    good = RecordCodec(BYTES).encode(b"good")
    stored = b"\xff\xfe\xfd"
    group = put_group(len(header), 0, [good, b"\xfe" + bytes(5), good, stored], False)
    path.write_bytes(header + group)
    with Records(path) as records:
        assert records[0] == records[2] == b"good"
        for key in (1, slice(0, 3), [0, 1]):
            with pytest.raises(CorruptError, match=r"x.bbr: record 1: .*no encoder"):
                records[key]
        assert [s.record for s in records.salvage()] == [
            b"good", None, b"good", b"\xfe\xfd",
        ]  # fmt: skip
    data = bytearray(header)
    data[6] = 2  # text, it says
    data[20 + data[7] :][:4] = b""
    crc = zlib.crc32(data[: 20 + data[7]])
    data = bytearray(header[: 20 + data[7]])
    data[6] = 2
    crc = zlib.crc32(data)
    text = bytes(data) + crc.to_bytes(4, "little") + header[len(data) + 4 :]
    path.write_bytes(text + group)
    with Records(path) as records:
        assert records[0] == "good"
        for key in (3, slice(3, 4)):
            with pytest.raises(CorruptError, match="record 3: it is no text"):
                records[key]


def test_any_damage(path):
    """No wrong record passes for a right one, and nothing else goes wrong."""
    rng = random.Random(7)
    for checksums in (False, True):
        data = written(path, LINES[:300], checksums=checksums).read_bytes()
        for _ in range(150):
            changed = bytearray(data)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(header_bytes(data), len(data))] = rng.randrange(
                    256
                )
            if rng.random() < 0.3:
                del changed[rng.randrange(header_bytes(data), len(data)) :]
            path.write_bytes(changed)
            with Records(path, BYTES) as records:
                found = readable(records)
                assert all(record == LINES[k] for k, record in found.items())
                for s in records.salvage():
                    assert not s.intact or s.record == LINES[s.number]
                n = len(records)
                records.append("next")
                assert records[-1] == "next"
                assert len(records) == n + 1
                assert readable(records) == found | {n: "next"}


# ---- worth


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_records_open_at_once_and_take_little_memory(tmp_path):
    code = f"""
import bbans, random, time
from bbans.records.groups import put_group, put_header, split
model = bbans.default_model()
messages = bbans.RecordCodec(model).encode_many(
    [b"record number %07d" % (i * 997 % 1000) for i in range(1000)])
path = {str(tmp_path / "million.bbr")!r}
with open(path, "wb") as file:
    header = put_header("bytes", False, model.fingerprint, b"", b"")
    file.write(header)
    at, first = len(header), 0
    for group in split(messages * 1000):
        part = put_group(at, first, group, False)
        file.write(part)
        at, first = at + len(part), first + len(group)

def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) // 1024

start = time.perf_counter()
records = bbans.Records(path, model)
opened = time.perf_counter() - start
assert len(records) == 1_000_000
numbers = [random.Random(1).randrange(10**6) for _ in range(20_000)]
for k in numbers:
    records[k]
assert records[123_456] == b"record number %07d" % (456 * 997 % 1000)
print(opened, resident())
"""
    shown = subprocess.check_output(
        [sys.executable, "-c", code], text=True, cwd=tmp_path
    )
    opened, resident = map(float, shown.split())
    assert opened < 0.5  # most is the machine's, which may be busy
    assert resident < 100
