"""Where the command line starts: finds the command, runs it, says what went wrong."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from bbans import __version__
from bbans._files import discard_unfinished
from bbans.cli import (
    compress,
    decompress,
    demo,
    export,
    get,
    info,
    pack,
    train,
    unpack,
)
from bbans.cli.options import Parser
from bbans.cli.streams import STDOUT, say, standard_streams, text_of
from bbans.errors import BbansError

__all__ = ["main"]

# As --help lists them.
COMMANDS = [demo, train, compress, decompress, pack, unpack, get, export, info]
EXIT_OK, EXIT_ERROR = 0, 1  # argparse exits with 2
# What ends a program that does not know it: where the platform has the signal.
FATAL = [
    getattr(signal, name)
    for name in (
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGALRM", "SIGVTALRM", "SIGPROF",
        "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGBREAK",
    )
    if hasattr(signal, name)
]  # fmt: skip

EPILOG = """\
examples:
  bbans compress -9 book.txt                 writes book.txt.bbz
  bbans decompress book.txt.bbz -o copy.txt
  bbans train book.txt -o book.bbm           a model of your own data
  bbans compress -m book.bbm book.txt        decompress needs -m too
  bbans compress -m english book.txt         a model that bbans has
  bbans train --latents 4 --type int16 signal.raw -o signal.bbm
  bbans compress -m signal.bbm --type int16 signal.raw
  cat log | bbans compress - | ssh host 'bbans decompress - > log'
  bbans compress talk.wav                    also .npy and .csv: known by what they hold
  bbans compress --type int16 --channels 2 ecg.raw     integers sampled over time
  bbans pack app.log                         writes app.log.bbr, lines by number
  bbans get app.log.bbr 5 100:110            line 5, and ten from 100 on
  bbans info book.txt.bbz

exit codes: 0 done, 1 an error (a line on stderr says which), 2 wrong usage. A signal
ends bbans as it ends other programs, so that a shell shows 128 and its number, and
leaves no unfinished file.

Outputs keep the permissions and the time of FILE; a model is as private as the most
private file that it is trained on. Without --force an output that exists stays.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    with standard_streams(), _signals():
        try:
            options = parser().parse_args(arguments)
            whole = options.run(options)
        except BrokenPipeError as error:
            if error.filename != STDOUT:
                say(text_of(error))
            return EXIT_ERROR  # the reader of our pipe went away, and knows
        except (BbansError, OSError, MemoryError, UnicodeError) as error:
            say(text_of(error))
            return EXIT_ERROR
    return EXIT_ERROR if whole is False else EXIT_OK


def parser() -> Parser:
    """What reads the arguments of all commands."""
    parser = Parser(
        prog="bbans",
        description="Lossless compression with state space models, by bits back "
        "coding (IconoCLaSM).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bbans {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


@contextmanager
def _signals() -> Iterator[None]:
    """Remove unfinished files before a signal ends the program.

    It then ends as it would have without this. What was ignored stays so (nohup), and
    so does a handler of who calls us.
    """
    before: dict[int, Any] = {}

    def end(number: int, frame: object) -> None:
        discard_unfinished()
        restore()
        signal.raise_signal(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    with suppress(ValueError):  # not the main thread: no signals here
        for number in FATAL:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = handler
                signal.signal(number, end)
    try:
        yield
    finally:
        restore()
