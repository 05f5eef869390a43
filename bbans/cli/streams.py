"""Standard streams and named files: what commands read, write and say."""

from __future__ import annotations

import argparse
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bbans._files import Patient, is_plain, permissions, replacing
from bbans.errors import FormatError, LimitError, ModelError, SymbolError

if TYPE_CHECKING:  # whoever has a Path has imported it
    from pathlib import Path

__all__ = [
    "STDOUT",
    "beside",
    "called",
    "check_not_read",
    "is_stdin",
    "is_stdout",
    "progress_bar",
    "reading",
    "say",
    "shown",
    "standard_streams",
    "text_of",
    "writing",
    "writing_file",
]

STDIN, STDOUT = "standard input", "standard output"


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let the standard streams be files like others, that wait where they would block.

    One that is closed is open on the null device meanwhile: no file gets its number,
    and nobody's output. Its direction is the wrong one, so that use is an error; but
    what goes to standard error goes nowhere.
    """
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = _stream(sys.stdin, STDIN, "rb", os.O_WRONLY)
    sys.stdout = _stream(sys.stdout, STDOUT, "wb", os.O_RDONLY)
    sys.stderr = _stream(sys.stderr, "standard error", "wb", os.O_WRONLY)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


def _stream(stream: Any, name: str, mode: str, closed: int) -> Any:
    if stream is None:
        # Stays open: the lowest number that is free is that of the stream.
        raw: Any = io.FileIO(os.open(os.devnull, closed), mode, closefd=False)
    else:
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)
        if not isinstance(raw, io.RawIOBase):
            return stream  # somebody captures it
        if mode == "wb":
            stream.flush()
    file: Any = Patient(raw, name)
    return io.TextIOWrapper(
        io.BufferedReader(file) if mode == "rb" else file,
        encoding=getattr(stream, "encoding", None),
        errors="backslashreplace",
        write_through=True,
    )


def is_stdin(name: str | Path) -> bool:
    """Whether this name stands for standard input."""
    return str(name) in ("-", "/dev/stdin")


def is_stdout(name: str | Path) -> bool:
    """Whether this name stands for standard output."""
    return str(name) in ("-", "/dev/stdout")


def called(name: str) -> str:
    """What errors call a file."""
    return STDIN if is_stdin(name) else name


def beside(name: str, output: str) -> str:
    """Where the output for a file of this name goes by itself."""
    if is_stdin(name):
        return "-"
    os.stat(name)  # is there one?
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not is_plain(name):
        raise ModelError(f"{name} is no regular file to put another beside: say -o")
    return output


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """A file to read; errors about what is in it name it."""
    try:
        if is_stdin(name):
            if sys.stdin.closed:
                raise ModelError(f"{STDIN} can be read once: it is given twice")
            with sys.stdin:
                yield sys.stdin.buffer
        else:
            with open(name, "rb", buffering=0) as raw:
                yield cast(BinaryIO, io.BufferedReader(Patient(raw, name)))
    except (FormatError, LimitError, SymbolError) as error:
        text = str(error).replace("max_bytes", "--max-size")  # their names in Python
        option = "say it with -m"
        if "was compressed with codec" in text:  # -m takes models only
            option = "pass it to bbans.decompress, in Python"
        text = text.replace("pass it as `coder`", option)
        text = text.replace("as `coder`", "to bbans.decompress, in Python")
        error.args = (f"{called(name)}: {text}", *error.args[1:])
        raise


@contextmanager
def writing(
    name: str, options: argparse.Namespace, source: BinaryIO | None = None
) -> Iterator[BinaryIO]:
    """A file to write, or standard output.

    It is like `source` in permissions and times, or else as private as the most
    private of all that is read.
    """
    if not is_stdout(name):
        with writing_file(name, options, source) as file:
            yield file
        return
    if options.binary and not options.force and sys.stdout.isatty():
        raise ModelError(
            f"{STDOUT}: a terminal takes no compressed data: -f writes it, -o OUT a "
            "file"
        )
    with suppress(io.UnsupportedOperation):  # captured, and no file
        check_not_read(os.fstat(sys.stdout.fileno()), STDOUT, options)
    yield sys.stdout.buffer


@contextmanager
def writing_file(
    name: str | Path, options: argparse.Namespace, source: BinaryIO | None = None
) -> Iterator[BinaryIO]:
    """`writing`, where the name is always that of a file."""
    try:
        found = os.stat(name)
    except FileNotFoundError:
        found = None
    like = None
    if source is None:
        mode = _privacy(options)
    else:
        mode = 0o777
        with suppress(OSError):  # no file at all
            status = os.fstat(source.fileno())
            like = status if stat.S_ISREG(status.st_mode) else None
    in_place = found and like and is_plain(name) and os.path.samestat(found, like)
    if found is not None and not in_place:
        check_not_read(found, str(name), options)
    try:
        with replacing(name, force=options.force, source=like, mode=mode) as file:
            yield file
    except FileExistsError:
        raise ModelError(f"{name}: exists: -f replaces it") from None


def _inputs(options: argparse.Namespace) -> list[os.stat_result]:
    """What the command reads, as far as it is there."""
    given = vars(options)
    names = [given.get(name) for name in ("file", "model", "text")]
    found = []
    for name in filter(None, [*names, *given.get("files", ())]):
        with suppress(OSError, ValueError):  # missing, or captured
            found.append(os.stat(sys.stdin.fileno() if is_stdin(name) else name))
    return found


def check_not_read(
    output: os.stat_result, name: str, options: argparse.Namespace
) -> None:
    """Refuse to write to what is read; a terminal, or the null device, may be both."""
    if stat.S_ISCHR(output.st_mode) or stat.S_ISSOCK(output.st_mode):
        return
    if any(os.path.samestat(output, status) for status in _inputs(options)):
        raise ModelError(f"{name} is a file that is read: say another output")


def _privacy(options: argparse.Namespace) -> int:
    """The permissions that all files agree on that are read."""
    group = os.getegid() if hasattr(os, "getegid") else 0
    mode = 0o777
    for status in _inputs(options):
        if stat.S_ISREG(status.st_mode):
            mode &= permissions(status, group) | 0o700
    return mode


@contextmanager
def progress_bar(source: BinaryIO | None, quiet: bool) -> Iterator[Any]:
    """A bar on stderr for work of more than a second, at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    total, done, start = None, 0, monotonic()
    if source is not None and source.seekable():
        total = os.fstat(source.fileno()).st_size
    bar: Any = None

    def update(n: int) -> None:
        nonlocal bar, done
        done += n
        if bar is not None:
            bar.update(n)
        elif monotonic() - start > 1:  # else importing it were most of the work
            from tqdm import tqdm

            bar = tqdm(
                total=total, initial=done, unit="B", unit_scale=True, leave=False,
                file=sys.stderr,
            )  # fmt: skip

    try:
        yield update
    finally:
        if bar is not None:
            bar.close()


# ---- what is said


def text_of(error: BaseException) -> str:
    """What an error says to who calls the program."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f"{error.filename or repr('')}: "
        return name + error.strerror
    return str(error)


def shown(text: str) -> str:
    """On one line, and without what a terminal would obey: names may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(text: str) -> None:
    """Print a line on standard error."""
    with suppress(OSError):  # nobody is left to be told
        print(f"bbans: {shown(text)}", file=sys.stderr)
