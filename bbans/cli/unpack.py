"""bbans unpack: the text that a record file was made of."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from bbans.cli.options import Parser, add_force, command_parser, model_of
from bbans.cli.pack import SUFFIX
from bbans.cli.streams import beside, is_stdin, reading, say, writing
from bbans.errors import FormatError, ModelError
from bbans.records.file import Records, as_text_bytes

__all__ = ["add_file", "opened", "parser", "run"]


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "unpack",
        "Restore the file that `bbans pack` read, to the byte. An output file appears "
        "only when it is complete.",
    )
    add_file(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"- is stdout; by default FILE without {SUFFIX}",
    )
    add_force(parser)
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="write what can be decoded, list the damaged records on stderr, and exit "
        "with 1",
    )
    return parser


def run(options: argparse.Namespace) -> bool:
    """Restore the text; return whether it is whole."""
    output = options.output
    if output is None:
        output = beside(options.file, options.file.removesuffix(SUFFIX))
        if output in (options.file, ""):
            raise ModelError(f"{options.file} does not end in {SUFFIX}: say -o OUTPUT")
    with (
        opened(options) as records,
        reading(options.file) as source,
        writing(output, options, source) as sink,
    ):
        if options.salvage:
            whole = _salvage(records, sink, options.file)
        else:
            whole = True
            for part in records.texts():
                sink.write(part)
        if records.unfinished:
            say(
                f"{options.file}: the last {records.unfinished} bytes are no whole "
                "group: an append is under way or was interrupted, or they are damaged"
            )
            whole = False
    return whole


def _salvage(records: Records, sink: BinaryIO, name: str) -> bool:
    whole = True
    bad: list[int] = []

    def tell() -> None:
        if bad:
            numbers = f"{bad[0]}" if len(bad) == 1 else f"{bad[0]} to {bad[-1]}"
            say(f"{name}: not as written: record {numbers}")
            bad.clear()

    for number, record, intact in records.salvage():
        if bad and (intact or number != bad[-1] + 1):
            tell()
        if not intact:
            bad.append(number)
            whole = False
        if record is not None:
            sink.write(as_text_bytes(record) + records.terminator)
    tell()
    return whole


def add_file(parser: Any) -> None:
    """Add FILE and -m."""
    parser.add_argument("file", metavar="FILE", help="a record file")
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        type=Path,
        help="the frozen model (.bbm) of FILE, if FILE does not contain it",
    )


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Records]:
    """The record file; errors name it, and options."""
    name = options.file
    if is_stdin(name):
        raise ModelError("records are looked up in a file: it cannot be a stream")
    model = None if options.model is None else model_of(options.model)
    try:
        with Records(name, model, max_bytes=None) as records:
            yield records
    except FormatError as error:
        text = str(error).replace("as `model`", "with -m")
        if name not in text:
            text = f"{name}: {text}"
        error.args = (text, *error.args[1:])
        raise
