"""Images and microscope video as grids: sizes and speeds, against their own codecs.

Of --data: video/bulk_water*.npy (frames x rows x columns, uint8), images/cifar10*.npy
as one mosaic and as images, images/mnist_t10k*.gz; without it made images. Sizes are of
whole containers, each decoded and compared; those of peers are of their files. Needs,
each optional, imagecodecs from PyPI (JPEG XL, PNG), and the programs ffmpeg (FFV1,
x265) and cwebp. Speeds are of one thread: process time, and of programs the clock on
the wall, start included. --quick takes few frames and images, and x265 at a preset that
takes less time.
"""

from __future__ import annotations

import gzip
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import made
import numpy as np
from report import Report, first_line, parser, use_isa

import bbans
from bbans.formats import GridCoder

LEVELS = FAST, DEFAULT, BEST = 1, 5, 9
Array = np.ndarray[Any, np.dtype[Any]]
# To the smallest of the video codecs, and to WebP, at the default level and the best.
VIDEO, MOSAIC = (1.05, 1.0), 1.03


class Coded(NamedTuple):
    """What a codec made of an array."""

    size: int
    encode: float  # seconds
    decode: float | None


def timed(run: Callable[[], Any], timer: Callable[[], float]) -> tuple[Any, float]:
    start = timer()
    result = run()
    return result, timer() - start


def ours(x: Array, axes: str, level: int) -> Coded:
    coder = GridCoder(axes, level)
    blob, encode = timed(lambda: bbans.compress(x, coder), time.process_time)
    found, decode = timed(lambda: bbans.decompress(blob), time.process_time)
    assert np.array_equal(found, x)
    return Coded(len(blob), encode, decode)


def video(program: str, x: Array, *options: str) -> Coded:
    """By ffmpeg, from and to raw grey frames, in one thread."""
    rows, columns = x.shape[1:]
    raw = ["-f", "rawvideo", "-pix_fmt", "gray"]
    quiet = [program, "-y", "-loglevel", "error"]
    with tempfile.TemporaryDirectory() as folder:
        source, file = Path(folder, "x.raw"), Path(folder, "x.mkv")
        source.write_bytes(np.ascontiguousarray(x).tobytes())
        run = partial(subprocess.run, check=True, capture_output=True)
        size = ["-s", f"{columns}x{rows}", "-r", "25"]
        _, encode = timed(
            lambda: run(
                [*quiet, *raw, *size, "-i", source, "-threads", "1", *options, file]
            ),
            time.perf_counter,
        )
        done, decode = timed(
            lambda: run([*quiet, "-threads", "1", "-i", file, *raw, "-"]),
            time.perf_counter,
        )
        assert np.array_equal(np.frombuffer(done.stdout, "u1").reshape(x.shape), x)
        return Coded(file.stat().st_size, encode, decode)


