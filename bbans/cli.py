"""The command line: bbans demo | train | compress | decompress | info | export."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from bbans import __version__, api, signals
from bbans._files import Resumed, read_full, replacing
from bbans._kinds import SIGNAL, START_BYTES, check_raw
from bbans.errors import BbansError, FormatError, ModelError, SymbolError
from bbans.export import c_header
from bbans.info import describe
from bbans.lgssm import NOISES, FrozenLGSSM
from bbans.models import ARHMM, HMM, LGSSM
from bbans.tables import FrozenHMM

__all__ = ["main"]

SUFFIX = ".bbz"
# What `train` takes for HMMs alone, and with --latents alone, by default.
HMM_OPTIONS = {
    "states": 64,
    "order": 0,
    "context_bytes": 200_000,
    "prec": 24,
    "seed": 0,
    "lines": False,
}
LATENT_OPTIONS = {"type": "uint8", "channels": 1, "noise": "gaussian"}
TYPES = ["int", *(str(dtype) for dtype in signals.CODES)]
EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 130  # argparse exits with 2

EPILOG = """\
examples:
  bbans compress book.txt                    writes book.txt.bbz
  bbans decompress book.txt.bbz -o copy.txt
  bbans train book.txt -o book.bbm           a model of your own data
  bbans compress -m book.bbm book.txt        decompress needs the same model
  bbans train --latents 4 --type int16 signal.raw -o signal.bbm
  bbans compress -m signal.bbm --type int16 signal.raw
  cat log | bbans compress - | ssh host 'bbans decompress - > log'
  bbans compress --type int16 --channels 2 ecg.raw     integers sampled over time
  bbans info book.txt.bbz

