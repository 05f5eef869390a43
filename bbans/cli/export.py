"""bbans export: write a model as C for devices."""

from __future__ import annotations

import argparse
from pathlib import Path

from bbans.cli.options import Parser, add_force, command_parser, model_of
from bbans.cli.streams import writing
from bbans.frozen.c_header import c_header

__all__ = ["parser", "run"]


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "export",
        "Write a frozen model as a C header for csrc/bbans_tiny.h: a hidden Markov "
        "model of at most 15 bits (train --prec 15) as constant tables, an "
        "autoregressive one as its model file, with which devices code records.",
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a frozen model")
    parser.add_argument(
        "--c-header",
        metavar="FILE",
        default="-",
        help="where the header goes; by default stdout",
    )
    parser.add_argument(
        "--name", default="model", help="C name of the model (default: %(default)s)"
    )
    add_force(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Write the header."""
    text = c_header(model_of(options.model), options.name)
    with writing(options.c_header, options) as sink:
        sink.write(text.encode("ascii"))
