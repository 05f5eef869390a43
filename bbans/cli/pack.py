"""bbans pack: lines, or rows of a table, to a record file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bbans._files import read_all
from bbans.cli.options import (
    Parser,
    add_force,
    add_quiet,
    command_parser,
    model_of,
    size,
)
from bbans.cli.streams import beside, called, reading, writing
from bbans.errors import ModelError
from bbans.frozen.base import FrozenModel
from bbans.records.codec import RecordCodec
from bbans.records.file import Records, write_records
from bbans.records.text import FORMS, TextRecords, split_text

__all__ = ["SUFFIX", "parser", "run"]

SUFFIX = ".bbr"
# What a model may take by default: of few records it is most of the file.
LEAST_MODEL_BYTES, MOST_MODEL_BYTES, MODEL_PART = 4_000, 256_000, 10
# What a model is trained on: more makes it little better, and takes longer.
SAMPLE_BYTES = 500_000


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "pack",
        "Write a record file of the lines of FILE, or of the rows of a CSV file. "
        "`bbans get` reads any of them by its number, and `bbans unpack` restores "
        "FILE. A model is trained on FILE first, unless -m names one.",
    )
    parser.set_defaults(binary=True)
    add_quiet(parser)
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="default -, stdin"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"- is stdout; by default FILE with {SUFFIX} added, or stdout for stdin",
    )
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        type=Path,
        help="a frozen model of bytes or text (.bbm), or english",
    )
    add_force(parser)
    parser.add_argument(
        "-a",
        "--append",
        action="store_true",
        help="append to an existing output, under the model in it (or MODEL)",
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=FORMS,
        help="what a record is: a line, as of text, logs or JSON lines; or a row of a "
        "CSV file, which may contain line feeds in quotes (default: csv for FILE.csv, "
        "else lines)",
    )
    parser.add_argument(
        "--model-size",
        metavar="SIZE",
        type=size,
        help="maximum size of the trained model in the output: a number, or one with "
        f"K, M or G (default: 1/{MODEL_PART} of FILE, but {LEAST_MODEL_BYTES} to "
        f"{MOST_MODEL_BYTES})",
    )
    parser.add_argument(
        "--sample",
        metavar="SIZE",
        type=size,
        help="train on about this much of FILE, in records from all parts of it "
        f"(default: {SAMPLE_BYTES})",
    )
    parser.add_argument(
        "--checksums",
        action="store_true",
        help="add a checksum of 4 bytes to each record, so that damage affects fewer",
    )
    parser.add_argument(
        "--no-model",
        dest="embed",
        action="store_false",
        help="leave MODEL out of the output; reading it then needs -m too",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Write a record file."""
    output = options.output
    if output is None:
        output = beside(options.file, options.file + SUFFIX)
    if options.model is not None:
        for name in ("model_size", "sample"):
            if getattr(options, name) is not None:
                option = "--" + name.replace("_", "-")
                options.wrong_usage(f"{option} does not go with -m")
    elif not options.embed:
        options.wrong_usage("--no-model needs -m")
    model = None if options.model is None else model_of(options.model)
    form = options.form or ("csv" if options.file.endswith(".csv") else "lines")
    if options.append:
        _append(output, form, model, options)
        return
    with reading(options.file) as source, writing(output, options, source) as sink:
        text = split_text(read_all(source), form)
        records = _decoded(text)
        write_records(
            sink,
            records,
            model or _train(records, options),
            checksums=options.checksums,
            embed=options.embed,
            terminator=text.terminator,
            unterminated=lambda: text.unterminated,
        )


def _append(
    output: str, form: str, model: FrozenModel | None, options: argparse.Namespace
) -> None:
    for name in ("checksums", "force", "model_size", "sample"):
        if getattr(options, name):
            option = "--" + name.replace("_", "-")
            options.wrong_usage(f"{option} does not go with --append")
    with (
        reading(options.file) as source,
        Records(output, model) as records,
    ):
        if not records.terminator:
            raise ModelError(f"{output} does not say what ends a record of a text")
        text = split_text(read_all(source), form, records.terminator)
        added = _decoded(text) if records.kind == "text" else text.records
        if added and isinstance(added[0], bytes) and records.kind == "text":
            raise ModelError(
                f"{called(options.file)} is not UTF-8, and {output} holds text"
            )
        records._extend(added, text.unterminated)


def _decoded(text: TextRecords) -> list[Any]:
    """Records as str, if all are UTF-8."""
    try:
        return [record.decode("utf-8") for record in text.records]
    except UnicodeDecodeError:
        return text.records


def _train(records: list[Any], options: argparse.Namespace) -> RecordCodec:
    if not records:
        raise ModelError(
            f"{called(options.file)} is empty: there is nothing to train a model on; "
            "say -m MODEL"
        )
    most = SAMPLE_BYTES if options.sample is None else options.sample
    n_bytes = sum(map(len, records))
    step = max(-(-n_bytes // max(most, 1)), 1)
    limit = options.model_size
    if limit is None:
        limit = min(max(n_bytes // MODEL_PART, LEAST_MODEL_BYTES), MOST_MODEL_BYTES)
    return RecordCodec.train(
        records[::step],
        max_bytes=limit,
        progress=False if options.quiet else None,
    )
