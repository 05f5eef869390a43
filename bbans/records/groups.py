"""Record files as bytes: their header, and groups of messages; docs/format.md, "Record
file"."""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bbans._kinds import START_BYTES, wrong_kind
from bbans._lib import check, ffi, lib
from bbans._records import INDEX
from bbans.errors import CorruptError, FormatError, ModelError
from bbans.records._find import Finder

__all__ = [
    "GROUP_BYTES",
    "GROUP_MARK",
    "GROUP_RECORDS",
    "TERMINATOR_MAX",
    "RecordBytes",
    "mapped",
    "put_group",
    "put_header",
    "split",
]

KINDS = {lib.BBANS_KIND_BYTES: "bytes", lib.BBANS_KIND_TEXT: "text"}
TERMINATOR_MAX = lib.BBANS_RECORDS_TERMINATOR_MAX

# A group is read whole when the first of its records is: at 4 KB it takes as long to
# check as a few symbols to decode, and its 28 bytes are little among so many records.
GROUP_RECORDS = 256
GROUP_MARK = b"\x89bbg"  # what a group begins with
GROUP_BYTES = 1 << 16


# ---- writing


def put_header(
    kind: str, checksums: bool, fingerprint: bytes, terminator: bytes, model: bytes
) -> bytes:
    """Return the header of a file, with the model's file, which may be empty."""
    code = next(code for code, name in KINDS.items() if name == kind)
    out = bytearray(lib.bbans_records_header_bytes(len(terminator), len(model)))
    used = ffi.new("size_t *")
    check(
        lib.bbans_records_put_header(
            code, checksums, fingerprint, terminator, len(terminator), model,
            len(model), ffi.from_buffer("uint8_t[]", out), len(out), used,
        )
    )  # fmt: skip
    return bytes(out)


