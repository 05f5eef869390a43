"""bbans train: train a model on files."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bbans._files import read_all
from bbans._kinds import START_BYTES, check_raw
from bbans.cli.arrays import TYPES, dtype_of
from bbans.cli.options import (
    Parser,
    add_force,
    add_quiet,
    check_ranges,
    command_parser,
    context_order,
    size,
    state_counts,
)
from bbans.cli.streams import called, is_stdout, reading, shown, writing, writing_file
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import MAX_SYMBOLS, Alphabet
from bbans.frozen.lgssm import NOISES

__all__ = ["parser", "run"]

GOING_ON: dict[str, Any] = {
    "checkpoint": None,
    "resume": False,
}  # all but context mixers
# What HMMs take, context mixers (--mixing), linear Gaussian models (--latents), HMMs of
# vectors (--gaussian) and latent trees (--tree), by default.
HMM_OPTIONS: dict[str, Any] = {
    "states": None,
    "levels": None,
    "order": 0,
    "model_size": 256_000,
    "prec": 24,
    "seed": 0,
    "lines": False,
    "ends": False,
    "text": False,
} | GOING_ON
MIXING_OPTIONS = {"model_size": 1 << 18, "lines": False, "ends": False, "text": False}
LATENT_OPTIONS = GOING_ON | {"type": "uint8", "channels": 1, "noise": "gaussian"}
GAUSSIAN_OPTIONS = GOING_ON | {
    "states": None,
    "type": "uint8",
    "channels": 1,
    "covariance": "full",
    "prec": 24,
    "seed": 0,
}
TREE_OPTIONS = GOING_ON | {"type": "uint8", "channels": 1, "prec": 24, "seed": 0}
STATES, STATES_OF_ORDER, STATES_OF_VECTORS = 64, 16, 8
ITERATIONS, EPOCHS, PASSES = 50, 20, 3
RANGES: dict[str, tuple[str, int, int | None]] = {
    "order": ("order", 0, 16),
    "iterations": ("n_iter", 0, None),
    "prec": ("prec", 8, 28),  # 256 symbols need 8 bits
    "seed": ("seed", 0, None),
    "latents": ("n_latents", 1, 64),
    "tree": ("n_states", 1, 4096),
    "channels": ("columns", 1, None),
}


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "train",
        "Train an HMM of bytes, or with --text of UTF-8, on files by EM and write it "
        "as a frozen model. Each file is one sequence, or with --lines each line. With "
        "--order, the model is autoregressive; with --levels, hierarchical. With "
        "--latents, train a linear Gaussian model of integers instead; with "
        "--gaussian, an HMM whose states emit rows of integers; with --tree, a latent "
        "tree over columns; with --mixing, a context mixer, which goes on "
        "learning while it codes. For records: --order auto --lines --ends, or "
        "--mixing --lines --ends --model-size 4M.",
    )
    parser.set_defaults(binary=True)
    add_quiet(parser)
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="training data; - is stdin"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="MODEL",
        required=True,
        help="the frozen model (.bbm); - is stdout",
    )
    add_force(parser, "replace an existing model")
    parser.add_argument(
        "--states",
        metavar="K",
        type=int,
        help=f"hidden states (default: {STATES}; with --order {STATES_OF_ORDER}, with "
        f"--gaussian {STATES_OF_VECTORS})",
    )
    parser.add_argument(
        "--levels",
        metavar="K,K,..",
        type=state_counts,
        help="train a hierarchical HMM: states of each level, the one next to the data "
        "first, for example 32,8; at most 8 levels",
    )
    parser.add_argument(
        "--order",
        metavar="N",
        type=context_order,
        help="train an autoregressive model, whose emissions also depend on up to N "
        f"bytes before, N <= 16, or auto (default: {HMM_OPTIONS['order']})",
    )
    parser.add_argument(
        "--model-size",
        metavar="SIZE",
        type=size,
        help="with --order or --mixing: maximum size of the model file, a number or "
        f"one with K, M or G (default: {HMM_OPTIONS['model_size']}; with --mixing "
        f"{MIXING_OPTIONS['model_size']})",
    )
    parser.add_argument(
        "--iterations",
        metavar="N",
        type=int,
        help=f"EM iterations at most (default: {ITERATIONS}); with --tree or --mixing, "
        f"passes over the data (default: {EPOCHS}, {PASSES})",
    )
    parser.add_argument(
        "--prec",
        metavar="BITS",
        type=int,
        help="precision of the tables, 8 to 28, with --order to 24 "
        f"(default: {HMM_OPTIONS['prec']})",
    )
    parser.add_argument("--seed", type=int, help=f"default: {HMM_OPTIONS['seed']}")
    parser.add_argument(
        "--lines",
        action="store_const",
        const=True,
        help="each line is a sequence of its own",
    )
    parser.add_argument(
        "--ends",
        action="store_const",
        const=True,
        help="with --lines: leave out line feeds and train the model to say where a "
        "line ends; best for records",
    )
    parser.add_argument(
        "--text",
        action="store_const",
        const=True,
        help="the files are text in UTF-8, and the model codes text",
    )
    parser.add_argument(
        "--mixing",
        action="store_const",
        const=True,
        help="train a context mixer",
    )
    parser.add_argument(
        "--latents",
        metavar="N",
        type=int,
        help="train a linear Gaussian model of N latent dimensions",
    )
    parser.add_argument(
        "--gaussian",
        action="store_const",
        const=True,
        help="train an HMM whose --states emit rows of --channels integers under "
        "Gaussians; at most 64 of either",
    )
    parser.add_argument(
        "--covariance",
        metavar="KIND",
        help="with --gaussian: full, diag, spherical or tied covariances "
        f"(default: {GAUSSIAN_OPTIONS['covariance']})",
    )
    parser.add_argument(
        "--tree",
        metavar="K",
        type=int,
        help="train a latent tree of K states for each of --channels columns",
    )
    parser.add_argument(
        "--type",
        choices=TYPES,
        help="with --latents, --gaussian or --tree: the little-endian elements "
        f"(default: {LATENT_OPTIONS['type']})",
    )
    parser.add_argument(
        "--channels",
        metavar="P",
        type=int,
        help="with --latents or --gaussian: elements sampled together, at most 64; "
        f"with --tree: of a row (default: {LATENT_OPTIONS['channels']})",
    )
    parser.add_argument(
        "--noise",
        choices=NOISES,
        help=f"with --latents: shape of the noise (default: {LATENT_OPTIONS['noise']})",
    )
    parser.add_argument(
        "--predictive",
        action="store_true",
        help="let it code by its predictive distribution alone, without bits back",
    )
    parser.add_argument(
        "--save-float", metavar="NPZ", type=Path, help="also write the float model"
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        help="keep the state of training in FILE, to go on from if it is interrupted",
    )
    parser.add_argument(
        "--resume",
        action="store_const",
        const=True,
        help="go on from --checkpoint, if there is one, to the model that training "
        "without a stop would give",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Train a model, write it, and say what it is."""
    _check(options)
    with (  # possible before training?
        writing(options.output, options) as output,
        (
            nullcontext()
            if options.save_float is None
            else writing_file(options.save_float, options)
        ) as floats,
    ):
        frozen, rate = _train_to(output, floats, options)
    if not options.quiet and sys.__stdout__ is not None:  # or who would read it
        print(
            f"{shown(options.output)}: {frozen!r}, {rate} on its training data",
            file=sys.stderr if is_stdout(options.output) else sys.stdout,
        )


