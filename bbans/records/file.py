"""Record files: many records under one model, each of which is read by its number."""

from __future__ import annotations

import operator
import os
import reprlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes
from bbans._files import locking, replacing, write_full
from bbans._lib import lib
from bbans._records import check_limit
from bbans.errors import (
    CorruptError,
    FormatError,
    LimitError,
    ModelError,
    WrongModelError,
)
from bbans.frozen.base import FrozenModel, as_model
from bbans.records.codec import RecordCodec
from bbans.records.groups import (
    GROUP_MARK,
    TERMINATOR_MAX,
    RecordBytes,
    mapped,
    put_group,
    put_header,
    split,
)

__all__ = ["Records", "SalvagedRecord", "as_text_bytes", "write_records"]

Record: TypeAlias = str | bytes

# Records, or bytes of them, that are encoded or decoded in one call.
_BATCH = 4096
_BATCH_BYTES = 1 << 22


_UNMARKED = bytes(len(GROUP_MARK))
_sync_data = getattr(os, "fdatasync", os.fsync)  # some systems have no such service

# The first byte of a message that is stored, and behind which the record is.
_STORED = bytes([lib.BBANS_RECORD_STORED])


class SalvagedRecord(NamedTuple):
    """A record of a damaged file, as far as it can be read.

    Attributes
    ----------
    number : int
    record : str, bytes or None
        None: nothing can be decoded.
    intact : bool
        Whether its checksum matches. If not, `record` may be anything.
    """

    number: int
    record: Record | None
    intact: bool


