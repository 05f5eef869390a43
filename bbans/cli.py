"""The command line: bbans demo | train | compress | decompress | info | export."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np

from bbans import __version__, api
from bbans._files import (
    Patient,
    Resumed,
    discard_unfinished,
    is_plain,
    permissions,
    read_all,
    read_full,
    replacing,
)
from bbans._kinds import SIGNAL, START_BYTES, check_raw
from bbans.errors import BbansError, FormatError, LimitError, ModelError, SymbolError
from bbans.formats import signals
from bbans.formats.container import BLOCK_MAX
from bbans.formats.info import describe
from bbans.frozen.c_header import c_header
from bbans.frozen.hmm import FrozenHMM
from bbans.frozen.lgssm import NOISES, FrozenLGSSM
from bbans.models import ARHMM, HMM, LGSSM
from bbans.models.hmm import MAX_STATES

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
# Options that are numbers: what they are called in Python, the least and the most.
RANGES = {
    "states": ("n_states", 1, MAX_STATES),
    "order": ("order", 0, 16),
    "context_bytes": ("max_bytes", 0, None),
    "iterations": ("n_iter", 0, None),
    "prec": ("prec", 8, 28),  # 256 symbols need 8 bits
    "seed": ("seed", 0, None),
    "latents": ("n_states", 1, 64),
    "channels": ("n_observed", 1, 64),
    "block_size": ("block_size", 1, BLOCK_MAX),
}
TYPES = ["int", *(str(dtype) for dtype in signals.CODES)]
EXIT_OK, EXIT_ERROR = 0, 1  # argparse exits with 2
# What ends a program that does not know it: where the platform has the signal.
FATAL = [
    getattr(signal, name)
    for name in (
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGALRM", "SIGVTALRM", "SIGPROF",
        "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGBREAK",
    )
    if hasattr(signal, name)
]  # fmt: skip

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

exit codes: 0 done, 1 an error (a line on stderr says which), 2 wrong usage. A signal
ends bbans as it ends other programs, so that a shell shows 128 and its number, and
leaves no unfinished file.

Outputs keep the permissions and the time of FILE; a model is as private as the most
private file that it is trained on. Without --force an output that exists stays.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    with _streams(), _signals():
        try:
            options = _parser().parse_args(arguments)
            code = options.run(options)
        except BrokenPipeError as error:
            if error.filename != STDOUT:
                _say(_text(error))
            return EXIT_ERROR  # the reader of our pipe went away, and knows
        except (BbansError, OSError, MemoryError, UnicodeError) as error:
            _say(_text(error))
            return EXIT_ERROR
    return EXIT_OK if code is None else code


@contextmanager
def _signals() -> Iterator[None]:
    """Remove unfinished files before a signal ends the program.

    It then ends as it would have without this. What was ignored stays so (nohup), and
    so does a handler of who calls us.
    """
    before: dict[int, Any] = {}

    def end(number: int, frame: object) -> None:
        discard_unfinished()
        restore()
        signal.raise_signal(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    with suppress(ValueError):  # not the main thread: no signals here
        for number in FATAL:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = handler
                signal.signal(number, end)
    try:
        yield
    finally:
        restore()


def _text(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f"{error.filename or repr('')}: "
        return name + error.strerror
    return str(error)


def _shown(text: str) -> str:
    """On one line, and without what a terminal would obey: names may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody is left to be told
        print(f"bbans: {_shown(text)}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Says itself what it does not know, and does not hide that nobody reads it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._names: list[str] = []

    def add_argument(self, *flags: Any, **options: Any) -> argparse.Action:
        action = super().add_argument(*flags, **options)
        if not action.option_strings:
            self._names.append(action.dest)
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        args = sys.argv[1:] if args is None else list(args)
        found, unknown = super().parse_known_args(args, namespace)
        if "--" not in args:  # -9 is an option, though argparse takes it for a name
            for dest in self._names:
                value = getattr(found, dest)
                names = map(str, value if isinstance(value, list) else [value])
                unknown += [name for name in names if name[:1] == "-" < name]
        if unknown:
            wrong = [name for name in unknown if name.startswith("-")] or unknown
            self.error(f"unrecognized arguments: {' '.join(wrong)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        super().error(_shown(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        try:
            (file or sys.stderr).write(message)
        except OSError:  # argparse would ignore a full disk
            if file is sys.stdout:
                raise


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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

    _check_ranges(options, "iterations", "seed")
    text = None
    if options.text is not None:
        with _source(str(options.text)) as file:
            text = read_all(file).decode("utf-8")
        if options.output.exists():
            _check_not_read(options.output.stat(), str(options.output), options)
    demo.run(
        text=text,
        figure=options.output,
        n_iter=options.iterations,
        seed=options.seed,
        progress=False if options.quiet else None,
    )


def _train(options: argparse.Namespace) -> None:
    _check_train(options)
    with (  # possible before training?
        _sink(options.output, options) as output,
        (
            nullcontext()
            if options.save_float is None
            else _replacing(options.save_float, options)
        ) as floats,
    ):
        frozen, rate = _train_to(output, floats, options)
    if not options.quiet and sys.__stdout__ is not None:  # or who would read it
        print(
            f"{_shown(options.output)}: {frozen!r}, {rate} on its training data",
            file=sys.stderr if _is_stdout(options.output) else sys.stdout,
        )


def _check_train(options: argparse.Namespace) -> None:
    """Refuse options that would do nothing, or fail; fill in the others' defaults."""
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
    if options.save_float is not None and (
        os.path.realpath(options.save_float) == os.path.realpath(options.output)
    ):
        options.wrong_usage("--save-float and --output are the same file")
    for name, default in (HMM_OPTIONS | LATENT_OPTIONS).items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    _check_ranges(options, *HMM_OPTIONS, *LATENT_OPTIONS, "iterations", "latents")
    if options.states > 1 << options.prec:
        raise ModelError(
            f"--prec {options.prec}: {options.states} states need "
            f"{(options.states - 1).bit_length()} bits"
        )
    if options.order and options.save_float is not None:
        raise ModelError("--save-float is for models without --order")


def _check_ranges(options: argparse.Namespace, *names: str) -> None:
    for name in RANGES.keys() & names:
        argument, least, most = RANGES[name]
        value = getattr(options, name)
        if value is None or (least <= value and (most is None or value <= most)):
            continue
        bounds = f"{least} to {most}" if most is not None else f"at least {least}"
        option = "--" + name.replace("_", "-")
        raise ModelError(f"{option} {value}: {argument} must be {bounds}")


def _train_to(
    output: BinaryIO, floats: BinaryIO | None, options: argparse.Namespace
) -> tuple[Any, str]:
    """Write the model; return it and its rate."""
    data: list[bytes] = []
    for name in options.files:
        with _source(name) as file:
            content = read_all(file)
        data += content.splitlines(keepends=True) if options.lines else [content]
    if not any(data):
        raise ModelError(f"{', '.join(options.files)}: no data to train on")
    if options.latents is not None:
        linear = _fit_lgssm(data, options)
        frozen: Any = linear.freeze(noise=options.noise)
        rate = f"{linear.history[-1]:.3f} bits/integer"
        model: Any = linear
    else:
        model = _fit_hmm(data, options)
        frozen = model.freeze(options.prec)
        rate = f"{model.history[-1].information_content:.3f} bits/byte"
    if floats is not None:
        model.save(floats)
    output.write(frozen.to_bytes())
    return frozen, rate


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
    return HMM.fit(data, options.states, **how)


def _fit_lgssm(data: list[bytes], options: argparse.Namespace) -> LGSSM:
    dtype = _dtype(options.type)
    row = dtype.itemsize * options.channels
    for name, content in zip(options.files, data, strict=True):
        check_raw(content[:START_BYTES], options.type, _called(name))
        if len(content) % row:
            raise ModelError(
                f"{_called(name)} does not hold whole rows of {row} bytes: see --type "
                "and --channels"
            )
    rows = [np.frombuffer(part, dtype).reshape(-1, options.channels) for part in data]
    return LGSSM.fit(rows, options.latents, n_iter=options.iterations)


def _compress(options: argparse.Namespace) -> None:
    _check_ranges(options, "block_size")
    output = options.output
    if output is None:
        output = _beside(options.file, options.file + SUFFIX)
    if options.type is None and options.channels is not None:
        options.wrong_usage("--channels needs --type")
    if options.type is not None and options.model is None:
        with _source(options.file) as source, _sink(output, options, source) as sink:
            sink.write(_signal(read_all(source), options))
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
        _sink(output, options, source) as sink,
    ):
        api.compress_file(
            source, sink, model, block_size=options.block_size,
            dtype=None if options.type is None else _dtype(options.type).name,
            progress=progress,
        )  # fmt: skip


def _size(text: str) -> int:
    """A number of bytes with or without a unit, as other tools of the shell take it."""
    form = r"([0-9]{1,30})(?:([KMGT])(i?B)?|B)?"
    match = re.fullmatch(form, text.strip(), re.IGNORECASE)
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


def _decompress(options: argparse.Namespace) -> int:
    model = _model(options.model)
    output = options.output
    if output is None:
        output = _beside(options.file, options.file.removesuffix(SUFFIX))
        if output in (options.file, "") and not _is_stdin(options.file):
            raise ModelError(f"{options.file} does not end in {SUFFIX}: say -o OUTPUT")
    damaged: list[FormatError] = []

    def salvage(error: FormatError) -> None:
        damaged.append(error)
        _say(f"{_called(options.file)}: {_text(error)}")

    with (
        _source(options.file) as source,
        _progress(None, options.quiet) as progress,
        _sink(output, options, source) as sink,
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
    text = c_header(_model(options.model), options.name)
    with _sink(options.c_header, options) as sink:
        sink.write(text.encode("ascii"))


def _info(options: argparse.Namespace) -> None:
    with _source(options.file) as file:
        facts = describe(file)
    for name, value in facts.items():
        print(f"{name + ':':13} {value}")


# ---- files


STDIN, STDOUT = "standard input", "standard output"


@contextmanager
def _streams() -> Iterator[None]:
    """Let the standard streams be files like others, that wait where they would block.

    One that is closed is open on the null device meanwhile: no file gets its number,
    and nobody's output. Its direction is the wrong one, so that use is an error; but
    what goes to standard error goes nowhere.
    """
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = _stream(sys.stdin, STDIN, "rb", os.O_WRONLY)
    sys.stdout = _stream(sys.stdout, STDOUT, "wb", os.O_RDONLY)
    sys.stderr = _stream(sys.stderr, "standard error", "wb", os.O_WRONLY)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


def _stream(stream: Any, name: str, mode: str, closed: int) -> Any:
    if stream is None:
        # Stays open: the lowest number that is free is that of the stream.
        raw: Any = io.FileIO(os.open(os.devnull, closed), mode, closefd=False)
    else:
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)
        if not isinstance(raw, io.RawIOBase):
            return stream  # somebody captures it
        if mode == "wb":
            stream.flush()
    file: Any = Patient(raw, name)
    return io.TextIOWrapper(
        io.BufferedReader(file) if mode == "rb" else file,
        encoding=getattr(stream, "encoding", None),
        errors="backslashreplace",
        write_through=True,
    )


def _is_stdin(name: str | Path) -> bool:
    return str(name) in ("-", "/dev/stdin")


def _is_stdout(name: str | Path) -> bool:
    return str(name) in ("-", "/dev/stdout")


def _called(name: str) -> str:
    return STDIN if _is_stdin(name) else name


def _beside(name: str, output: str) -> str:
    """Where the output for a file of this name goes by itself."""
    if _is_stdin(name):
        return "-"
    os.stat(name)  # is there one?
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not is_plain(name):
        raise ModelError(f"{name} is no regular file to put another beside: say -o")
    return output


def _model(path: Path | None) -> FrozenHMM | FrozenLGSSM:
    if path is None:
        return api.default_model()
    with _source(str(path)) as file:
        return api.read_model(read_all(file))


@contextmanager
def _source(name: str) -> Iterator[BinaryIO]:
    """A file to read; errors about what is in it name it."""
    try:
        if _is_stdin(name):
            if sys.stdin.closed:
                raise ModelError(f"{STDIN} can be read once: it is given twice")
            with sys.stdin:
                yield sys.stdin.buffer
        else:
            with open(name, "rb", buffering=0) as raw:
                yield cast(BinaryIO, io.BufferedReader(Patient(raw, name)))
    except (FormatError, LimitError, SymbolError) as error:
        text = str(error).replace("max_bytes", "--max-size")  # its name in Python
        error.args = (f"{_called(name)}: {text}", *error.args[1:])
        raise


@contextmanager
def _sink(
    name: str, options: argparse.Namespace, source: BinaryIO | None = None
) -> Iterator[BinaryIO]:
    """A file to write, or standard output.

    It is like `source` in permissions and times, or else as private as the most
    private of all that is read.
    """
    if not _is_stdout(name):
        with _replacing(name, options, source) as file:
            yield file
        return
    if sys.stdout.isatty() and options.binary:
        raise ModelError("this is no text for a terminal: say -o FILE")
    with suppress(io.UnsupportedOperation):  # captured, and no file
        _check_not_read(os.fstat(sys.stdout.fileno()), STDOUT, options)
    yield sys.stdout.buffer


@contextmanager
def _replacing(
    name: str | Path, options: argparse.Namespace, source: BinaryIO | None = None
) -> Iterator[BinaryIO]:
    try:
        found = os.stat(name)
    except FileNotFoundError:
        found = None
    like = None
    if source is None:
        mode = _privacy(options)
    else:
        mode = 0o777
        with suppress(OSError):  # no file at all
            status = os.fstat(source.fileno())
            like = status if stat.S_ISREG(status.st_mode) else None
    in_place = found and like and is_plain(name) and os.path.samestat(found, like)
    if found is not None and not in_place:
        _check_not_read(found, str(name), options)
    try:
        with replacing(name, force=options.force, source=like, mode=mode) as file:
            yield file
    except FileExistsError:
        raise ModelError(f"{name} exists: say --force to replace it") from None


def _inputs(options: argparse.Namespace) -> list[os.stat_result]:
    """What the command reads, as far as it is there."""
    given = vars(options)
    names = [given.get(name) for name in ("file", "model", "text")]
    found = []
    for name in filter(None, [*names, *given.get("files", ())]):
        with suppress(OSError, ValueError):  # missing, or captured
            found.append(os.stat(sys.stdin.fileno() if _is_stdin(name) else name))
    return found


def _check_not_read(
    output: os.stat_result, name: str, options: argparse.Namespace
) -> None:
    """Refuse to write to what is read; a terminal, or the null device, may be both."""
    if stat.S_ISCHR(output.st_mode) or stat.S_ISSOCK(output.st_mode):
        return
    if any(os.path.samestat(output, status) for status in _inputs(options)):
        raise ModelError(f"{name} is a file that is read: say another output")


def _privacy(options: argparse.Namespace) -> int:
    """The permissions that all files agree on that are read."""
    group = os.getegid() if hasattr(os, "getegid") else 0
    mode = 0o777
    for status in _inputs(options):
        if stat.S_ISREG(status.st_mode):
            mode &= permissions(status, group) | 0o700
    return mode


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
