"""bbans compress: compress a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import BinaryIO, cast

from bbans import api
from bbans._files import Resumed, read_full
from bbans.cli.arrays import (
    array_of,
    axes_of,
    element_type,
    is_array,
    shape_of,
    type_name,
)
from bbans.cli.options import (
    SUFFIX,
    Parser,
    add_force,
    add_levels,
    add_quiet,
    add_threads,
    check_ranges,
    command_parser,
    model_of,
    threads_of,
)
from bbans.cli.streams import (
    beside,
    called,
    progress_bar,
    reading,
    say,
    writing,
)
from bbans.errors import ModelError
from bbans.files.recognise import HEAD_BYTES, KINDS, file_coder, head_left
from bbans.formats.coders import ByteCoder, Coder, ModelCoder
from bbans.formats.container import BLOCK_BYTES_MAX
from bbans.formats.grid_coder import GridCoder
from bbans.formats.mixing_coder import MixingCoder

__all__ = ["compress_to", "parser", "run"]


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "compress",
        "Compress FILE. An output file appears only when it is whole.",
    )
    parser.set_defaults(binary=True)
    add_quiet(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="default -, stdin; arrays (.npy), sound (.wav) and tables (.csv) are "
        "known by what is in them, and come back to the byte; with MODEL, a .npy file "
        "is the array that it holds",
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
        help="a frozen model (.bbm), or one that comes with bbans: english, text, "
        "digits, digit_rows; by default bytes are coded by their own frequencies",
    )
    add_levels(parser)
    add_threads(parser)
    add_force(parser)
    parser.add_argument(
        "--block-size",
        metavar="N",
        type=int,
        help="elements per block, which take at most 16 MiB (default: 2^20 bytes, 2^18 "
        "elements of a signal, 2^22 of a grid in whole frames, 2^16 observations under "
        "MODEL)",
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=KINDS,
        help="what FILE is; auto, the default: its first bytes tell",
    )
    parser.add_argument(
        "--type",
        type=element_type,
        help="FILE is a signal, bare numbers under a model that is fitted to them, or "
        "under MODEL: int8 to int64, uint8 to uint64, int for int32, float16 to "
        "float64, bfloat16, float8_e4m3fn, float8_e5m2, bool, datetime64[ns] and the "
        "like; with be at the end, as int16be, big-endian",
    )
    parser.add_argument(
        "--channels",
        metavar="N",
        type=int,
        help="with --type: values that are sampled together (default: 1, or as MODEL "
        "has)",
    )
    parser.add_argument(
        "--shape",
        metavar="N,N,..",
        type=shape_of,
        help="with --type: of the array that FILE holds; n,480,640 for frames of 480 "
        "rows and 640 columns, as many as there are",
    )
    parser.add_argument(
        "--axes",
        metavar="AXES",
        type=axes_of,
        help="with --shape, or a .npy file: what the axes of images, video, volumes or "
        "maps are: a letter each, as tyx or yxc, or names, as time,lat,lon",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Compress a file."""
    check_ranges(options, {"block_size": ("block_size", 1, BLOCK_BYTES_MAX)})
    output = options.output
    if output is None:
        output = beside(options.file, options.file + SUFFIX)
    _check_axes(options)
    coder: Coder | None = None
    if options.axes is not None:
        coder = GridCoder(options.axes, options.level)
    if options.kind is not None and (options.type or options.model) is not None:
        options.wrong_usage("--as is for files without --type and -m")
    if options.model is None:
        if options.channels is not None and options.channels < 1:
            raise ModelError(f"--channels {options.channels}: a signal has at least 1")
    else:
        coder = ModelCoder(model_of(options.model), options.level)
        width = coder.width((0,))
        if options.channels not in (None, width):
            options.wrong_usage(
                f"--channels {options.channels} conflicts with -m {options.model}: the "
                f"model has {width} observed dimension{'s' * (width > 1)}"
            )
    if is_array(options.file) and options.type is not None:
        options.wrong_usage("--type is for bare numbers: a .npy file says its own")
    with (
        reading(options.file) as source,
        progress_bar(source, options.quiet) as progress,
        writing(output, options, source) as sink,
    ):
        if is_array(options.file) and (options.model or options.axes) is not None:
            array, size = array_of(source), options.block_size
            threads = threads_of(options, options.level)
            sink.write(api.compress(array, coder, block_size=size, threads=threads))
            return
        hints = not (options.kind or options.quiet)
        compress_to(sink, source, coder, options, progress, hints=hints)


def compress_to(
    sink: BinaryIO,
    source: BinaryIO,
    coder: Coder | None,
    options: argparse.Namespace,
    progress: Callable[[int], object] | None,
    *,
    hints: bool,
) -> None:
    """Compress a file as the options say, and with `hints` say what may be better."""
    if coder is None and options.type is None:
        head = read_full(source, HEAD_BYTES)
        head += read_full(source, head_left(head))
        coder = file_coder(head, options.kind or "auto", options.level)
        source = cast(BinaryIO, Resumed(head, source))
        if hints:
            _hint(head, coder, options.file)
    api.compress_file(
        source,
        sink,
        coder,
        level=options.level if coder is None else None,
        block_size=options.block_size,
        threads=threads_of(options, options.level),
        dtype=options.type,
        channels=1 if options.channels is None else options.channels,
        shape=options.shape,
        progress=progress,
    )


def _check_axes(options: argparse.Namespace) -> None:
    """Refuse options that say how elements lie where nothing does lie so."""
    for name in ("channels", "shape"):
        if options.type is None and getattr(options, name) is not None:
            options.wrong_usage(f"--{name} needs --type")
    if options.shape is not None and options.channels is not None:
        options.wrong_usage("--shape says all axes: leave out --channels")
    if options.axes is None:
        return
    if options.model is not None:
        options.wrong_usage("--axes is for arrays without -m")
    if options.shape is None and not is_array(options.file):
        options.wrong_usage("--axes is for a .npy file, or with --type and --shape")


def _hint(head: bytes, coder: Coder, name: str) -> None:
    """Say so if bytes look like samples, or an array like images: as these they would
    be smaller."""
    from bbans.files.hint import grid_axes, looks_like

    axes = grid_axes(head)
    if axes is not None and is_array(name):
        say(
            f"{called(name)}: this may be of images: --axes {axes}, or what the axes "
            "are, may make it smaller, and keeps the array, not its file"
        )
    guess = looks_like(head) if isinstance(coder, ByteCoder | MixingCoder) else None
    if guess is None:
        return
    dtype, channels = guess
    what, option = f"{dtype.name} samples", f"--type {type_name(dtype)}"
    if channels > 1:
        what += f" of {channels} channels"
        option += f" --channels {channels}"
    say(f"{called(name)}: these look like {what}: {option} may make them smaller")
