"""bbans FILE...: compress, restore, test and list files, with the options of gzip and
zstd."""

from __future__ import annotations

import argparse
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bbans import __version__
from bbans._files import Resumed, is_plain, read_full, write_full
from bbans._kinds import CONTAINER
from bbans.cli.options import (
    SUFFIX,
    Parser,
    add_force,
    add_levels,
    add_quiet,
    add_threads,
    model_of,
)
from bbans.cli.streams import (
    STDOUT,
    called,
    is_stdin,
    is_stdout,
    progress_bar,
    reading,
    say,
    text_of,
    writing,
)
from bbans.errors import BbansError, SymbolError, WrongModelError

if TYPE_CHECKING:
    from bbans.frozen.base import FrozenModel

__all__ = ["COMMANDS", "parser", "run"]

#: What a first word runs, each in a file of its name, as --help lists them.
COMMANDS = {
    "demo": "reproduce Figure 1 of the paper, or code images under a VAE",
    "train": "train a model on files",
    "compress": "compress a file, of samples, images or tables too",
    "decompress": "restore a file, or what is left of it",
    "pack": "make a record file of lines",
    "unpack": "restore the lines of a record file",
    "get": "print records of a record file",
    "export": "write a model as C for devices",
    "info": "describe a compressed file or a model",
}
MODEL_VARIABLE = "BBANS_MODEL"

USAGE = """bbans [OPTION ...] [FILE ...]
       bbans COMMAND [OPTION ...] [ARGUMENT ...]"""
ABOUT = f"""\
Compress each FILE to FILE{SUFFIX}, and keep FILE. Without FILE, or where it is -,
compress stdin to stdout."""
#: What --help and the man page end with.
EXAMPLES = """\
  bbans book.txt                             writes book.txt.bbz
  bbans -d book.txt.bbz                      restores book.txt
  tar -cf - folder | bbans -9 > folder.tar.bbz
  bbans -dc folder.tar.bbz | tar -xf -
  cat log | bbans | ssh host 'bbans -d > log'
  bbans -r --rm folder                       each file in it, which then goes
  bbans -l *.bbz
  bbans train book.txt -o book.bbm           a model of your own data
  bbans -m book.bbm book.txt                 -d needs -m too
  bbans compress --type int16 --channels 2 ecg.raw       integers over time
  bbans pack app.log                         app.log.bbr, lines by number
  bbans get app.log.bbr 5 100:110            line 5, and ten from 100 on
  bbans info book.txt.bbz
"""
NOTES = """\
exit codes: 0 done, 1 an error or a file left out (a line on stderr says which;
the other files are done), 2 wrong usage. A signal ends bbans as it ends other
programs, so that a shell shows 128 and its number; no unfinished file is left.

Outputs keep the permissions and the time of FILE; a model is as private as the
most private file that it is trained on. Without -f no output is replaced.
"""


def parser() -> Parser:
    """What reads the arguments."""
    commands = "".join(f"  {name:12} {text}\n" for name, text in COMMANDS.items())
    parser = Parser(
        intermixed=True,
        prog="bbans",
        usage=USAGE,
        description=ABOUT,
        epilog="commands, each with --help; `--` or `./` precedes a FILE of such a "
        f"name:\n{commands}\nexamples:\n{EXAMPLES}\n{NOTES}",
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help=argparse.SUPPRESS)
    for letter, name, text in (
        ("d", "decompress", f"restore each FILE{SUFFIX} to FILE"),
        ("t", "test", "decode and check each FILE, and write nothing"),
        ("l", "list", "list what each FILE holds; reads only heads and indices"),
        ("c", "stdout", "write to stdout, files one behind the other"),
    ):
        parser.add_argument(f"-{letter}", f"--{name}", action="store_true", help=text)
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="with -d or -t: leave damaged blocks out, name them, and exit with 1",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write to OUT, of one FILE; - is stdout"
    )
    add_force(
        parser,
        f"replace outputs, write to a terminal, compress FILE{SUFFIX}; with -dc, copy "
        "what is not compressed",
    )
    parser.add_argument(
        "-k",
        "--keep",
        action="store_false",
        dest="rm",
        default=False,
        help="keep each FILE, the default",
    )
    parser.add_argument(
        "--rm",
        action="store_true",
        help="delete each FILE when its output is complete and on disk",
    )
    parser.add_argument(
        "-r",
        "--recursive",
        action="store_true",
        help="of a FILE that is a directory, take all files in it; links in it are not "
        "followed",
    )
    add_quiet(parser, "no warnings, and no progress, on stderr")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say the sizes of each FILE"
    )
    add_levels(parser)
    add_threads(parser)
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help="a frozen model (.bbm), or one that comes with bbans: english, text, "
        f"digits, digit_rows (default: {MODEL_VARIABLE} in the environment, or none)",
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"bbans {__version__}"
    )
    parser.set_defaults(
        # What `bbans compress` and `bbans decompress` can be told beside these.
        binary=True, block_size=None, kind=None, type=None, channels=None, shape=None,
        axes=None, max_size=None,
    )  # fmt: skip
    return parser


