"""bbans compress: compress a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bbans import api
from bbans._files import read_all
from bbans._kinds import START_BYTES, check_raw
from bbans.cli.options import (
    TYPES,
    add_command,
    add_force,
    add_quiet,
    check_ranges,
    dtype_of,
    model_of,
)
from bbans.cli.streams import beside, progress_bar, reading, writing
from bbans.errors import ModelError, SymbolError
from bbans.formats import signals
from bbans.formats.container import BLOCK_MAX

__all__ = ["SUFFIX", "add", "run"]

SUFFIX = ".bbz"


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compress",
        run,
        "compress a file",
        "Compress FILE. An output file appears only when it is whole.",
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
        help="a frozen model (.bbm); by default English bytes",
    )
    add_force(parser)
    parser.add_argument(
        "--block-size",
        metavar="N",
        type=int,
        default=api.BLOCK_DEFAULT,
        help="symbols per block, at most 2^20 (default: %(default)s)",
    )
    parser.add_argument(
        "--type",
        choices=TYPES,
        help="FILE is a signal: little-endian integers (int: int32), under a model "
        "that is fitted to them, or under MODEL",
    )
    parser.add_argument(
        "--channels",
        metavar="N",
        type=int,
        help="with --type: values that are sampled together (default: 1, or as MODEL "
        "has)",
    )


def run(options: argparse.Namespace) -> None:
    """Compress a file."""
    check_ranges(options, {"block_size": ("block_size", 1, BLOCK_MAX)})
    output = options.output
    if output is None:
        output = beside(options.file, options.file + SUFFIX)
    if options.type is None and options.channels is not None:
        options.wrong_usage("--channels needs --type")
    if options.type is not None and options.model is None:
        with reading(options.file) as source, writing(output, options, source) as sink:
            sink.write(_signal(read_all(source), options))
        return
    model = model_of(options.model)
    width = model.width
    if options.channels not in (None, width):
        options.wrong_usage(
            f"--channels {options.channels} conflicts with -m {options.model}: the "
            f"model has {width} observed dimension{'s' * (width > 1)}"
        )
    with (
        reading(options.file) as source,
        progress_bar(source, options.quiet) as progress,
        writing(output, options, source) as sink,
    ):
        api.compress_file(
            source,
            sink,
            model,
            block_size=options.block_size,
            dtype=None if options.type is None else dtype_of(options.type).name,
            progress=progress,
        )


def _signal(data: bytes, options: argparse.Namespace) -> bytes:
    dtype = dtype_of(options.type)
    check_raw(data[:START_BYTES], options.type)
    channels = 1 if options.channels is None else options.channels
    if not 1 <= channels <= signals.CHANNELS_MAX:
        raise ModelError(
            f"--channels {channels}: a signal has 1 to {signals.CHANNELS_MAX}"
        )
    if len(data) % (dtype.itemsize * channels):
        raise SymbolError(
            f"{len(data)} bytes are no steps of {channels} {options.type}"
        )
    values = np.frombuffer(data, dtype).reshape(-1, channels)
    return signals.signal_compress(values, block_size=options.block_size)