def _check(options: argparse.Namespace) -> None:
    """Refuse options that would do nothing, or fail; fill in the others' defaults."""
    # Only this command needs what trains.
    from bbans.models.hierarchical_hmm import as_sizes
    from bbans.models.hmm import MAX_STATES

    kinds: dict[str, dict[str, Any]] = {
        "latents": LATENT_OPTIONS,
        "gaussian": GAUSSIAN_OPTIONS,
        "tree": TREE_OPTIONS,
        "mixing": MIXING_OPTIONS,
    }
    named = [kind for kind in kinds if getattr(options, kind) is not None]
    if len(named) > 1:
        options.wrong_usage(f"--{named[1]} does not go with --{named[0]}")
    taken = kinds[named[0]] if named else HMM_OPTIONS
    for name in HMM_OPTIONS | LATENT_OPTIONS | GAUSSIAN_OPTIONS:
        if getattr(options, name) is None or name in taken:
            continue
        option = "--" + name.replace("_", "-")
        if named:
            options.wrong_usage(f"{option} does not go with --{named[0]}")
        needed = " or ".join(f"--{kind}" for kind in kinds if name in kinds[kind])
        options.wrong_usage(f"{option} needs {needed}")
    if options.levels is not None:
        for name in ("states", "order", "model_size"):
            if getattr(options, name) is not None:
                option = "--" + name.replace("_", "-")
                options.wrong_usage(f"{option} does not go with --levels")
    if options.model_size is not None and not options.order and not options.mixing:
        options.wrong_usage("--model-size needs --order or --mixing")
    if options.ends and not options.lines:
        options.wrong_usage("--ends needs --lines")
    _check_checkpoint(options)
    if options.save_float is not None and (
        os.path.realpath(options.save_float) == os.path.realpath(options.output)
    ):
        options.wrong_usage("--save-float and --output are the same file")
    iterations = EPOCHS if options.tree else PASSES if options.mixing else ITERATIONS
    defaults = (
        HMM_OPTIONS
        | GAUSSIAN_OPTIONS
        | LATENT_OPTIONS
        | taken
        | {"iterations": iterations}
    )
    for name, default in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    if options.states is None:
        options.states = (
            STATES_OF_ORDER
            if options.order
            else STATES_OF_VECTORS
            if options.gaussian
            else STATES
        )
    ranges = RANGES | {"states": ("n_states", 1, MAX_STATES)}
    if options.order == "auto":
        del ranges["order"]
    if options.order:
        ranges["prec"] = ("prec", 8, 24)
    check_ranges(options, ranges)
    if options.latents is not None:
        check_ranges(options, {"channels": ("n_observed", 1, 64)})
    if options.gaussian:
        check_ranges(
            options, {"states": ("n_states", 1, 64), "channels": ("n_channels", 1, 64)}
        )
    if options.tree is not None:
        check_ranges(options, {"iterations": ("epochs", 1, None)})
    if options.mixing:
        check_ranges(options, {"iterations": ("n_iter", 1, None)})
    if options.levels is not None:
        as_sizes(options.levels)
    most = max(options.levels or [options.states])
    if most > 1 << options.prec:
        raise ModelError(
            f"--prec {options.prec}: {most} states need {(most - 1).bit_length()} bits"
        )