def webp(program: str, codecs: Any, x: Array) -> Coded:
    """cwebp -z 9, of a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        source, file = Path(folder, "x.png"), Path(folder, "x.webp")
        source.write_bytes(codecs.png_encode(x))
        command = [program, "-quiet", "-lossless", "-z", "9", source, "-o", file]
        _, encode = timed(
            lambda: subprocess.run(command, check=True), time.perf_counter
        )
        found, decode = timed(
            lambda: codecs.webp_decode(file.read_bytes()), time.process_time
        )
        assert np.array_equal(found, x)
        return Coded(file.stat().st_size, encode, decode)


def still(
    encode: Callable[[Array], bytes], decode: Callable[[bytes], Array], x: Array
) -> Coded:
    data, spent = timed(lambda: encode(x), time.process_time)
    found, back = timed(lambda: decode(data), time.process_time)
    assert np.array_equal(np.reshape(found, x.shape), x)
    return Coded(len(data), spent, back)


def add(rows: Report, what: str, x: Array, coded: Coded, target: float | None) -> None:
    rows.add(what, coded.size, "bytes", at_most=target)
    rows.add(f"{what}, encode", x.size / coded.encode / 1e6, "M values/s")
    if coded.decode is not None:
        rows.add(f"{what}, decode", x.size / coded.decode / 1e6, "M values/s")


def compare(
    rows: Report, name: str, x: Array, axes: str, peers: dict[str, Coded],
    limits: dict[int, float],
) -> None:  # fmt: skip
    """One array at each level, beside its peers."""
    for peer, coded in peers.items():
        add(rows, f"{name}, {peer}", x, coded, None)
    isa = use_isa()
    for level in LEVELS:
        add(
            rows,
            f"{name}, level {level}, {isa}",
            x,
            ours(x, axes, level),
            limits.get(level),
        )


def microscope(rows: Report) -> None:
    paths = rows.files("video/bulk_water*.npy", "microscope video")
    x = np.load(paths[0]) if paths else made.frames(8, 96, 128)
    name = "bulk_water" if paths else "made video"
    if rows.quick:
        x = x[:4, :200, :320]
    peers = {}
    if program := rows.program("ffmpeg", "FFV1 and x265"):
        rows.used(first_line(program, "-version"))
        peers["FFV1 level 3"] = video(
            program, x, "-c:v", "ffv1", "-level", "3", "-coder", "1", "-context", "1",
            "-g", str(len(x)),
        )  # fmt: skip
        preset = "medium" if rows.quick else "veryslow"
        peers[f"x265 lossless {preset}"] = video(
            program, x, "-c:v", "libx265", "-preset", preset, "-pix_fmt", "gray",
            "-x265-params", "lossless=1:log-level=error",
        )  # fmt: skip
    limits = {}
    if peers and paths and not rows.quick:
        least = min(coded.size for coded in peers.values())
        limits = {DEFAULT: VIDEO[0] * least, BEST: VIDEO[1] * least}
    compare(rows, name, np.ascontiguousarray(x), "tyx", peers, limits)


def mosaic_of(x: Array, across: int) -> Array:
    """Images side by side, `across` in a row."""
    n, rows, columns, bands = x.shape
    grid = x.reshape(n // across, across, rows, columns, bands)
    return np.ascontiguousarray(
        grid.transpose(0, 2, 1, 3, 4).reshape(
            n // across * rows, across * columns, bands
        )
    )


def colours(rows: Report) -> None:
    paths = rows.files("images/cifar10*.npy", "colour images")
    x = np.load(paths[0]) if paths else made.frames(40, 32, 32, 3)
    name = "CIFAR" if paths else "made colours"
    x = x[: 100 if rows.quick else 1000]
    mosaic = mosaic_of(x, 10 if len(x) <= 100 else 40)
    peers, limits = {}, {}
    if codecs := rows.peer("imagecodecs", "WebP, JPEG XL, PNG"):
        for effort in (7,) if rows.quick else (7, 9):
            peers[f"JPEG XL effort {effort}"] = still(
                partial(
                    codecs.jpegxl_encode, lossless=True, effort=effort, numthreads=1
                ),
                codecs.jpegxl_decode,
                mosaic,
            )
        peers["PNG"] = still(
            partial(codecs.png_encode, level=9), codecs.png_decode, mosaic
        )
        if program := rows.program("cwebp", "WebP -z 9"):
            rows.used(f"cwebp {first_line(program, '-version')}")
            peers["WebP lossless -z 9"] = coded = webp(program, codecs, mosaic)
            if paths and not rows.quick:
                limits = {DEFAULT: MOSAIC * coded.size}
    compare(rows, f"{name}, one mosaic", mosaic, "yxc", peers, limits)
    compare(rows, f"{name}, as images", x, "tyxc", {}, {})


def digits(rows: Report) -> None:
    paths = rows.files("images/mnist_t10k*.gz", "digits")
    if not paths:
        return
    x = np.frombuffer(gzip.decompress(paths[0].read_bytes())[16:], "u1").reshape(
        -1, 28, 28
    )
    x = x[: 200 if rows.quick else None]
    peers = {}
    if codecs := rows.peer("imagecodecs", "JPEG XL, PNG"):
        sheet = mosaic_of(x[..., None], 50 if len(x) % 50 == 0 else 1)[..., 0]
        peers["JPEG XL effort 7"] = still(
            partial(codecs.jpegxl_encode, lossless=True, effort=7, numthreads=1),
            codecs.jpegxl_decode,
            sheet,
        )
    compare(rows, "MNIST", x, "tyx", peers, {})
    compare(rows, "MNIST, above 127, as bool", x > 127, "tyx", {}, {})


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        microscope(rows)
        colours(rows)
        digits(rows)


if __name__ == "__main__":
    main()
