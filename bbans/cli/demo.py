"""bbans demo: the experiment of Figure 1 of the paper, in bits over h(x); or images
under a VAE."""

from __future__ import annotations

import argparse
import errno
import math
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bbans._files import read_all
from bbans.cli.options import Parser, add_quiet, check_ranges, command_parser
from bbans.cli.streams import check_not_read, reading
from bbans.errors import BbansError, ModelError
from bbans.frozen.base import FrozenModel

__all__ = ["Point", "experiment", "measure", "parser", "python_text", "run"]

LENGTHS = [2**k for k in range(2, 15)]
N_STATES = 64
N_SYMBOLS = 64
N_TRAIN = 6231  # characters, as in the paper's code
N_ITER = 100
N_IMAGES = 1000
# What is for one of the experiments alone.
FIGURE_OPTIONS, VAE_OPTIONS = ("text", "iterations"), ("data", "images")


def parser() -> Parser:
    """What reads the arguments."""
    parser = command_parser(
        "demo",
        "figure: compress samples of a random HMM and English text at T = 4 .. 16384, "
        "print the length of the message and its information content h(x), and draw "
        "the bits over h(x). vae: code images drawn from a variational autoencoder "
        "that comes with bbans, or digits of MNIST, decode and compare them, print "
        "bits per image beside the ELBO, and draw them.",
    )
    add_quiet(parser)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("figure", "vae"),
        default="figure",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--text",
        metavar="FILE",
        type=Path,
        help="UTF-8 text for the right panel (default: text that ships with Python)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PNG",
        type=Path,
        default=Path("bbans-demo.png"),
        help="where the figure goes (default: %(default)s)",
    )
    parser.add_argument(
        "--iterations",
        metavar="N",
        type=int,
        help=f"EM iterations for the text model (default: {N_ITER})",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="with vae: a folder with t10k-images-idx3-ubyte.gz, the test images of "
        "MNIST",
    )
    parser.add_argument(
        "--images",
        metavar="N",
        type=int,
        help=f"with vae: how many (default: {N_IMAGES})",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the experiment."""
    check_ranges(
        options,
        {
            "iterations": ("n_iter", 0, None),
            "images": ("n", 1, 1 << 20),
            "seed": ("seed", 0, None),
        },
    )
    for name in FIGURE_OPTIONS if options.what == "vae" else VAE_OPTIONS:
        if getattr(options, name) is not None:
            options.wrong_usage(f"--{name} does not go with {options.what}")
    if options.what == "vae":
        from bbans.cli.demo_vae import experiment as code_images

        n = N_IMAGES if options.images is None else options.images
        _check_folder(options.output)
        code_images(options.data, n, options.output, options.seed)
        return
    text = None
    if options.text is not None:
        with reading(str(options.text)) as file:
            text = read_all(file).decode("utf-8")
        if options.output.exists():
            check_not_read(options.output.stat(), str(options.output), options)
    experiment(
        text=text,
        figure=options.output,
        n_iter=N_ITER if options.iterations is None else options.iterations,
        seed=options.seed,
        progress=False if options.quiet else None,
    )


class Point(NamedTuple):
    """One row of the table."""

    length: int
    information_content: float
    """Bits, under the frozen model that codes."""
    message: int
    """Bits, whole bytes counted."""

    @property
    def ratio(self) -> float:
        """Message over information content, inf if that is 0."""
        content = self.information_content
        return self.message / content if content > 0 else math.inf

    @property
    def excess(self) -> float:
        """Bits of the message over the information content."""
        return self.message - self.information_content


def measure(
    model: FrozenModel, data: np.ndarray | str, lengths: list[int]
) -> list[Point]:
    """Code each leading part of `data`, decode it, and compare.

    Raises
    ------
    BbansError
        If what is decoded is not what was encoded.
    """
    from bbans.models.information import information_content

    points = []
    for length in lengths:
        part = data[:length]
        message = model.encode(part)
        if not np.array_equal(model.decode(message, length), part):
            raise BbansError(f"round trip failed at T = {length}")
        content = information_content(part, model)
        points.append(Point(length, content, 8 * len(message)))
    return points


def experiment(
    *,
    text: str | None = None,
    figure: Path | None = None,
    n_iter: int = N_ITER,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, list[Point]]:
    """Run both experiments, print their tables, and draw the figure.

    Parameters
    ----------
    text : str, optional
        Its first 6,231 characters train the model, those that follow are
        compressed. By default text that ships with Python.
    figure : Path, optional
        A PNG to write; needs matplotlib.
    n_iter : int
        EM iterations.
    seed : int
        Of all random numbers.
    progress : bool, optional
        Show a bar while training; None shows one on terminals.

    Returns
    -------
    dict of list of Point
        The two tables.
    """
    from bbans.models.hmm import HMM

    if figure is not None:
        _check_folder(figure)
    random = HMM.random(N_STATES, N_SYMBOLS, seed=seed)
    sample, _ = random.sample(LENGTHS[-1], seed=seed + 1)
    left = f"sample of a random HMM, {N_STATES} states, {N_SYMBOLS} symbols"
    tables = {left: measure(random.freeze(), sample, LENGTHS)}
    _print_table(left, tables[left])

    text = python_text() if text is None else text
    if len(text) < N_TRAIN + LENGTHS[0]:
        raise ModelError(f"the text must have more than {N_TRAIN} characters")
    alphabet = "".join(sorted(set(text)))
    start = time.perf_counter()
    trained = HMM.fit(
        text[:N_TRAIN], N_STATES, n_iter=n_iter, tol=0, alphabet=alphabet,
        seed=seed, progress=progress,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    rest = text[N_TRAIN:]
    right = f"English text, {N_STATES} states, {len(alphabet)} symbols"
    lengths = [length for length in LENGTHS if length <= len(rest)]
    tables[right] = measure(trained.freeze(), rest, lengths)
    _print_table(right, tables[right])
    print(
        f"trained on {N_TRAIN} characters by {len(trained.history) - 1} EM iterations "
        f"in {seconds:.1f} s; every message was decoded and compared"
    )
    if figure is not None:
        _draw(tables, figure)
    return tables


def _check_folder(figure: Path) -> None:
    """That a figure can be written, before any work."""
    if not figure.absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(figure))


def python_text() -> str:
    """English that ships with Python: the help topics of pydoc."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def _print_table(title: str, points: list[Point]) -> None:
    head = f"{'T':>7} {'h(x), bits':>12} {'message, bits':>14} {'over h(x)':>10}"
    print(f"{title}\n{head} {'ratio':>9}")
    for point in points:
        print(
            f"{point.length:7} {point.information_content:12.1f} "
            f"{point.message:14} {point.excess:10.1f} {point.ratio:9.5f}"
        )
    print()


def _draw(tables: dict[str, list[Point]], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "no figure: it needs matplotlib (pip install 'bbans[demo]')",
            file=sys.stderr,
        )
        return
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (title, points) in zip(
        figure.subplots(1, 2, sharey=True), tables.items(), strict=True
    ):
        axes.plot(
            [point.length for point in points],
            [point.excess for point in points],
            "o-",
            markersize=4,
        )
        axes.axhline(0, color="0.6", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("sequence length T")
        axes.set_title(title, fontsize=9)
    figure.axes[0].set_ylabel("bits over h(x), whole bytes counted")
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")
