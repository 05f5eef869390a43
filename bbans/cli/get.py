"""bbans get: records of a record file, by their numbers."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NamedTuple

from bbans.cli.options import Parser, command_parser
from bbans.cli.unpack import add_file, opened
from bbans.errors import ModelError
from bbans.records.file import as_text_bytes

__all__ = ["parser", "run"]

_AT_A_TIME = 4096


class Selection(NamedTuple):
    """One number, or a slice of them."""

    text: str
    key: int | slice


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "get",
        "Write the records of FILE with the given numbers to stdout, one per line.",
    )
    add_file(parser)
    parser.add_argument(
        "records",
        metavar="K",
        nargs="+",
        type=selection,
        help="a number, counted from 0, or if negative from the end; or a range: 5:10 "
        "is 5 to 9, -3: the last three, ::100 every hundredth",
    )
    # Numbers from the end are no options, though they begin like one.
    vars(parser)["_negative_number_matcher"] = re.compile("-[0-9]+(:.*)?$")
    return parser


def selection(text: str) -> Selection:
    """Which records K stands for."""
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return Selection(text, int(text))
    if re.fullmatch(r"(-?[0-9]{1,18})?(:(-?[0-9]{1,18})?){1,2}", text):
        parts = [int(part) if part else None for part in text.split(":")]
        if parts[2:] != [0]:
            return Selection(text, slice(*parts))
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a number nor a range such as 5:10"
    )


def run(options: argparse.Namespace) -> None:
    """Show them."""
    with opened(options) as records:
        n, ending = len(records), records.terminator or b"\n"
        for text, key in options.records:
            if not isinstance(key, slice) and not -n <= key < n:
                raise ModelError(f"{options.file} has {n} records, and no {text}")
        sink = sys.stdout.buffer
        for _, key in options.records:
            if not isinstance(key, slice):
                sink.write(as_text_bytes(records[key]) + ending)
                continue
            numbers = range(*key.indices(n))
            for first in range(0, len(numbers), _AT_A_TIME):
                part = numbers[first : first + _AT_A_TIME]
                found = records[list(part)]
                sink.write(b"".join(as_text_bytes(record) + ending for record in found))