def run(options: argparse.Namespace) -> bool:
    """Do what is asked with all files; return whether all went well."""
    _check(options)
    if options.list:
        from bbans.cli.listing import Listing  # the others do without

        listing = Listing(quiet=options.quiet)
        whole = _each(
            options,
            lambda name, found: (
                None if found and not _is_named(name) else listing.add(name)
            ),
        )
        listing.end()
        return whole
    options.binary = not (options.decompress or options.test)
    named = options.model or os.environ.get(MODEL_VARIABLE) or None
    model: FrozenModel | None = None
    missing: BbansError | OSError | None = None
    try:
        model = None if named is None else model_of(named)
    except (BbansError, OSError) as error:
        if options.model is not None or options.binary:
            raise
        missing = error  # of the environment, and what is restored may need none
    options.model = named
    work = _compress if options.binary else _decompress

    def turn(name: str, found: bool) -> bool:
        try:
            return work(name, found, options, model)
        except WrongModelError:
            if missing is None:
                raise
            raise missing from None

    return _each(options, turn)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that conflict, and a terminal to read from."""
    if options.salvage and not (options.decompress or options.test):
        options.wrong_usage("--salvage goes with -d or -t")
    if options.output is not None:
        if not options.output:  # as of a variable that is not set
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "")
        if len(options.files) > 1:
            options.wrong_usage("-o takes one FILE; -c writes all to stdout")
        for name in ("stdout", "test", "list"):
            if getattr(options, name):
                options.wrong_usage(f"-o does not go with --{name}")
    if not options.files:
        if not sys.stdin.closed and sys.stdin.isatty():
            options.wrong_usage("stdin is a terminal: say FILE, or - to type the input")
        options.files = ["-"]


# ---- which files


def _each(options: argparse.Namespace, work: Callable[[str, bool], object]) -> bool:
    """Work on every file, and go on after errors; return whether there was none.

    `work` takes a name, and whether it was found in a directory; False is an error
    that it has said itself.
    """
    whole = True
    for name, found in _files(options.files, options):
        try:
            if isinstance(found, OSError):
                raise found
            whole &= work(name, found) is not False
        except (BbansError, OSError, MemoryError, UnicodeError) as error:
            if isinstance(error, OSError) and error.filename == STDOUT:
                raise  # nothing more can be written
            text = text_of(error)
            if not isinstance(error, OSError) or error.filename is None:
                text = _named(text, called(name), options)
            say(text)
            whole = False
    return whole


def _named(text: str, name: str, options: argparse.Namespace) -> str:
    """What an error says, with a name before it: that of the file, if there is none."""
    outputs = name + SUFFIX, name.removesuffix(SUFFIX), options.output, STDOUT
    for known in (name, *outputs):
        if known and text.startswith((f"{known}: ", f"{known} ")):
            return text
    return f"{name}: {text}"


def _files(
    names: list[str], options: argparse.Namespace
) -> Iterator[tuple[str, bool | OSError]]:
    """Each file, and whether it was found in a directory, or why one cannot be read."""
    for name in names:
        if is_stdin(name) or not os.path.isdir(name):
            yield name, False
        elif options.recursive:
            yield from _below(name)
        else:
            text = f"{os.strerror(errno.EISDIR)}: -r takes what is in it"
            yield name, IsADirectoryError(errno.EISDIR, text, name)


def _below(folder: str) -> Iterator[tuple[str, bool | OSError]]:
    """The files in a directory, in order of their names; no links."""
    try:
        with os.scandir(folder) as found:  # whole: outputs appear beside them
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield folder, error
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path, True


# ---- one file


def _compress(
    name: str, found: bool, options: argparse.Namespace, model: FrozenModel | None
) -> bool:
    to_stdout = _to_stdout(name, options)
    told = options.force or (not found and (to_stdout or options.output is not None))
    if name.endswith(SUFFIX) and not told:
        if not options.quiet and (options.verbose or not found):
            say(f"{name}: already ends in {SUFFIX}: skipped")
        return True
    output = "-" if to_stdout else options.output or name + SUFFIX
    if not _can_stand_beside(name, output, options):
        return False
    from bbans.cli.arrays import is_array  # with numpy
    from bbans.cli.compress import compress_to
    from bbans.formats.coders import Coder, ModelCoder

    coder: Coder | None = None
    if model is not None:
        coder = ModelCoder(model, options.level)

    def code(sink: BinaryIO, source: BinaryIO, options: argparse.Namespace) -> None:
        with progress_bar(source, options.quiet) as progress:
            hints = options.verbose and not options.quiet
            try:
                compress_to(sink, source, coder, options, progress, hints=hints)
            except SymbolError as error:
                if not is_array(name):
                    raise
                raise SymbolError(
                    f"{error}: `bbans compress -m` codes the array that is in the "
                    "file, and not its bytes"
                ) from None

    _turn(name, output, options, code)
    return True


def _decompress(
    name: str, found: bool, options: argparse.Namespace, model: FrozenModel | None
) -> bool:
    to_stdout = _to_stdout(name, options)
    if found and not _is_named(name):
        return True
    if options.test:
        output = ""
    elif to_stdout or options.output is not None:
        output = "-" if to_stdout else options.output
    elif _is_named(name):
        output = name.removesuffix(SUFFIX)
    else:
        os.stat(name)  # is there one?
        if not options.quiet:
            records = name.endswith(".bbr")
            instead = "; `bbans unpack` restores a record file" if records else ""
            say(f"{name}: does not end in {SUFFIX}: skipped{instead}")
        return False
    if output and not _can_stand_beside(name, output, options):
        return False

    def decode(sink: BinaryIO, source: BinaryIO, options: argparse.Namespace) -> bool:
        if options.force and to_stdout:
            start = read_full(source, len(CONTAINER))
            source = cast(BinaryIO, Resumed(start, source))
            if start != CONTAINER:
                while part := read_full(source, 1 << 20):
                    write_full(sink, part)
                return True
        from bbans.cli.decompress import decompress_to

        with progress_bar(None, options.quiet) as progress:
            return decompress_to(sink, source, name, output, model, options, progress)

    return _turn(name, output, options, decode)


def _is_named(name: str) -> bool:
    """Whether a file has the name of a compressed one."""
    return name.endswith(SUFFIX) and os.path.basename(name) != SUFFIX


def _to_stdout(name: str, options: argparse.Namespace) -> bool:
    """Whether the output goes to stdout."""
    if options.output is not None:
        return is_stdout(options.output)
    return bool(options.stdout or is_stdin(name))


def _can_stand_beside(name: str, output: str, options: argparse.Namespace) -> bool:
    """Whether a file may be put beside this one; says so if not."""
    if is_stdout(output) or options.output is not None or is_stdin(name):
        return True
    os.stat(name)  # is there one?
    if is_plain(name):
        return True
    if not options.quiet:
        say(f"{name}: is no regular file: skipped")
    return False


class _Counted:
    """A file that counts the bytes that go through, or with None a sink of nothing."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file, self.n_bytes = file, 0

    def read(self, size: int = -1) -> bytes:
        part = cast(BinaryIO, self._file).read(size)
        self.n_bytes += len(part)
        return part

    def write(self, data: Any) -> int:
        if self._file is not None:
            write_full(self._file, data)
        n_bytes = memoryview(data).nbytes
        self.n_bytes += n_bytes
        return n_bytes

    def seekable(self) -> bool:
        return self._file is not None and self._file.seekable()

    def fileno(self) -> int:
        return cast(BinaryIO, self._file).fileno()