def _check_checkpoint(options: argparse.Namespace) -> None:
    """Refuse a file that is something else, or that would be lost."""
    if options.checkpoint is None:
        if options.resume:
            options.wrong_usage("--resume needs --checkpoint")
        return
    others = [*options.files, options.output, options.save_float]
    if os.path.realpath(options.checkpoint) in map(
        os.path.realpath, filter(None, others)
    ):
        options.wrong_usage(f"--checkpoint {options.checkpoint} is read or written too")
    if options.checkpoint.exists() and not (options.resume or options.force):
        raise ModelError(
            f"{options.checkpoint} exists: say --resume to go on from it, or --force "
            "to replace it"
        )


def _train_to(
    output: BinaryIO, floats: BinaryIO | None, options: argparse.Namespace
) -> tuple[Any, str]:
    """Write the model; return it and its rate."""
    data: list[bytes] = []
    for name in options.files:
        with reading(name) as file:
            content = read_all(file)
        if options.text:
            _check_text(content, called(name))
        data += _sequences(content, options)
    if not any(data):
        raise ModelError(f"{', '.join(options.files)}: no data to train on")
    if options.latents is not None:
        linear = _fit_lgssm(data, options)
        frozen: Any = linear.freeze(noise=options.noise, predictive=options.predictive)
        rate = f"{linear.history[-1]:.3f} bits/integer"
        model: Any = linear
    elif options.gaussian:
        model = _fit_vectors(data, options)
        frozen = model.freeze(options.prec, predictive=options.predictive)
        rate = f"{model.history[-1].information_content:.3f} bits/row"
    elif options.tree is not None:
        model = _fit_tree(data, options)
        kind = "bytes" if options.type == "uint8" else "integers"
        frozen = model.freeze(options.prec, kind=kind, predictive=options.predictive)
        rate = f"{model.history[-1]:.3f} bits/row"
    elif options.mixing:
        model = _fit_mixer(data, options)
        frozen = model.freeze()
        rate = f"{model.history[-1].information_content:.3f} bits/byte"
    else:
        model = _fit_hmm(data, options)
        frozen = model.freeze(options.prec, predictive=options.predictive)
        rate = f"{model.history[-1].information_content:.3f} bits/byte"
    if floats is not None:
        model.save(floats)
    output.write(frozen.to_bytes(packed=frozen.PACKS))
    return frozen, rate


