"""bbans decompress: restore a file."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from bbans import api
from bbans._files import read_all
from bbans.cli.arrays import is_array
from bbans.cli.options import (
    SUFFIX,
    Parser,
    add_force,
    add_quiet,
    add_threads,
    command_parser,
    model_of,
    size,
    threads_of,
)
from bbans.cli.streams import (
    beside,
    called,
    is_stdin,
    progress_bar,
    reading,
    say,
    text_of,
    writing,
)
from bbans.errors import FormatError, ModelError
from bbans.formats.container import ContainerReader

if TYPE_CHECKING:
    from bbans.frozen.base import FrozenModel

__all__ = ["decompress_to", "parser", "run"]


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "decompress",
        "Restore FILE. An output file appears only when it is whole.",
    )
    add_quiet(parser)
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="default -, stdin"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"- is stdout; by default FILE with {SUFFIX} taken off, or stdout for "
        "stdin; an array goes to a .npy file with its header",
    )
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help="the frozen model (.bbm) that FILE names, if it does",
    )
    add_threads(parser)
    add_force(parser)
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="leave damaged blocks out, name them, and exit with 1",
    )
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        type=size,
        help="refuse to write more bytes: a number, or one with K, M, G or T (powers "
        "of 1024, as are KiB ..; KB .. are powers of 1000); default: no limit",
    )
    return parser


def run(options: argparse.Namespace) -> bool:
    """Restore a file; return whether it is whole."""
    output = options.output
    if output is None:
        output = beside(options.file, options.file.removesuffix(SUFFIX))
        if output in (options.file, "") and not is_stdin(options.file):
            raise ModelError(f"{options.file} does not end in {SUFFIX}: say -o OUTPUT")
    model = None if options.model is None else model_of(options.model)
    with (
        reading(options.file) as source,
        progress_bar(None, options.quiet) as progress,
        writing(output, options, source) as sink,
    ):
        return decompress_to(
            sink, source, options.file, output, model, options, progress
        )


def decompress_to(
    sink: BinaryIO,
    source: BinaryIO,
    name: str,
    output: str,
    model: FrozenModel | None,
    options: argparse.Namespace,
    progress: Callable[[int], object] | None,
) -> bool:
    """Restore the file of that name, an array as a .npy file if the output is named so;
    return whether it is whole: --salvage says what is not, and goes on."""
    most, threads = options.max_size, threads_of(options)
    damaged: list[FormatError] = []

    def salvage(error: FormatError) -> None:
        damaged.append(error)
        say(f"{called(name)}: {text_of(error)}")

    if is_array(output) and not options.salvage:
        data = read_all(source)
        if ContainerReader(memoryview(data)).header.is_array:
            array = api.decompress(data, model, max_bytes=most, threads=threads)
            np.lib.format.write_array(sink, array)
            return True
        source = cast(BinaryIO, io.BytesIO(data))
    api.decompress_file(
        source,
        sink,
        model,
        salvage=salvage if options.salvage else None,
        progress=progress,
        max_bytes=most,
        threads=threads,
    )
    return not damaged
