"""Options: how they are read, and what several commands take."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from bbans._files import read_full
from bbans._threads import fitting
from bbans.cli.streams import reading, shown
from bbans.errors import FormatError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from bbans.frozen.base import FrozenModel

__all__ = [
    "SUFFIX",
    "Parser",
    "add_force",
    "add_levels",
    "add_quiet",
    "add_threads",
    "check_ranges",
    "command_parser",
    "context_order",
    "model_of",
    "size",
    "state_counts",
    "threads_of",
]

#: What the name of a compressed file ends in.
SUFFIX = ".bbz"
# As `bbans.formats.coders` has them, which takes a while to load; tests compare.
LEVEL_DEFAULT, LEVEL_MAX = 5, 9
# Bytes that a thread takes at the most with its block and the result: at level 9, whose
# blocks have 16 MiB, and at levels 1 and 2.
LONG_BLOCK, SHORT_BLOCK = 200 << 20, 8 << 20
MODEL_BYTES_MAX = 1 << 30  # no device is read without end


def _formatter(kind: type[argparse.HelpFormatter], prog: str) -> argparse.HelpFormatter:
    """Formats help, in the width of the terminal: argparse would import shutil, with
    all it has for archives, for that, and when an argument is added too."""
    try:
        width = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        try:
            width = os.get_terminal_size(1).columns
        except OSError:  # no terminal
            width = 0
    return kind(prog, width=(width or 80) - 2)


class Parser(argparse.ArgumentParser):
    """Says itself what it does not know, and does not hide that nobody reads it.

    Parameters
    ----------
    intermixed : bool
        Names may stand between options, which are not abbreviated.
    """

    def __init__(
        self, *, intermixed: bool = False, epilog: str | None = None, **options: Any
    ) -> None:
        kind = argparse.HelpFormatter
        if epilog is not None:
            kind = argparse.RawDescriptionHelpFormatter
        super().__init__(
            epilog=epilog,
            formatter_class=partial(_formatter, kind),
            allow_abbrev=not intermixed,
            **options,
        )
        self._intermixed = intermixed
        self._names: list[str] = []

    def add_argument(self, *flags: Any, **options: Any) -> argparse.Action:
        action = super().add_argument(*flags, **options)
        if not action.option_strings:
            self._names.append(action.dest)
        return action

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        args = sys.argv[1:] if args is None else list(args)
        after: list[str] = []
        if self._intermixed and "--" in args:
            end = args.index("--")
            args, after = args[:end], args[end + 1 :]
        unknown: list[str] = []
        if self._intermixed:
            found = self.parse_intermixed_args(args, namespace)
        else:
            found, unknown = self.parse_known_args(args, namespace)
        if "--" not in args:  # -9 is an option, though argparse takes it for a name
            for dest in self._names:
                value = getattr(found, dest)
                names = map(str, value if isinstance(value, list) else [value])
                unknown += [name for name in names if name[:1] == "-" < name]
        if unknown:
            wrong = [name for name in unknown if name.startswith("-")] or unknown
            self.error(f"unrecognized arguments: {' '.join(wrong)}")
        if after:
            found.files += after
        return found

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        try:
            (file or sys.stderr).write(message)
        except OSError:  # argparse would ignore a full disk
            if file is sys.stdout:
                raise


def command_parser(name: str, description: str) -> Parser:
    """The parser of a command, to add its arguments to."""
    parser = Parser(prog=f"bbans {name}", description=description)
    parser.set_defaults(binary=False)
    return parser


def add_quiet(parser: Parser, what: str = "no progress on stderr") -> None:
    """Add --quiet."""
    parser.add_argument("-q", "--quiet", action="store_true", help=what)


def add_force(parser: Parser, what: str = "replace an existing output") -> None:
    """Add --force."""
    parser.add_argument("-f", "--force", action="store_true", help=what)


def add_levels(parser: Parser) -> None:
    """Add -1 to -9."""
    for level in range(1, LEVEL_MAX + 1):
        shown = {1: "fast", LEVEL_MAX: "small"}.get(level)
        parser.add_argument(
            f"-{level}",
            action="store_const",
            const=level,
            dest="level",
            default=LEVEL_DEFAULT,
            help=argparse.SUPPRESS
            if shown is None
            else f"{shown}; -1 to -{LEVEL_MAX}, by default -{LEVEL_DEFAULT}",
        )


def add_threads(parser: Parser) -> None:
    """Add --threads."""
    parser.add_argument(
        "-T",
        "--threads",
        metavar="N",
        type=thread_count,
        default=0,
        help="code N blocks at a time; 0, the default: as many as there are cores, and "
        "memory for. The result does not depend on it",
    )


def threads_of(options: argparse.Namespace, level: int = LEVEL_MAX) -> int:
    """How many threads --threads stands for, to code at this level or a lower one."""
    return options.threads or fitting(LONG_BLOCK if level > 2 else SHORT_BLOCK)


def thread_count(text: str) -> int:
    """A number of threads, or 0."""
    if re.fullmatch("[0-9]{1,6}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of threads: say one, or 0 for all cores"
        )
    return int(text)


def check_ranges(
    options: argparse.Namespace, ranges: dict[str, tuple[str, int, int | None]]
) -> None:
    """Refuse numbers out of range before any work.

    Parameters
    ----------
    options : Namespace
    ranges : dict
        For an option, what its number is called in Python, the least and the most.

    Raises
    ------
    ModelError
        If an option is given and its number is not in its range.
    """
    for name, (argument, least, most) in ranges.items():
        value = getattr(options, name)
        if value is None or (least <= value and (most is None or value <= most)):
            continue
        bounds = f"{least} to {most}" if most is not None else f"at least {least}"
        option = "--" + name.replace("_", "-")
        raise ModelError(f"{option} {value}: {argument} must be {bounds}")


def size(text: str) -> int:
    """A number of bytes with or without a unit, as other tools of the shell take it."""
    form = r"([0-9]{1,30})(?:([KMGT])(i?B)?|B)?"
    match = re.fullmatch(form, text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: say a number, or one such as 10M, 1GiB or 5GB"
        )
    number, prefix, unit = match.groups("")
    base = 1000 if unit.upper() == "B" else 1024
    power: int = base ** (" KMGT".index(prefix.upper() or " "))
    return int(number) * power


def context_order(text: str) -> int | str:
    """How long contexts are: a number, or auto."""
    if text == "auto":
        return text
    if re.fullmatch("-?[0-9]{1,9}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no order: say a number of 0 to 16, or auto"
        )
    return int(text)


def state_counts(text: str) -> list[int]:
    """Numbers of states, divided by commas."""
    if re.fullmatch("[0-9]{1,9}(,[0-9]{1,9})*", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of numbers: say one such as 8,8"
        )
    return [int(number) for number in text.split(",")]


def model_of(path: Path | str) -> FrozenModel:
    """The model that --model names: of a file, or one that comes with bbans."""
    # Only when a model is named: they take a while to load.
    from bbans.frozen.base import FrozenModel
    from bbans.frozen.model_file import SHIPPED, shipped_model

    if str(path) in SHIPPED:
        return shipped_model(str(path))
    with reading(str(path)) as file:
        data = read_full(file, MODEL_BYTES_MAX + 1)
        if len(data) > MODEL_BYTES_MAX:
            raise FormatError("is too long for a model file")
        return FrozenModel.from_bytes(data)