def _sequences(content: bytes, options: argparse.Namespace) -> list[bytes]:
    if not options.ends:
        return content.splitlines(keepends=True) if options.lines else [content]
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _check_text(content: bytes, name: str) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise SymbolError(
            f"{name}: --text needs UTF-8, and byte {byte:#04x} at position "
            f"{error.start} is none"
        ) from None


def _fit_hmm(content: list[bytes], options: argparse.Namespace) -> Any:
    from bbans.models.arhmm import ARHMM
    from bbans.models.hierarchical_hmm import HierarchicalHMM
    from bbans.models.hmm import HMM

    data: Any = [part.decode() for part in content] if options.text else content
    how = {
        "alphabet": Alphabet.utf8() if options.text else None,
        "ends": options.ends,
        "n_iter": options.iterations,
        "seed": options.seed,
        "progress": False if options.quiet else None,
        **_going_on(options),
    }
    if options.levels is not None:
        return HierarchicalHMM.fit(data, options.levels, **how)
    if options.order:
        return ARHMM.fit(
            data,
            options.states,
            order=options.order,
            max_bytes=options.model_size,
            **how,
        )
    return HMM.fit(data, options.states, **how)


def _fit_mixer(content: list[bytes], options: argparse.Namespace) -> Any:
    from bbans.models.context_mixer import ContextMixer

    return ContextMixer.fit(
        [part.decode() for part in content] if options.text else content,
        max_bytes=options.model_size,
        ends=options.ends,
        n_iter=options.iterations,
        progress=False if options.quiet else None,
    )


def _fit_lgssm(data: list[bytes], options: argparse.Namespace) -> Any:
    from bbans.models.lgssm import LGSSM

    rows = _rows(data, options)
    return LGSSM.fit(
        rows, options.latents, n_iter=options.iterations, **_going_on(options)
    )


def _fit_vectors(data: list[bytes], options: argparse.Namespace) -> Any:
    from bbans.models.multivariate_gaussian_hmm import MultivariateGaussianHMM

    return MultivariateGaussianHMM.fit(
        _rows(data, options),
        options.states,
        covariance_type=options.covariance,
        n_iter=options.iterations,
        seed=options.seed,
        progress=False if options.quiet else None,
        **_going_on(options),
    )


def _fit_tree(data: list[bytes], options: argparse.Namespace) -> Any:
    from bbans.models.latent_tree import LatentTree

    x = np.concatenate(_rows(data, options))
    # One alphabet for all columns: files like these may have more in one of them.
    sizes = max(int(x.max()), 0) + 1
    if sizes > MAX_SYMBOLS:
        raise ModelError(
            f"a latent tree takes integers of 0 to {MAX_SYMBOLS - 1}, not {x.max()}"
        )
    return LatentTree.fit(
        x,
        options.tree,
        sizes=sizes,
        epochs=options.iterations,
        seed=options.seed,
        progress=False if options.quiet else None,
        **_going_on(options),
    )


def _going_on(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in GOING_ON}


def _rows(data: list[bytes], options: argparse.Namespace) -> list[NDArray[Any]]:
    """The elements of each file, --channels in a row."""
    dtype = dtype_of(options.type)
    row = dtype.itemsize * options.channels
    for name, content in zip(options.files, data, strict=True):
        check_raw(content[:START_BYTES], options.type, called(name))
        if len(content) % row:
            raise ModelError(
                f"{called(name)} does not hold whole rows of {row} bytes: see --type "
                "and --channels"
            )
    return [np.frombuffer(part, dtype).reshape(-1, options.channels) for part in data]
