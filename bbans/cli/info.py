"""bbans info: describe a compressed file or a model."""

from __future__ import annotations

import argparse
from typing import BinaryIO, cast

from bbans._files import Resumed, read_full
from bbans._kinds import RECORDS, START_BYTES
from bbans.cli.options import Parser, command_parser
from bbans.cli.streams import reading
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
    return parser


def run(options: argparse.Namespace) -> None:
    """Print the facts."""
    with reading(options.file) as file:
        start = read_full(file, START_BYTES)
        whole = cast(BinaryIO, Resumed(start, file))
        if start.startswith(RECORDS):
            facts = record_file_facts(whole)
        else:
            facts = describe(whole)
    for name, value in facts.items():
        print(f"{name + ':':13} {value}")