class Records(Sequence[Any]):
    """A record file to read, and to append to.

    ``records[k]`` is record k, ``records[-1]`` the last; ``records[a:b:c]`` and
    ``records[numbers]``, for any sequence or array of numbers, are lists. Iterating
    decodes many records at a time. Records are str or bytes, as they were written.

    Parameters
    ----------
    path : path
        A file that `write` or ``bbans pack`` has made. It is memory-mapped, so that
        only the parts in use are read.
    model : frozen model or RecordCodec, optional
        The model that the records were written with. By default the one in the file.
    max_bytes : int or None
        The longest record to decode: in an untrusted file, a few bytes may decode to a
        very long record. None: no limit.
    threads : int, optional
        Number of threads that decode many records. By default as many as there are
        cores.

    Attributes
    ----------
    kind : {"text", "bytes"}
        Whether records are str or bytes.
    terminator : bytes
        What follows each record when all are written as one text.
    checksums : bool
        Whether each record has a checksum of its own.

    Raises
    ------
    WrongModelError
        If the file does not contain its model and `model` is not given, or if `model`
        is another one.
    FormatError, VersionError, TruncatedError, CorruptError
        If it is not a record file, or its header or its model is damaged.
    OSError
        If it cannot be read.

    Notes
    -----
    Several threads may read at once, and one append. Other processes may append too;
    their records can be read after `refresh`. Each group of records has a checksum,
    which is checked when the first of its records is read.

    A file that is open may be replaced, by a rename, as `compact` and `write` do. It
    must not be made shorter in place: reading what is gone from under a memory map
    ends the process (SIGBUS).

    Examples
    --------
    >>> import os, tempfile, bbans
    >>> path = os.path.join(tempfile.mkdtemp(), "times.bbr")
    >>> lines = ["the best of times", "the worst of times"] * 50
    >>> bbans.Records.write(path, lines, bbans.default_model())
    >>> with bbans.Records(path) as records:
    ...     len(records), records[1], records[-2:]
    (100, 'the worst of times', ['the best of times', 'the worst of times'])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: FrozenModel | RecordCodec | None = None,
        *,
        max_bytes: int | None = 1 << 24,
        threads: int | None = None,
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._name = os.fspath(path)
        self._writing = threading.Lock()
        data, self._status = mapped(self._path)
        view = RecordBytes(data, self._name)
        self._coder = _Coder(
            _codec_of(view, model, self._name), view.kind, threads, max_bytes
        )
        self._open: RecordBytes | None = view
        self.kind, self.terminator = view.kind, view.terminator
        self.checksums = view.checksums

    # ---- writing a file

    @staticmethod
    def write(
        path: str | os.PathLike[str],
        records: Iterable[Record],
        model: FrozenModel | RecordCodec,
        *,
        checksums: bool = False,
        embed: bool = True,
        terminator: bytes = b"\n",
        threads: int | None = None,
    ) -> None:
        """Write a record file; an old one is replaced only by a complete one.

        Parameters
        ----------
        path : path
        records : iterable of str, or of bytes
            All of one type; an iterator is consumed as they are encoded.
        model : frozen model or RecordCodec
            Of bytes or text.
        checksums : bool
            Add a checksum of 4 bytes to each record, so that the intact records of a
            damaged group can still be read. Groups have checksums in any case.
        embed : bool
            Put the model into the file. Otherwise reading the file requires it.
        terminator : bytes
            What follows each record where ``bbans unpack`` writes them as one text; up
            to 16 bytes.
        threads : int, optional
            By default as many as there are cores.

        Raises
        ------
        TypeError, ModelError
            If a record is not of the same type as the first, or an argument is wrong.
        OSError
            If the file cannot be written.
        """
        with replacing(path) as file:
            write_records(
                file,
                records,
                model,
                checksums=checksums,
                embed=embed,
                terminator=terminator,
                threads=threads,
            )

    # ---- reading

    @property
    def _view(self) -> RecordBytes:
        if self._open is None:
            raise ValueError(f"{self._name} is closed")
        return self._open

    @property
    def unfinished(self) -> int:
        """Bytes behind the last whole group: of an append that is under way or was
        interrupted, or of damaged groups. 0: there are none."""
        view = self._view
        return view.n_bytes - view.end

    @property
    def codec(self) -> RecordCodec:
        """The codec of the records."""
        return self._coder.codec

    @property
    def model(self) -> FrozenModel:
        """The codec's model."""
        return self.codec.model

    def __len__(self) -> int:
        return self._view.n_records

    def __repr__(self) -> str:
        if self._open is None:
            return f"<Records {self._name!r}, closed>"
        return (
            f"<Records {self._name!r}: {len(self)} records of {self.kind}, "
            f"{self._open.n_bytes} bytes>"
        )

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Any: ...

    @overload
    def __getitem__(
        self, key: slice | Sequence[int] | NDArray[np.integer[Any]]
    ) -> list[Any]: ...

    def __getitem__(self, key: Any) -> Any:
        """Decode a record, or a list of them.

        Parameters
        ----------
        key : int, slice, or sequence or array of int
            Negative numbers count from the end.

        Returns
        -------
        str or bytes, or a list

        Raises
        ------
        IndexError
            If there is no such record.
        CorruptError
            If it is damaged; the text says which records are.
        LimitError
            If it is longer than `max_bytes`.
        """
        view = self._view
        n = view.n_records
        if type(key) is not int:
            if isinstance(key, slice):
                numbers = range(*key.indices(n))
                if numbers.step == 1:
                    return self._run(view, numbers.start, numbers.stop)
                return self._many(view, numbers)
            if not hasattr(key, "__index__") or isinstance(key, np.ndarray):
                return self._many(view, _numbers(key, n))
            key = operator.index(key)
        k = key + n if key < 0 else key
        if not 0 <= k < n:
            raise IndexError(f"record {key} of {n}: there is none")
        return self._one(view.message(k), k)

    def __iter__(self) -> Iterator[Any]:
        view, start = self._view, 0
        while start < view.n_records:
            stop = min(start + _BATCH, view.n_records)
            yield from self._run(view, start, stop)
            start = stop

    def _run(self, view: RecordBytes, start: int, stop: int) -> list[Record]:
        return self._decoded(view.messages(start, stop), range(start, stop))

    def _many(self, view: RecordBytes, numbers: Sequence[int]) -> list[Record]:
        return self._decoded([view.message(k) for k in numbers], numbers)

    def _decoded(self, messages: list[bytes], numbers: Sequence[int]) -> list[Record]:
        try:
            return self._coder.decode_many(messages)
        except (CorruptError, LimitError):
            for k, message in zip(numbers, messages, strict=True):  # which?
                self._one(message, k)
            raise

    def _one(self, message: bytes, k: int) -> Record:
        try:
            return self._coder.decode(message)
        except (CorruptError, LimitError) as error:
            raise self._named(error, k) from None

    def _named(self, error: CorruptError | LimitError, k: int) -> Exception:
        return type(error)(f"{self._name}: record {k}: {error}", error.status)

    def texts(self) -> Iterator[bytes]:
        """Yield, in parts, all records as one text in UTF-8, each followed by the
        terminator."""
        view, start = self._view, 0
        for group in range(view.n_groups):
            stop, last = view.numbers(group).stop, group + 1 == view.n_groups
            unterminated = view.unterminated(group)
            if unterminated or last or stop - start >= _BATCH:
                lines = [as_text_bytes(r) for r in self._run(view, start, stop)]
                yield self.terminator.join(lines if unterminated else [*lines, b""])
                start = stop

    def salvage(self) -> Iterator[SalvagedRecord]:
        """Yield each record of a damaged file, with whether it is intact.

        Yields
        ------
        SalvagedRecord
            One for each record, lost ones included, in the order of their numbers.
        """
        view, k = self._view, 0
        for group in range(view.n_groups):
            for number, message, intact in view.salvage(group):
                for lost in range(k, number):
                    yield SalvagedRecord(lost, None, False)
                record = None
                if message is not None:
                    with suppress(CorruptError, LimitError):
                        record = self._coder.decode(message)
                yield SalvagedRecord(number, record, intact and record is not None)
                k = number + 1
        for lost in range(k, view.n_records):
            yield SalvagedRecord(lost, None, False)

    # ---- the file

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("Records is an open file: open it again instead")

    def close(self) -> None:
        """Close the file."""
        self._open = None

    def refresh(self) -> int:
        """Make appended records visible; return how many are new.

        Iterations under way do not see them.

        Raises
        ------
        WrongModelError
            If the file has been replaced by one of another model.
        FormatError, OSError
            If it can no longer be read.
        """
        view = self._view
        with self._writing:
            return self._refreshed() - view.n_records

    def _refreshed(self) -> int:
        view = self._view
        data, status = mapped(self._path)
        same = os.path.samestat(status, self._status) and len(data) >= view.n_bytes
        new = RecordBytes(data, self._name, view if same else None)
        if new.fingerprint != view.fingerprint:
            raise WrongModelError(
                f"{self._name} is another file than it was: open it again"
            )
        self._open, self._status = new, status
        return new.n_records

    def append(self, record: Record) -> None:
        """Append a record; it is on disk when this returns. See `extend`.

        It becomes a group of its own, which takes about 30 bytes more than it would in
        a full group. Append many records at a time where you can, or use `compact`.
        """
        self.extend([record])

    def extend(self, records: Iterable[Record]) -> None:
        """Append records at the end of the file; no existing byte is changed.

        They are on disk when this returns. If it is interrupted, some complete groups
        of them may be in the file; an incomplete one is ignored.

        Parameters
        ----------
        records : iterable of str, or of bytes
            Of the file's kind. All are encoded before the first is written.

        Raises
        ------
        BlockingIOError
            If another process is appending.
        TypeError
            If a record is not of the file's kind.
        OSError
            If they cannot be written.
        """
        self._extend(records, False)

    def _extend(self, records: Iterable[Record], unterminated: bool) -> None:
        messages = [*_encoded(records, self._coder)]
        if not messages:
            return
        with self._writing, self._locked() as file:
            self._refreshed()  # others may have appended
            view = self._view
            at, first = view.n_bytes, view.n_records
            parts: list[bytes] = []
            places: list[int] = []
            for group in split(messages):
                last = first + len(group) == view.n_records + len(messages)
                part = put_group(
                    at, first, group, self.checksums, last and unterminated
                )
                parts += _UNMARKED, part[len(_UNMARKED) :]
                places.append(at)
                at, first = at + len(part), first + len(group)
            if view.is_cut:  # the rest of which would be what follows
                file.seek(view.end)
                write_full(file, bytes(view.n_bytes - view.end))
                os.fsync(file.fileno())
            # What is not on disk yet a power cut may leave in any state. So groups are
            # written without their marks, and are there when these are, one by one.
            file.seek(view.n_bytes)
            write_full(file, b"".join(parts))
            os.fsync(file.fileno())
            for place in places:
                file.seek(place)
                write_full(file, GROUP_MARK)
                _sync_data(file.fileno())
            self._refreshed()

    def compact(self) -> None:
        """Rewrite the file with its records in full groups.

        Messages and the numbers of records stay the same. The new file replaces the old
        when it is complete; readers keep the old one open until they `refresh`.

        Raises
        ------
        CorruptError
            If the file is damaged; it is left unchanged.
        BlockingIOError
            If another process is appending.
        """
        with self._writing, self._locked():
            self._refreshed()
            view = self._view

            def messages() -> Iterator[bytes]:
                for k in range(0, view.n_records, _BATCH):
                    yield from view.messages(k, min(k + _BATCH, view.n_records))

            last = view.n_groups - 1
            unterminated = last >= 0 and view.unterminated(last)
            header = put_header(
                self.kind, self.checksums, view.fingerprint, self.terminator, view.model
            )
            with replacing(self._path) as file:
                _write_groups(
                    file, header, messages(), self.checksums, lambda: unterminated
                )
                if os.name == "nt":  # which replaces no file that is mapped
                    self._open = RecordBytes(header, self._name)
                    del view
            self._refreshed()

    def _locked(self) -> Any:
        """The file, to write to, while nobody else does."""
        return locking(self._path)