def _turn(
    name: str,
    output: str,
    options: argparse.Namespace,
    work: Callable[[BinaryIO, BinaryIO, argparse.Namespace], bool | None],
) -> bool:
    """Make one file of another, or with an empty name of none, as `work` does it: False
    from there says that it is not whole, and why has been said."""
    # What is checked and imitated is this file: there may be many.
    one = argparse.Namespace(**{**vars(options), "file": name, "files": ()})
    with reading(name) as source:
        before = None
        with suppress(OSError):  # captured, and no file
            before = os.fstat(source.fileno())
        read, sink = _Counted(source), _Counted(None)
        if not output:
            whole = work(cast(BinaryIO, sink), cast(BinaryIO, read), one)
        else:
            with writing(output, one, source) as file:
                sink = _Counted(file)
                whole = work(cast(BinaryIO, sink), cast(BinaryIO, read), one)
    if whole is False:
        return False
    if options.verbose:
        done = f"{called(name)}: {read.n_bytes} "
        if not output:
            done += f"bytes, {sink.n_bytes} restored: OK"
        else:
            done += f"-> {sink.n_bytes} bytes"
            if options.binary and read.n_bytes > 0:
                done += f" ({100 * sink.n_bytes / read.n_bytes:.1f} %)"
            done += f": {STDOUT if is_stdout(output) else output}"
        say(done)
    if options.rm and output:
        _remove(name, before, output)
    return True


def _remove(name: str, before: os.stat_result | None, output: str) -> None:
    """Remove an input, if it is in the output now, which is on disk."""
    if is_stdin(name) or not is_plain(output) or not is_plain(name):
        return
    after = os.stat(name)
    if before is None or os.path.samefile(name, output):
        return
    same = stat.S_ISREG(after.st_mode) and os.path.samestat(before, after)
    if not same or (before.st_size, before.st_mtime_ns) != (
        after.st_size, after.st_mtime_ns
    ):  # fmt: skip
        raise OSError("changed while it was read: kept")
    os.unlink(name)