def split(messages: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the messages of each group."""
    group: list[bytes] = []
    size = 0
    for message in messages:
        if len(group) == GROUP_RECORDS or (group and size >= GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(message)
        size += len(message)
    if group:
        yield group


def put_group(
    at: int,
    first: int,
    messages: list[bytes],
    checksums: bool,
    unterminated: bool = False,
) -> bytes:
    """Return a group.

    Parameters
    ----------
    at : int
        Bytes of the file before it.
    first : int
        Number of its first record.
    messages : list of bytes
    checksums : bool
        As the file's header has it.
    unterminated : bool
        Nothing follows the last record.

    Raises
    ------
    ModelError
        If they are longer than a group can be.
    """
    n = len(messages)
    end = np.cumsum(np.fromiter(map(len, messages), np.int64, n))
    if end[-1] > lib.BBANS_RECORDS_BYTES_MAX:
        raise ModelError(
            f"record {first + n - 1} takes {len(messages[-1])} bytes: a group of a "
            f"record file holds {lib.BBANS_RECORDS_BYTES_MAX}"
        )
    size = lib.bbans_records_group_bytes(n, int(end[-1]), checksums)
    out, used = bytearray(size), ffi.new("size_t *")
    check(
        lib.bbans_records_put_group(
            at, first, b"".join(messages),
            ffi.from_buffer("uint32_t[]", end.astype(np.uint32)), n, checksums,
            unterminated, ffi.from_buffer("uint8_t[]", out), size, used,
        )
    )  # fmt: skip
    return bytes(out)


# ---- reading


def mapped(path: str) -> tuple[bytes | mmap.mmap, os.stat_result]:
    """The bytes of a file where the system has them, and what file it is."""
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), status
        except (ValueError, OSError):  # empty; or no file that can be mapped
            return file.readall(), status


class RecordBytes:
    """The bytes of a record file, as far as they were there when it was looked at.

    Parameters
    ----------
    data : bytes or mmap
        Stays as long as this does.
    name : str
        What errors call the file.
    before : RecordBytes, optional
        The same file when it was shorter: only what has been appended is read.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If its header is not that of a record file.

    Notes
    -----
    May be shared between threads.
    """

    def __init__(
        self, data: bytes | mmap.mmap, name: str, before: RecordBytes | None = None
    ) -> None:
        self._data, self._name = data, name
        self._view = memoryview(data)
        self._source = ffi.from_buffer("uint8_t[]", data)
        self._c = ffi.new("bbans_records *")
        if before is None:
            status = lib.bbans_records_open(self._c, self._source, len(data))
            if status == lib.BBANS_ERR_FORMAT:
                raise wrong_kind(bytes(data[:START_BYTES]), "a bbans record file")
            self._explain(status)
            cap = 64
        else:
            self._c[0] = before._c[0]
            cap = max(2 * before._c.groups, 64)
        self._group = ffi.new("bbans_record_group[]", cap)
        if before is not None:
            size = before._c.groups * ffi.sizeof("bbans_record_group")
            ffi.memmove(self._group, before._group, size)
        self._scan(cap)
        n_groups = self._c.groups
        # Groups that have been checked: several threads may note the same.
        self._checked = bytearray(n_groups)
        if before is not None:
            self._checked[: len(before._checked)] = before._checked
        self._finder = Finder(self._c, self._checked)
        table = np.frombuffer(ffi.buffer(self._group), np.uint64)
        self._first = table[: 2 * n_groups : 2]
        self.n_records: int = self._c.records
        self.n_lost: int = self._c.lost
        self.n_bytes = len(data)
        self.kind = KINDS[self._c.kind]
        self.checksums = bool(self._c.checksums)
        self.fingerprint = bytes(self._c.fingerprint)
        self.terminator = self._part(self._c.terminator, self._c.terminator_bytes)

    @property
    def n_groups(self) -> int:
        """Groups whose headers are whole."""
        return len(self._first)

    @property
    def end(self) -> int:
        """Where the last group ends: what is behind it is unfinished, or damaged."""
        return int(self._c.end)

    @property
    def is_cut(self) -> bool:
        """Whether a group begins there that is not whole."""
        return bool(self._c.cut)

    @property
    def model(self) -> bytes:
        """The model's file, empty if it is not in this one."""
        return self._part(self._c.model, self._c.model_bytes)

    def _part(self, start: Any, n: int) -> bytes:
        return b"" if n == 0 else bytes(ffi.buffer(start, n))

    def _explain(self, status: int) -> None:
        """Raise the error, if it is one, with the file's name."""
        try:
            check(status)
        except FormatError as error:
            text = {
                lib.BBANS_ERR_TRUNCATED: "it ends in its header",
                lib.BBANS_ERR_VERSION: "it has a version or codes that this release "
                "does not know",
            }.get(status, "its header is damaged")
            error.args = (f"{self._name} cannot be read: {text}",)
            raise

    def _scan(self, cap: int) -> None:
        while True:
            status = lib.bbans_records_scan(
                self._c, self._source, len(self._data), self._group, cap
            )
            if status != lib.BBANS_ERR_CAPACITY:
                return check(status)
            more = ffi.new("bbans_record_group[]", 2 * cap)
            ffi.memmove(more, self._group, ffi.sizeof(self._group))
            self._group, cap = more, 2 * cap

    # ---- messages

    def message(self, k: int) -> bytes:
        """Return the message of record k, 0 <= k < n_records, if it is not damaged.

        Raises
        ------
        CorruptError
            If it is; the text says which records are.
        """
        message = self._finder.find(k)
        if message is not None:
            return message
        if not self.checksums and k in self.numbers(group := self.group_of(k)):
            self.matches(group)
            message = self._finder.find(k)
        if message is None:
            raise self._damaged(k)
        return message

    def messages(self, start: int, stop: int) -> list[bytes]:
        """Return the messages of records start .. stop - 1, if none is damaged.

        Raises
        ------
        CorruptError
            If one is.
        """
        out: list[bytes] = []
        while (k := start + len(out)) < stop:
            group = self.group_of(k)
            place = self._place(group)
            if place is None or not place.first <= k < place.first + place.records:
                raise self._damaged(k)
            if not (self._checked[group] or self.matches(group)):
                if not self.checksums:
                    raise self._damaged(k)
                last = min(stop, place.first + place.records)
                out += [self.message(i) for i in range(k, last)]
                continue
            ends = self._ends(place)
            if ends is None:
                raise self._damaged(k)
            out += self._cut(place, ends)[k - place.first : stop - place.first]
        return out

    def group_of(self, k: int) -> int:
        """Return the group of record k, or that before the gap it is in."""
        found = int(np.searchsorted(self._first, np.uint64(k), "right")) - 1
        return max(found, 0)

    def matches(self, group: int) -> bool:
        """Whether a group is as its checksum says."""
        place = self._place(group)
        if place is None:
            return False
        end = place.at + place.n_bytes - 4
        crc = zlib.crc32(self._view[place.at : end], zlib.crc32(INDEX.pack(place.at)))
        if crc.to_bytes(4, "little") != self._view[end : end + 4]:
            return False
        self._checked[group] = 1
        return True

    def unterminated(self, group: int) -> bool:
        """Whether nothing follows the last record of a group."""
        place = self._place(group)
        return place is not None and bool(place.unterminated)

    def message_bytes(self, group: int) -> int:
        """How many bytes the messages of a group take."""
        place = self._place(group)
        return 0 if place is None else int(place.message_bytes)

    def numbers(self, group: int) -> range:
        """The numbers of a group's records."""
        place = self._place(group)
        start = int(self._first[group])
        return range(start, start + (0 if place is None else place.records))

    def salvage(self, group: int) -> Iterator[tuple[int, bytes | None, bool]]:
        """Yield of each record of a group its number, its message, or None if it
        cannot be found, and whether that is as its checksum says."""
        whole = self.matches(group)
        for k in self.numbers(group):
            place = ffi.new("size_t[3]")
            if lib.bbans_records_find(self._c, k, place, place + 1, place + 2):
                yield k, None, False
                continue
            good = whole
            if not whole and self.checksums:
                good = lib.bbans_records_check_record(self._c, k) == 0
            yield k, self._data[place[1] : place[1] + place[2]], good

    def _place(self, group: int) -> Any:
        """What is known of a group; None if its header has been damaged since."""
        place = ffi.new("bbans_record_place *")
        return None if lib.bbans_records_group(self._c, group, place) else place

    def _ends(self, place: Any) -> list[int] | None:
        ends = ffi.new("uint32_t[]", place.records)
        if lib.bbans_records_ends(self._c, place, ends):
            return None
        unpacked: list[int] = ffi.unpack(ends, place.records)
        return unpacked

    def _cut(self, place: Any, ends: list[int]) -> list[bytes]:
        data = self._data[place.messages : place.messages + place.message_bytes]
        starts = [0, *ends]
        return [data[a:b] for a, b in zip(starts, ends, strict=False)]

    def _damaged(self, k: int) -> CorruptError:
        """The error about record k."""
        group = self.group_of(k)
        numbers = self.numbers(group) if self.n_groups else range(0)
        if k not in numbers:
            if k < numbers.start:
                first, last = 0, numbers.start - 1
            else:
                first, last = numbers.stop, self.n_records - 1
                if group + 1 < self.n_groups:
                    last = int(self._first[group + 1]) - 1
            what = (
                f"records {first} to {last} are lost, because the header of their "
                "group is damaged"
            )
        elif self.checksums:
            what = "it is damaged: its checksum does not match"
        else:
            what = (
                f"group {group}, of records {numbers.start} to {numbers.stop - 1}, is "
                "damaged: its checksum does not match; salvage() gives what can be "
                "decoded"
            )
        return CorruptError(
            f"{self._name}: record {k} cannot be read: {what}", lib.BBANS_ERR_CORRUPT
        )