def as_text_bytes(record: Record) -> bytes:
    """A record as it is in a text: str as UTF-8."""
    if isinstance(record, str):
        return record.encode("utf-8", "surrogatepass")
    return record


def _numbers(key: Any, n: int) -> list[int]:
    """Record numbers from 0, of a sequence or an array of them."""
    if isinstance(key, str | bytes | bytearray):
        raise TypeError(f"records are found by numbers, not by {type(key).__name__}")
    try:
        values = [*key]
        numbers = [operator.index(value) for value in values]
        if any(isinstance(value, bool | np.bool_) for value in values):
            raise TypeError
    except TypeError:
        raise TypeError(
            "records are found by numbers, slices and lists of numbers, not by "
            f"{reprlib.repr(key)}"
        ) from None
    for i, k in enumerate(numbers):
        if not -n <= k < n:
            raise IndexError(f"record {k} of {n}, at position {i}: there is none")
    return [k + n if k < 0 else k for k in numbers]


# ---- models


def _codec_of(
    view: RecordBytes, model: FrozenModel | RecordCodec | None, name: str
) -> RecordCodec:
    """The codec of a file."""
    if model is None:
        if not view.model:
            raise WrongModelError(
                f"{name} does not contain its model: pass the one with the fingerprint "
                f"{view.fingerprint.hex()} as `model`"
            )
        try:
            return RecordCodec(FrozenModel.from_bytes(view.model))
        except FormatError as error:
            error.args = (f"{name}: {error}",)
            raise
    codec = _as_codec(model)
    found = codec.model.fingerprint
    if found != view.fingerprint:
        raise WrongModelError(
            f"{name} was written with the model of fingerprint "
            f"{view.fingerprint.hex()}, and this one has {found.hex()}"
        )
    return codec