exit codes: 0 done, 1 an error (a line on stderr says which), 2 wrong usage,
130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    with suppress(ValueError):  # not the main thread: no signals here
        signal.signal(signal.SIGTERM, _interrupt)  # so that temporary files go
    try:
        code = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our pipe went away; keep the interpreter from saying so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("bbans: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (BbansError, OSError, MemoryError, UnicodeError) as error:
        print(f"bbans: {_one_line(error)}", file=sys.stderr)
        return EXIT_ERROR
    return EXIT_OK if code is None else code


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        )
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bbans",
        description="Lossless compression with state space models, by bits back "
        "coding (IconoCLaSM).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bbans {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Any, help: str, description: str) -> Any:
        sub = commands.add_parser(name, help=help, description=description)
        sub.set_defaults(
            run=run, binary=name in ("compress", "train"), wrong_usage=sub.error
        )
        if name not in ("export", "info"):
            sub.add_argument(
                "-q", "--quiet", action="store_true", help="no progress on stderr"
            )
        return sub

    demo = command(
        "demo",
        _demo,
        "reproduce Figure 1 of the paper",
        "Compress samples of a random HMM and English text at T = 4 .. 16384, print "
        "the ratio of message to information content, and draw the figure.",
    )
    demo.add_argument(
        "--text",
        metavar="FILE",
        type=Path,
        help="UTF-8 text for the right panel (default: text that ships with Python)",
    )
    demo.add_argument(
        "-o",
        "--output",
        metavar="PNG",
        type=Path,
        default=Path("bbans-demo.png"),
        help="where the figure goes (default: %(default)s)",
    )
    demo.add_argument(
        "--iterations",
        metavar="N",
        type=int,
        default=100,
        help="EM iterations for the text model (default: %(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="default: %(default)s")

    train = command(
        "train",
        _train,
        "train a model on files",
        "Train an HMM of bytes on files by EM and write it as a frozen model. Each "
        "file is one sequence, or with --lines each line. With --latents, train a "
        "linear Gaussian model of integers instead.",
    )
    train.add_argument(
        "files", metavar="FILE", nargs="+", help="training data; - is stdin"
    )
    train.add_argument(
        "-o", "--output", metavar="MODEL", required=True,
        help="the frozen model (.bbm); - is stdout",
    )  # fmt: skip
    train.add_argument(
        "-f", "--force", action="store_true", help="replace an existing model"
    )
    train.add_argument(
        "--states",
        metavar="K",
        type=int,
        help=f"hidden states (default: {HMM_OPTIONS['states']})",
    )
    train.add_argument(
        "--order", metavar="N", type=int,
        help="bytes before that emissions depend on too, at most 16: an autoregressive "
        f"model (default: {HMM_OPTIONS['order']})",
    )  # fmt: skip
    train.add_argument(
        "--context-bytes", metavar="N", type=int,
        help="with --order: about what they may take in the model "
        f"(default: {HMM_OPTIONS['context_bytes']})",
    )  # fmt: skip
    train.add_argument(
        "--iterations", metavar="N", type=int, default=50,
        help="EM iterations at most (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--prec", metavar="BITS", type=int,
        help=f"precision of the tables, 1 to 28 (default: {HMM_OPTIONS['prec']})",
    )  # fmt: skip
    train.add_argument("--seed", type=int, help=f"default: {HMM_OPTIONS['seed']}")
    train.add_argument(
        "--lines", action="store_const", const=True,
        help="each line is a sequence of its own",
    )  # fmt: skip
    train.add_argument(
        "--latents", metavar="N", type=int,
        help="train a linear Gaussian model of N latent dimensions",
    )  # fmt: skip
    train.add_argument(
        "--type", choices=TYPES,
        help="with --latents: the little-endian elements "
        f"(default: {LATENT_OPTIONS['type']})",
    )  # fmt: skip
    train.add_argument(
        "--channels", metavar="P", type=int,
        help="with --latents: elements sampled together "
        f"(default: {LATENT_OPTIONS['channels']})",
    )  # fmt: skip
    train.add_argument(
        "--noise", choices=NOISES,
        help="with --latents: shape of the noise "
        f"(default: {LATENT_OPTIONS['noise']})",
    )  # fmt: skip
    train.add_argument(
        "--save-float", metavar="NPZ", type=Path, help="also write the float model"
    )

    for name, run, verb in (
        ("compress", _compress, "compress"),
        ("decompress", _decompress, "restore"),
    ):
        sub = command(
            name,
            run,
            f"{verb} a file",
            f"{verb.capitalize()} FILE. An output file appears only when it is whole.",
        )
        sub.add_argument(
            "file", metavar="FILE", nargs="?", default="-",
            help="default -, stdin",
        )  # fmt: skip
        sub.add_argument(
            "-o", "--output", metavar="FILE",
            help="- is stdout; by default FILE with "
            + (f"{SUFFIX} added" if name == "compress" else f"{SUFFIX} taken off")
            + ", or stdout for stdin",
        )  # fmt: skip
        sub.add_argument(
            "-m", "--model", metavar="MODEL", type=Path,
            help="a frozen model (.bbm); by default English bytes",
        )  # fmt: skip
        sub.add_argument(
            "-f", "--force", action="store_true", help="replace an existing output"
        )
        if name == "compress":
            sub.add_argument(
                "--block-size", metavar="N", type=int, default=api.BLOCK_DEFAULT,
                help="symbols per block, at most 2^20 (default: %(default)s)",
            )  # fmt: skip
            sub.add_argument(
                "--type", choices=TYPES,
                help="FILE is a signal: little-endian integers (int: int32), under a "
                "model that is fitted to them, or under MODEL",
            )  # fmt: skip
            sub.add_argument(
                "--channels", metavar="N", type=int,
                help="with --type: values that are sampled together (default: 1, or as "
                "MODEL has)",
            )  # fmt: skip
        else:
            sub.add_argument(
                "--salvage", action="store_true",
                help="leave damaged blocks out, name them, and exit with 1",
            )  # fmt: skip
            sub.add_argument(
                "--max-size", metavar="SIZE", type=_size,
                help="refuse to write more bytes: a number, or one with K, M, G or T "
                "(powers of 1024, as are KiB ..; KB .. are powers of 1000); default: "
                "no limit",
            )  # fmt: skip

    export = command(
        "export",
        _export,
        "write a model as C tables for devices",
        "Write a frozen model of at most 15 bits (train --prec 15) as a C header of "
        "constant tables, for csrc/bbans_tiny.h.",
    )
    export.add_argument("model", metavar="MODEL", type=Path, help="a frozen model")
    export.add_argument(
        "--c-header", metavar="FILE", default="-",
        help="where the header goes; by default stdout",
    )  # fmt: skip
    export.add_argument(
        "--name", default="model", help="C name of the model (default: %(default)s)"
    )
    export.add_argument(
        "-f", "--force", action="store_true", help="replace an existing output"
    )

    info = command(
        "info",
        _info,
        "describe a compressed file or a model",
        "Say what a compressed file or a model file holds, and check every checksum, "
        "in little memory.",
    )
    info.add_argument("file", metavar="FILE", help="- is stdin")
    return parser


# ---- commands


def _demo(options: argparse.Namespace) -> None:
    from bbans import demo  # matplotlib is wanted only here

    demo.run(
        text=None if options.text is None else options.text.read_text(encoding="utf-8"),
        figure=options.output,
        n_iter=options.iterations,
        seed=options.seed,
        progress=False if options.quiet else None,
    )


def _train(options: argparse.Namespace) -> None:
    _check_train(options)
    if options.order and options.save_float is not None:
        raise ModelError("--save-float is for models without --order")
    if not 1 <= options.prec <= 28:
        raise ModelError(f"precision {options.prec} is outside 1 to 28 bits")
    floats = options.save_float
    if floats is not None and os.path.isfile(floats) and not options.force:
        raise ModelError(f"{floats} exists: say --force to replace it")
    with _sink(options.output, options) as output:  # possible before training?
        _train_to(output, options)


def _check_train(options: argparse.Namespace) -> None:
    """Refuse options that would do nothing; fill in the defaults of the others."""
    linear = options.latents is not None
    for name in HMM_OPTIONS if linear else LATENT_OPTIONS:
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            options.wrong_usage(
                f"{option} does not go with --latents"
                if linear
                else f"{option} needs --latents"
            )
    if options.context_bytes is not None and not options.order:
        options.wrong_usage("--context-bytes needs --order")
    for name, default in (HMM_OPTIONS | LATENT_OPTIONS).items():
        if getattr(options, name) is None:
            setattr(options, name, default)


def _train_to(output: BinaryIO, options: argparse.Namespace) -> None:
    data: list[bytes] = []
    for name in options.files:
        with _source(name) as file:
            content = file.read()
        data += content.splitlines(keepends=True) if options.lines else [content]
    if options.latents is not None:
        linear = _fit_lgssm(data, options)
        if options.save_float is not None:
            linear.save(options.save_float)
        frozen: Any = linear.freeze(noise=options.noise)
        rate = f"{linear.history[-1]:.3f} bits/integer"
    else:
        model = _fit_hmm(data, options)
        frozen = model.freeze(options.prec)
        rate = f"{model.history[-1].information_content:.3f} bits/byte"
    output.write(frozen.to_bytes())
    if not options.quiet:
        print(
            f"{options.output}: {frozen!r}, {rate} on its training data",
            file=sys.stderr if options.output == "-" else sys.stdout,
        )


def _fit_hmm(data: list[bytes], options: argparse.Namespace) -> HMM | ARHMM:
    how = {
        "n_iter": options.iterations,
        "seed": options.seed,
        "progress": False if options.quiet else None,
    }
    if options.order:
        return ARHMM.fit(
            data, options.states, order=options.order,
            max_bytes=options.context_bytes, **how,
        )  # fmt: skip
    model = HMM.fit(data, options.states, **how)
    if options.save_float is not None:
        model.save(options.save_float)
    return model


def _fit_lgssm(data: list[bytes], options: argparse.Namespace) -> LGSSM:
    dtype = _dtype(options.type)
    row = dtype.itemsize * options.channels
    if row < 1:
        raise ModelError("--latents takes 1 or more --channels")
    for name, content in zip(options.files, data, strict=True):
        check_raw(content[:START_BYTES], options.type, name)
        if len(content) % row:
            raise ModelError(f"{name} does not hold whole rows of {row} bytes")
    rows = [np.frombuffer(part, dtype).reshape(-1, options.channels) for part in data]
    return LGSSM.fit(rows, options.latents, n_iter=options.iterations)


def _compress(options: argparse.Namespace) -> None:
    output = options.output
    if output is None:
        output = "-" if options.file == "-" else options.file + SUFFIX
    if options.type is None and options.channels is not None:
        options.wrong_usage("--channels needs --type")
    if options.type is not None and options.model is None:
        with _source(options.file) as source, _sink(output, options) as sink:
            sink.write(_signal(source.read(), options))
        return
    model = _model(options.model)
    width = model.n_observed if isinstance(model, FrozenLGSSM) else 1
    if options.channels not in (None, width):
        options.wrong_usage(
            f"--channels {options.channels} conflicts with -m {options.model}: the "
            f"model has {width} observed dimension{'s' * (width > 1)}"
        )
    with (
        _source(options.file) as source,
        _progress(source, options.quiet) as progress,
        _sink(output, options) as sink,
    ):
        api.compress_file(
            source, sink, model, block_size=options.block_size,
            dtype=None if options.type is None else _dtype(options.type).name,
            progress=progress,
        )  # fmt: skip


def _size(text: str) -> int:
    """A number of bytes with or without a unit, as other tools of the shell take it."""
    match = re.fullmatch(r"(\d+)(?:([KMGT])(i?B)?|B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: say a number, or one such as 10M, 1GiB or 5GB"
        )
    number, prefix, unit = match.groups("")
    base = 1000 if unit.upper() == "B" else 1024
    power: int = base ** (" KMGT".index(prefix.upper() or " "))
    return int(number) * power


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype("int32" if name == "int" else name).newbyteorder("<")


def _signal(data: bytes, options: argparse.Namespace) -> bytes:
    dtype = _dtype(options.type)
    check_raw(data[:START_BYTES], options.type, options.file)
    channels = 1 if options.channels is None else options.channels
    if channels < 1:
        raise ModelError(f"there is no signal of {channels} channels")
    if len(data) % (dtype.itemsize * channels):
        raise SymbolError(
            f"{options.file}: {len(data)} bytes are no steps of {channels} "
            f"{options.type}"
        )
    values = np.frombuffer(data, dtype).reshape(-1, channels)
    return signals.signal_compress(values, block_size=options.block_size)


def _decompress(options: argparse.Namespace) -> int:
    model = _model(options.model)
    output = options.output
    if output is None:
        if options.file == "-":
            output = "-"
        elif options.file.endswith(SUFFIX) and options.file != SUFFIX:
            output = options.file.removesuffix(SUFFIX)
        else:
            raise ModelError(f"{options.file} does not end in {SUFFIX}: say -o OUTPUT")
    damaged: list[FormatError] = []

    def salvage(error: FormatError) -> None:
        damaged.append(error)
        print(f"bbans: {_one_line(error)}", file=sys.stderr)

    with (
        _source(options.file) as source,
        _progress(None, options.quiet) as progress,
        _sink(output, options) as sink,
    ):
        start = read_full(source, len(SIGNAL))
        whole = cast(BinaryIO, Resumed(start, source))
        if start == SIGNAL:
            reader = signals.SignalReader(whole, max_bytes=options.max_size)
            for values in reader.blocks(salvage if options.salvage else None):
                sink.write(values.astype(values.dtype.newbyteorder("<")).tobytes())
            return EXIT_ERROR if damaged else EXIT_OK
        api.decompress_file(
            whole, sink, model, salvage=salvage if options.salvage else None,
            progress=progress, max_bytes=options.max_size,
        )  # fmt: skip
    return EXIT_ERROR if damaged else EXIT_OK


def _export(options: argparse.Namespace) -> None:
    text = c_header(api.load_model(options.model), options.name)
    with _sink(options.c_header, options) as sink:
        sink.write(text.encode("ascii"))


def _info(options: argparse.Namespace) -> None:
    with _source(options.file) as file:
        facts = describe(file)
    for name, value in facts.items():
        print(f"{name + ':':13} {value}")


# ---- files


def _model(path: Path | None) -> FrozenHMM | FrozenLGSSM:
    return api.default_model() if path is None else api.load_model(path)


def _standard(stream: Any, name: str) -> BinaryIO:
    if stream is None:  # closed by the shell
        raise ModelError(f"standard {name} is closed")
    buffer: BinaryIO = stream.buffer
    return buffer


@contextmanager
def _source(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield _standard(sys.stdin, "input")
    else:
        with open(name, "rb") as file:
            yield file


@contextmanager
def _sink(name: str, options: argparse.Namespace) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdout is not None and sys.stdout.isatty() and options.binary:
            raise ModelError("this is no text for a terminal: say -o FILE")
        yield _standard(sys.stdout, "output")
        return
    if os.path.isfile(name) and not options.force:
        raise ModelError(f"{name} exists: say --force to replace it")
    with replacing(name) as file:
        yield file


@contextmanager
def _progress(source: BinaryIO | None, quiet: bool) -> Iterator[Any]:
    """A bar on stderr for work of more than a second, at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    total = None
    if source is not None and source.seekable():
        total = os.fstat(source.fileno()).st_size
    with tqdm(
        total=total, unit="B", unit_scale=True, delay=1, leave=False, file=sys.stderr
    ) as bar:
        yield bar.update


if __name__ == "__main__":
    sys.exit(main())
