"""bbans info: describe a compressed file or a model."""

from __future__ import annotations

import argparse
import io
from pathlib import PurePath
from typing import BinaryIO, cast

from bbans._files import Resumed, read_all, read_full
from bbans._kinds import RECORDS, START_BYTES
from bbans.cli.options import Parser, add_force, command_parser
from bbans.cli.streams import reading, writing_file
from bbans.errors import ModelError
from bbans.formats.info import describe
from bbans.records.facts import record_file_facts

__all__ = ["parser", "run"]


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "info",
        "Say what a compressed file or a model file holds, and check every checksum, "
        "in little memory.",
    )
    parser.add_argument("file", metavar="FILE", help="- is stdin")
    parser.add_argument(
        "--plot",
        metavar="OUT",
        help="draw it as well, to a .png, .svg or .pdf: bits per element over the "
        "position, block by block, or the tables of a model; needs matplotlib, and "
        "the memory of the file",
    )
    add_force(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Print the facts."""
    form = "" if options.plot is None else _form_of(options.plot)
    with reading(options.file) as file:
        if form:
            held = bytes(read_all(file))
            file = io.BytesIO(held)
        start = read_full(file, START_BYTES)
        whole = cast(BinaryIO, Resumed(start, file))
        if start.startswith(RECORDS):
            facts = record_file_facts(whole)
        else:
            facts = describe(whole)
    for name, value in facts.items():
        print(f"{name + ':':13} {value}")
    if form:
        drawn = _drawn(held, form)
        with writing_file(options.plot, options) as sink:
            sink.write(drawn)


def _form_of(name: str) -> str:
    form = PurePath(name).suffix.lower()
    if form not in (".png", ".svg", ".pdf"):
        raise ModelError(f"--plot writes .png, .svg or .pdf, not {name!r}")
    return form[1:]


def _drawn(data: bytes, form: str) -> bytes:
    from bbans.plot.files import picture  # what draws, and takes a while to load

    try:
        return picture(data, form)
    except ImportError as error:  # no matplotlib
        raise ModelError(str(error)) from None