def _as_codec(model: FrozenModel | RecordCodec) -> RecordCodec:
    return model if isinstance(model, RecordCodec) else RecordCodec(as_model(model))


# ---- writing


def write_records(
    file: BinaryIO,
    records: Iterable[Record],
    model: FrozenModel | RecordCodec,
    *,
    checksums: bool = False,
    embed: bool = True,
    terminator: bytes = b"\n",
    threads: int | None = None,
    unterminated: Callable[[], bool] = lambda: False,
) -> None:
    """Write a record file to an open file; see `Records.write`.

    Parameters
    ----------
    unterminated : callable
        Asked when there are no more records: does the terminator not follow the last?
    """
    codec = _as_codec(model)
    checksums, terminator = bool(checksums), as_bytes(terminator, "terminator")
    if len(terminator) > TERMINATOR_MAX:
        raise ModelError(
            f"terminator has {len(terminator)} bytes: it may have {TERMINATOR_MAX}"
        )
    coder = _Coder(codec, None, threads)
    messages = _encoded(records, coder)
    first = [*islice(messages, 1)]  # with which the kind is known
    header = put_header(
        coder.kind or codec.kind,
        checksums,
        codec.model.fingerprint,
        terminator,
        codec.model.to_bytes(packed=True) if embed else b"",
    )
    _write_groups(file, header, chain(first, messages), checksums, unterminated)


