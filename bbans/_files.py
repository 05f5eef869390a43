"""Files that are whole or not there; reads and writes that neither lose nor invent."""

from __future__ import annotations

import errno
import io
import os
import reprlib
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

__all__ = [
    "Patient",
    "Resumed",
    "discard_unfinished",
    "is_plain",
    "locking",
    "permissions",
    "read_all",
    "read_full",
    "replacing",
    "write_file",
    "write_full",
]

# ---- streams


def read_full(file: BinaryIO, n: int) -> bytes:
    """Read n bytes, fewer only at the end.

    Pipes and raw files give what they have, non-blocking ones None: that is waited
    for, and never taken for the end.

    Raises
    ------
    BlockingIOError
        If there is nothing yet, and no descriptor to wait on.
    """
    parts = []
    while n > 0:
        try:
            part = file.read(n)
        except BlockingIOError:
            part = None
        if part is None:
            _wait(file, "read")
        elif part:
            parts.append(part)
            n -= len(part)
        else:
            break
    return b"".join(parts)


def read_all(file: BinaryIO) -> bytes:
    """Read up to the end; see `read_full`."""
    return b"".join(iter(lambda: read_full(file, 1 << 20), b""))


def write_full(file: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Write all of it: pipes and raw files take what they can.

    Non-blocking ones return None for nothing, or raise an error that says how much
    was taken: they are waited for. From an object that is no file, but has a `write`,
    None means that it does not count, and took all.

    Raises
    ------
    BlockingIOError
        If nothing can be taken now, and there is no descriptor to wait on.
    """
    view = memoryview(data).cast("B")
    while view:
        written: int | None
        try:
            written = file.write(view)
        except BlockingIOError as error:  # a buffer took what it has room for
            written = getattr(error, "characters_written", 0)
        if written:
            view = view[written:]
        elif isinstance(file, io.IOBase) or written == 0 or _is_non_blocking(file):
            _wait(file, "write")
        else:
            return


def _is_non_blocking(file: BinaryIO | io.RawIOBase) -> bool:
    """Has it a non-blocking descriptor?"""
    try:
        return not os.get_blocking(file.fileno())
    except (AttributeError, OSError):
        return False


def _wait(file: BinaryIO | io.RawIOBase, what: str) -> None:
    """Wait until a non-blocking file can be read or written."""
    if not (_is_non_blocking(file) and hasattr(select, "poll")):
        raise BlockingIOError(
            errno.EAGAIN,
            f"{what}() of {type(file).__name__} has no result, and there is no "
            "non-blocking descriptor to wait on: pass a file that blocks, and whose "
            "write() returns how many bytes it took",
        )
    poll = select.poll()
    poll.register(file.fileno(), select.POLLIN if what == "read" else select.POLLOUT)
    poll.poll()


@contextmanager
def _naming(name: str, also: str | None = None) -> Iterator[None]:
    """Let errors say `name` where they have none, or `also`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, also):
            error.filename = name
            if error.filename2 is not None:
                del error.filename2  # None would be shown
        raise


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

    def fileno(self) -> int:
        return self._file.fileno()


class Patient(io.RawIOBase):
    """A raw file that waits, writes all that it is given, and has a name in errors.

    Parameters
    ----------
    file : raw binary file
        It stays open when this is closed.
    name : str
    """

    def __init__(self, file: io.RawIOBase, name: str) -> None:
        self._file, self.name = file, name

    def readable(self) -> bool:
        return self._file.readable()

    def writable(self) -> bool:
        return self._file.writable()

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def readinto(self, buffer: Any) -> int:
        with _naming(self.name):
            while (n := self._file.readinto(buffer)) is None:
                _wait(self._file, "read")
        return n

    def write(self, data: Any) -> int:
        with _naming(self.name):
            write_full(cast(BinaryIO, self._file), data)
        return memoryview(data).nbytes


# ---- files


def is_plain(path: str | os.PathLike[str]) -> bool:
    """Is this a regular file, under a name of its own?

    /dev/stdin, /dev/fd/3 and the like are names for what is open, whatever that is.

    Raises
    ------
    OSError
        If something is there, and cannot be asked what it is.
    """
    found = _status(os.fspath(path))
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    streams = folder == "/dev" or folder.startswith("/proc/")
    return found is not None and stat.S_ISREG(found.st_mode) and not streams


def permissions(file: os.stat_result, group: int) -> int:
    """What a copy that belongs to `group` may permit, so that nobody gains by it."""
    mode = file.st_mode & 0o777
    if group != file.st_gid:  # members of one group are others to the other
        both = mode >> 3 & mode & 0o7
        mode = mode & 0o700 | both << 3 | both
    return mode


