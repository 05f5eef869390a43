"""bbans decompress: restore a file."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from bbans import api
from bbans._files import read_all
from bbans.cli.compress import SUFFIX
from bbans.cli.options import add_command, add_force, add_quiet, model_of, size
from bbans.cli.streams import (
    beside,
    called,
    is_array,
    is_stdin,
    progress_bar,
    reading,
    say,
    text_of,
    writing,
)
from bbans.errors import FormatError, ModelError
from bbans.formats.container import ContainerReader

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "decompress",
        run,
        "restore a file",
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
        type=Path,
        help="the frozen model (.bbm) that FILE names, if it does",
    )
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


def run(options: argparse.Namespace) -> bool:
    """Restore a file; return whether it is whole."""
    output = options.output
    if output is None:
        output = beside(options.file, options.file.removesuffix(SUFFIX))
        if output in (options.file, "") and not is_stdin(options.file):
            raise ModelError(f"{options.file} does not end in {SUFFIX}: say -o OUTPUT")
    model = None if options.model is None else model_of(options.model)
    damaged: list[FormatError] = []

    def salvage(error: FormatError) -> None:
        damaged.append(error)
        say(f"{called(options.file)}: {text_of(error)}")

    with (
        reading(options.file) as source,
        progress_bar(None, options.quiet) as progress,
        writing(output, options, source) as sink,
    ):
        if is_array(output) and not options.salvage:
            data = read_all(source)
            if ContainerReader(memoryview(data)).header.type is np.ndarray:
                array = api.decompress(data, model, max_bytes=options.max_size)
                np.lib.format.write_array(sink, array)
                return True
            source = cast(BinaryIO, io.BytesIO(data))
        api.decompress_file(
            source,
            sink,
            model,
            salvage=salvage if options.salvage else None,
            progress=progress,
            max_bytes=options.max_size,
        )
    return not damaged
