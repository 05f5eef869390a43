"""bbans demo vae: images under a variational autoencoder in integers."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.errors import BbansError, FormatError
from bbans.frozen.base import FrozenModel
from bbans.frozen.model_file import shipped_model
from bbans.message.message import Message

__all__ = ["Row", "experiment", "images_of", "measure"]

COUNTS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000]
SIDE = 28
SHOWN = 10  # images a row of the figure
BYTES = 512  # random ones for an image, more than it takes
DRAWS = 4  # for an ELBO

# A magic, the number of images, their height and width.
IDX = struct.Struct(">4I")
IDX_IMAGES = 0x803


class Row(NamedTuple):
    """One row of the table."""

    n: int
    elbo: float
    """Bits that bits back pays net, a mean over draws of the latents."""
    message: int
    """Bits, whole bytes and the start counted."""


def experiment(
    data: Path | None, n: int, figure: Path | None, seed: int = 0
) -> list[Row]:
    """Code images, decode them and compare; print a table, and draw.

    Parameters
    ----------
    data : Path, optional
        A folder with the test images of MNIST; by default images are drawn from the
        model.
    n : int
        Images, or fewer if there are not as many.
    figure : Path, optional
        A PNG to write; needs matplotlib.
    seed : int
        Of the images that are drawn, and of the bits that are lent for the ELBO.
    """
    model: Any = shipped_model("digits")
    rng = np.random.default_rng(seed)
    images: NDArray[Any]
    if data is None:
        images = model.sample(Message.from_bytes(rng.bytes(BYTES * n) + b"\1"), n)
        title = f"{len(images)} images drawn from the model"
    else:
        images = images_of(data)[:n]
        title = f"{len(images)} test images of MNIST, black and white"
    rows = measure(model, images, rng)
    print(f"{title}; {model!r}\n")
    print(f"{'images':>7} {'ELBO, bits per image':>21} {'used, bits per image':>21}")
    for row in rows:
        print(f"{row.n:7} {row.elbo / row.n:21.2f} {row.message / row.n:21.2f}")
    start = images[-model.start_length :]
    startup = 8 * len(model.encode(start)) - _elbo(model, start, rng)
    print(
        "\neach row is one message, whole bytes counted, decoded and compared;\n"
        f"the last {len(start)} images, which start it, take {startup:.0f} bits more "
        "than their ELBO"
    )
    if figure is not None:
        _draw(images, rows, figure)
    return rows


def measure(
    model: FrozenModel, images: NDArray[Any], rng: np.random.Generator
) -> list[Row]:
    """Code each leading part of the images, decode it, and compare.

    Raises
    ------
    BbansError
        If what is decoded is not what was encoded.
    """
    rows = []
    for n in [*(n for n in COUNTS if n < len(images)), len(images)]:
        part = images[:n]
        data = model.encode(part)
        if not np.array_equal(model.decode(data, n), part):
            raise BbansError(f"round trip failed for {n} images")
        rows.append(Row(n, _elbo(model, part, rng), 8 * len(data)))
    return rows


def _elbo(model: FrozenModel, images: NDArray[Any], rng: np.random.Generator) -> float:
    bits = 0.0
    for _ in range(DRAWS):
        message = Message.from_bytes(rng.bytes(2 * BYTES) + b"\1")
        before = message.bits
        model.push(message, images)
        bits += (message.bits - before) / DRAWS
    return bits


def images_of(folder: Path) -> NDArray[np.uint8]:
    """The test images of MNIST in a folder, as rows of bits: ink or not.

    Raises
    ------
    FormatError
        If there are none.
    """
    found = sorted(folder.glob("*t10k*images*idx3-ubyte*"))
    if not found:
        raise FormatError(
            f"{folder} has no test images of MNIST: a file such as "
            "t10k-images-idx3-ubyte.gz"
        )
    content = found[0].read_bytes()
    if found[0].suffix == ".gz":
        content = gzip.decompress(content)
    magic, n, height, width = (*IDX.unpack_from(content.ljust(IDX.size, b"\0")),)
    if magic != IDX_IMAGES or (height, width) != (SIDE, SIDE):
        raise FormatError(f"{found[0]} holds no images of {SIDE} x {SIDE}")
    if len(content) != IDX.size + n * SIDE * SIDE:
        raise FormatError(f"{found[0]} does not hold {n} images: it is not whole")
    grey = np.frombuffer(content, np.uint8, offset=IDX.size)
    return (grey >= 128).astype(np.uint8).reshape(n, -1)


def _draw(images: NDArray[Any], rows: Sequence[Row], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "no figure: it needs matplotlib (pip install 'bbans[demo]')",
            file=sys.stderr,
        )
        return
    shown = images[: SHOWN * SHOWN]
    lines = -(-len(shown) // SHOWN)
    canvas = np.zeros((SHOWN * lines, SIDE * SIDE), np.uint8)
    canvas[: len(shown)] = shown
    grid = canvas.reshape(lines, SHOWN, SIDE, SIDE).swapaxes(1, 2)
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(grid.reshape(lines * SIDE, -1), cmap="gray_r", interpolation="none")
    left.set_axis_off()
    left.set_title("images", fontsize=9)
    n = [row.n for row in rows]
    right.plot(n, [row.message / row.n for row in rows], "o-", markersize=4)
    right.plot(n, [row.elbo / row.n for row in rows], color="0.6", linewidth=1)
    right.legend(["message", "ELBO"])
    right.set_xscale("log")
    right.set_ylim(bottom=0)
    right.set_xlabel("images in a message")
    right.set_ylabel("bits per image, whole bytes counted")
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")
