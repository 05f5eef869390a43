"""Options: how they are read, and what several commands take."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bbans._files import read_all
from bbans.cli.streams import reading, shown
from bbans.errors import ModelError
from bbans.formats.axes import as_axes
from bbans.formats.container import FLOAT_NAMES
from bbans.frozen.base import FrozenModel
from bbans.frozen.model_file import SHIPPED, shipped_model

__all__ = [
    "TYPES",
    "Parser",
    "add_command",
    "add_force",
    "add_quiet",
    "axes_of",
    "check_ranges",
    "context_order",
    "dtype_of",
    "element_type",
    "model_of",
    "shape_of",
    "size",
    "state_counts",
    "type_name",
]

TYPES = ["int", *(f"{sign}int{8 << i}" for i in range(4) for sign in ("u", ""))]
#: Those of floats: numpy has the first three, which may be big-endian.
FLOATS = [*FLOAT_NAMES.values()]


class Parser(argparse.ArgumentParser):
    """Says itself what it does not know, and does not hide that nobody reads it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._names: list[str] = []

    def add_argument(self, *flags: Any, **options: Any) -> argparse.Action:
        action = super().add_argument(*flags, **options)
        if not action.option_strings:
            self._names.append(action.dest)
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        args = sys.argv[1:] if args is None else list(args)
        found, unknown = super().parse_known_args(args, namespace)
        if "--" not in args:  # -9 is an option, though argparse takes it for a name
            for dest in self._names:
                value = getattr(found, dest)
                names = map(str, value if isinstance(value, list) else [value])
                unknown += [name for name in names if name[:1] == "-" < name]
        if unknown:
            wrong = [name for name in unknown if name.startswith("-")] or unknown
            self.error(f"unrecognized arguments: {' '.join(wrong)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        try:
            (file or sys.stderr).write(message)
        except OSError:  # argparse would ignore a full disk
            if file is sys.stdout:
                raise


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], object],
    help: str,
    description: str,
) -> Parser:
    """Add the parser of a command, which `run` runs."""
    parser: Parser = commands.add_parser(name, help=help, description=description)
    parser.set_defaults(run=run, binary=False, wrong_usage=parser.error)
    return parser


def add_quiet(parser: Parser) -> None:
    """Add --quiet."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress on stderr"
    )


def add_force(parser: Parser, output: str = "output") -> None:
    """Add --force."""
    parser.add_argument(
        "-f", "--force", action="store_true", help=f"replace an existing {output}"
    )


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


def shape_of(text: str) -> tuple[int, ...]:
    """The shape of an array, divided by commas."""
    if re.fullmatch("(n|-1|[0-9]{1,18})(,[1-9][0-9]{0,17}){0,31}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape: say one such as 40,480,640, or n,480,640 for as "
            "many frames as there are; only the first may be n"
        )
    return tuple(-1 if number == "n" else int(number) for number in text.split(","))


def axes_of(text: str) -> str | tuple[str, ...]:
    """What axes are: a letter each, or names, divided by commas."""
    axes = tuple(text.split(",")) if "," in text else text
    try:
        as_axes(axes)
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return axes


def dtype_of(name: str) -> np.dtype[Any]:
    """The elements that --type names."""
    return np.dtype("int32" if name == "int" else name).newbyteorder("<")


def element_type(text: str) -> np.dtype[Any] | str:
    """The elements that compress --type names, of either byte order; a name where numpy
    has no such type."""
    name = text.removesuffix("be")
    dtype = None
    if name in FLOATS[3:] and name == text:
        return text
    if name in (*TYPES, *FLOATS[:3]):
        dtype = dtype_of(name)
    elif name == "bool" == text:
        dtype = np.dtype(bool)
    elif name.startswith(("datetime64", "timedelta64")):
        with suppress(TypeError, ValueError):
            dtype = np.dtype(name).newbyteorder("<")
    if dtype is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no type: say one of {', '.join(TYPES + FLOATS)}, bool, or "
            "one such as datetime64[ns]; a name that ends in be, as int16be, is "
            "big-endian"
        )
    return dtype if name == text else dtype.newbyteorder(">")


def type_name(dtype: np.dtype[Any]) -> str:
    """What --type calls a type of integers."""
    return dtype.name + "be" * (dtype.str[0] == ">")


def model_of(path: Path) -> FrozenModel:
    """The model that --model names: of a file, or one that comes with bbans."""
    if str(path) in SHIPPED:
        return shipped_model(str(path))
    with reading(str(path)) as file:
        return FrozenModel.from_bytes(read_all(file))