@contextmanager
def replacing(
    path: str | os.PathLike[str] | BinaryIO,
    *,
    force: bool = True,
    source: os.stat_result | None = None,
    mode: int = 0o777,
) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` if the block succeeds.

    It is written under a temporary name in the same directory, synchronised, given
    its name, and the directory is synchronised; if the block raises, `path` is as it
    was. Of a symbolic link the target is replaced. What exists and is not plain (a
    pipe, a device, a name for what is open) cannot be replaced, and is written to.

    Parameters
    ----------
    path : path or binary file
        An open file is written to as it is.
    force : bool
        Otherwise `path` must be new, when the block starts and when it ends: of
        several writers at once one succeeds.
    source : os.stat_result, optional
        The regular file that this one is made from: owner and group where the system
        allows it, permissions and times are taken over. Nobody else can read the
        file before that. By default owner, group and permissions are those of the
        file that is replaced, or of any new file.
    mode : int
        At most these permissions.

    Raises
    ------
    FileExistsError
        Without `force`, if `path` exists.
    TypeError
        If `path` is neither a path nor a binary file.
    OSError
        If it cannot be written; the error has the name `path`.
    """
    if not isinstance(path, str | os.PathLike):
        if not hasattr(path, "write"):
            raise TypeError(
                f"path must be a path or a binary file, not {reprlib.repr(path)}"
            )
        yield path
        return
    name = os.fspath(path)
    found = _status(name)
    if found is not None and not is_plain(name):
        append = stat.S_ISREG(found.st_mode)  # its other writers keep theirs
        with _naming(name), open(name, "ab" if append else "wb") as file:
            yield file
        return
    if found is not None and not force:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    like = found if source is None else source
    created = 0o666 & mode if like is None else 0o600
    # An error on the way to what is there must not make a link's own name of it.
    strict = found is not None and os.name == "posix"
    target = os.path.realpath(name, strict=strict)
    directory = os.path.dirname(target)
    temporary = os.path.join(directory, f".bbans-{os.urandom(8).hex()}")
    with _naming(name, temporary), _unfinished(temporary):
        with open(
            temporary, "xb", opener=lambda path, flags: os.open(path, flags, created)
        ) as file:
            yield file
            file.flush()
            number = file.fileno()
            if like is not None:
                _take_over(number, like, mode)
            if source is not None:
                with suppress(OSError):
                    os.utime(
                        number if os.utime in os.supports_fd else temporary,
                        ns=(source.st_atime_ns, source.st_mtime_ns),
                    )
            os.fsync(number)
        _give_name(temporary, target, force)
        _sync_directory(directory)


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a whole file, or leave `path` as it was."""
    with replacing(path) as file:
        write_full(file, data)


def _status(name: str) -> os.stat_result | None:
    """What `name` is, or None if a file can be made of that name."""
    try:
        return os.stat(name)
    except FileNotFoundError:
        if os.path.basename(name) in ("", ".", ".."):  # it can only be a directory
            raise
        return None


def _take_over(number: int, like: os.stat_result, mode: int) -> None:
    """Give an open file the owner, group and permissions of another, as far as user
    and file system may: what fails leaves it more private."""
    if not hasattr(os, "fchown"):  # Windows has neither
        return
    for owner, group in ((like.st_uid, -1), (-1, like.st_gid)):
        with suppress(OSError):
            os.fchown(number, owner, group)
    with suppress(OSError):
        os.fchmod(number, permissions(like, os.fstat(number).st_gid) & mode)


def _give_name(temporary: str, target: str, force: bool) -> None:
    """Rename; without `force` only to a name that is free."""
    if force:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)  # unlike a rename it fails if the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without links: take the name first
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _unfinished(target):
            os.replace(temporary, target)
    else:
        os.unlink(temporary)


def _sync_directory(path: str) -> None:
    """Make the names in a directory last, where it can be opened for that."""
    try:
        number = os.open(path, os.O_RDONLY)
    except PermissionError:  # not readable; or Windows
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # no such service
            raise
    finally:
        os.close(number)


@contextmanager
def locking(path: str | os.PathLike[str]) -> Iterator[io.FileIO]:
    """Open a file to read and write it, while nobody else does who asks by this.

    Readers are not kept out.

    Raises
    ------
    BlockingIOError
        If somebody has it; the error has the name `path`.
    OSError
        If it cannot be opened, or locked.
    """
    name = os.fspath(path)
    while True:
        with open(name, "r+b", buffering=0) as file:
            with _naming(name):
                _lock(file)
            # Its place may have been taken since it was opened.
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(name)):
                continue
            try:
                yield file
            finally:
                _unlock(file)
            return


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 62  # beyond all that is read: there locks keep readers out

    def _lock(file: io.FileIO) -> None:
        try:
            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            raise _locked() from None

    def _unlock(file: io.FileIO) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: io.FileIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked() from None

    def _unlock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _locked() -> BlockingIOError:
    return BlockingIOError(
        errno.EAGAIN, "somebody else is writing to it: try again when they are done"
    )


_UNFINISHED: set[str] = set()


@contextmanager
def _unfinished(path: str) -> Iterator[None]:
    """Remove `path` if the block fails. It need not exist yet: the name is known
    before the file is, so that an interrupt at any point removes it."""
    _UNFINISHED.add(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    finally:
        _UNFINISHED.discard(path)


def discard_unfinished() -> None:
    """Remove the files that are being written, before a signal ends the process."""
    for path in tuple(_UNFINISHED):
        with suppress(OSError):
            os.unlink(path)
