"""Where the command line starts: finds the command, runs it, says what went wrong."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from bbans._files import discard_unfinished
from bbans.cli.options import Parser
from bbans.cli.shell import COMMANDS
from bbans.cli.streams import STDOUT, say, standard_streams, text_of
from bbans.errors import BbansError

__all__ = ["main", "parser"]

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    command = words.pop(0) if words and words[0] in COMMANDS else None
    with standard_streams(), _signals():
        if any("\0" in word for word in words):  # from Python: no system passes it on
            say("an argument has a NUL, which no name of a file can have")
            return EXIT_ERROR
        try:
            options = parser(command).parse_args(words)
            whole = options.run(options)
        except BrokenPipeError as error:
            if error.filename != STDOUT:
                say(text_of(error))
            return EXIT_ERROR  # the reader of our pipe went away, and knows
        except (BbansError, OSError, MemoryError, UnicodeError) as error:
            say(text_of(error))
            return EXIT_ERROR
    return EXIT_ERROR if whole is False else EXIT_OK


def parser(command: str | None = None) -> Parser:
    """What reads the arguments of a command, or those without one."""
    module = import_module(f"bbans.cli.{command or 'shell'}")  # and none of the others
    found: Parser = module.parser()
    found.set_defaults(run=module.run, wrong_usage=found.error)
    return found


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