def _write_groups(
    file: BinaryIO,
    header: bytes,
    messages: Iterable[bytes],
    checksums: bool,
    unterminated: Callable[[], bool],
) -> None:
    write_full(file, header)
    at, first = len(header), 0
    groups = split(messages)
    group = next(groups, None)
    while group is not None:
        following = next(groups, None)
        last = following is None and unterminated()
        part = put_group(at, first, group, checksums, last)
        write_full(file, part)
        at, first, group = at + len(part), first + len(group), following


def _encoded(records: Iterable[Record], coder: _Coder) -> Iterator[bytes]:
    """Yield the messages of records, which are all of one kind: that of the first, if
    the coder has none."""
    if isinstance(records, str | bytes | bytearray | os.PathLike):
        raise TypeError(
            f"records must be many, as a list, not one {type(records).__name__}"
        )
    batch: list[Record] = []
    size, n = 0, 0
    for record in records:
        found = "text" if isinstance(record, str) else "bytes"
        coder.kind = coder.kind or found
        if found != coder.kind:
            wanted = "str" if coder.kind == "text" else "bytes"
            raise TypeError(
                f"record {n} is {type(record).__name__}: records of a file are all str "
                f"or all bytes, and these are {wanted}"
            )
        if not isinstance(record, str):
            record = as_bytes(record, f"record {n}")
        batch.append(record)
        size, n = size + len(record), n + 1
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield from coder.encode_many(batch)
            batch, size = [], 0
    if batch:
        yield from coder.encode_many(batch)


class _Coder:
    """What codes the records of a file, of its kind, whatever the model is of.

    Parameters
    ----------
    codec : RecordCodec
    kind : {"text", "bytes"} or None
        None: not known before the first record.
    threads, limit : int or None
    """

    def __init__(
        self,
        codec: RecordCodec,
        kind: str | None,
        threads: int | None,
        limit: int | None = None,
    ) -> None:
        self.codec, self.kind = codec, kind
        self._threads, self._limit = threads, limit

    def encode_many(self, records: list[Any]) -> list[bytes]:
        if self.kind == "text" or self.codec.kind == "bytes":
            return self.codec.encode_many(records, threads=self._threads)
        # Bytes under a model of text: as text, if that is what they are.
        texts = [_as_text(record) for record in records]
        found = [text for text in texts if text is not None]
        coded = iter(self.codec.encode_many(found, threads=self._threads))
        return [
            _STORED + record if text is None else next(coded)
            for record, text in zip(records, texts, strict=True)
        ]

    def decode_many(self, messages: list[bytes]) -> list[Record]:
        records: list[Record]
        if self.kind == "bytes" and self.codec.kind == "text":
            return [self.decode(message) for message in messages]
        records = self.codec.decode_many(
            messages, max_bytes=self._limit, threads=self._threads
        )
        if self.kind == self.codec.kind:
            return records
        return [self._as_text(record) for record in records]

    def decode(self, message: bytes) -> Record:
        if self.kind == "bytes" and self.codec.kind == "text":
            if message[:1] != _STORED:
                text: str = self.codec.decode(message, max_bytes=self._limit)
                return text.encode("utf-8", "surrogatepass")
            check_limit(len(message) - 1, 1, self._limit, "a record")
            return message[1:]
        record: Record = self.codec.decode(message, max_bytes=self._limit)
        return record if self.kind == self.codec.kind else self._as_text(record)

    def _as_text(self, record: Any) -> str:
        try:
            text: str = record.decode("utf-8", "surrogatepass")
            return text
        except UnicodeDecodeError:
            raise CorruptError("it is no text, as the file says") from None


def _as_text(record: bytes) -> str | None:
    try:
        return record.decode("utf-8")
    except UnicodeDecodeError:
        return None
