"""Series of sensors: what each model gains, against pcodec, FLAC and xz.

The integer series sensors/*.npy of --data (steps x channels), or a made one. Bits per
value, everything counted, but of LGSSM, AR and switching scale, which are of messages
alone. Every peer gets one channel after the other where that is smaller. Needs pcodec
from PyPI and the program flac. --quick takes the start of each series. Cycles are
medians, one thread.
"""

from __future__ import annotations

import lzma
import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

import made
import numpy as np
from clock import cycles
from report import Report, first_line, parser, use_isa

import bbans
from bbans import Message
from bbans.distributions import Gaussian, fixed_locations, fixed_scales
from bbans.formats import SignalCoder, signals

BLOCK = SignalCoder().block_size(1, 1)
LATENTS, TRAINING = 8, 20_000


def columns(series: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(column) for column in series.T]


def pcodec(package: Any, series: np.ndarray) -> int:
    config = package.ChunkConfig(compression_level=12)
    compress = package.standalone.simple_compress
    return sum(len(compress(column, config)) for column in columns(series))


def xz(series: np.ndarray) -> int:
    def size(data: bytes) -> int:
        return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))

    return min(size(series.tobytes()), size(series.T.tobytes()))


def flac(program: str, series: np.ndarray) -> int:
    """With all channels together, each as it is; 0 if it does not fit its types."""

    def size(data: np.ndarray) -> int:
        bits = 8 * data.dtype.itemsize
        done = subprocess.run(
            [program, "-s", "-8", "-e", "-p", "--lax", "--no-padding", "--no-seektable",
             "--force-raw-format", "--endian=little", "--sign=signed",
             f"--channels={data.shape[1]}", f"--bps={bits}", "--sample-rate=8000",
             "-c", "-"],
            input=data.tobytes(), capture_output=True, check=False,
        )  # fmt: skip
        return len(done.stdout) if done.returncode == 0 else 1 << 62

    apart = sum(size(np.ascontiguousarray(column[:, None])) for column in series.T)
    together = size(series)
    best = min(apart, together)
    return best if best < 1 << 62 else 0


def autoregressive(series: np.ndarray) -> int:
    """Each channel by least squares from its 32 values before, with one Gaussian."""
    total = 0
    for start in range(0, len(series), BLOCK):
        x = series[start : start + BLOCK].astype(np.int64)
        x -= x.min(axis=0) // 2 + x.max(axis=0) // 2
        message = Message(lanes=1)
        for channel in columns(x):
            past = np.concatenate([np.zeros(32), channel[:-1].astype(float)])
            past = np.lib.stride_tricks.sliding_window_view(past, 32)
            past = np.column_stack([past, np.ones(len(past))])
            mean = past @ np.linalg.lstsq(past, channel.astype(float), rcond=None)[0]
            scale = fixed_scales(max(np.std(channel - mean), 0.2))
            at = fixed_locations(mean)
            message.push(Gaussian(at, scale), channel)
        total += len(message.to_bytes())
    return total


def linear_gaussian(series: np.ndarray) -> int:
    """A linear Gaussian state space model of the whole series, trained on its start."""
    x = series.astype(np.int64)
    model = bbans.LGSSM.fit(x[:TRAINING], LATENTS, n_iter=10)
    return len(bbans.encode(x, model.freeze()))


def switching(series: np.ndarray) -> int:
    """A hidden scale around the value before, and no other prediction."""
    total = 0
    for start in range(0, len(series), BLOCK):
        x = series[start : start + BLOCK].astype(np.int64)
        x -= x.min(axis=0) // 2 + x.max(axis=0) // 2
        channels = x.shape[1]
        fixed = np.zeros((channels, 1 + channels), np.int32)
        fixed[:, 0] = 1 << 16
        message = Message()
        signals._call(message, "push", fixed, (1, 0, 40), np.ascontiguousarray(x))
        total += len(message.to_bytes())
    return total


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        isa = use_isa()
        coders: dict[str, Callable[[np.ndarray], int]] = {
            "LGSSM": linear_gaussian,
            "AR": autoregressive,
            "switching scale": switching,
            "xz": xz,
        }
        if package := rows.peer("pcodec", "pcodec"):
            coders["pcodec"] = partial(pcodec, package)
        if program := rows.program("flac", "FLAC"):
            rows.used(first_line(program, "--version"))
            coders["FLAC"] = partial(flac, program)
        known = {p.stem: np.load(p) for p in rows.files("sensors/*.npy", "sensors")}
        for name, array in (known or {"made": made.series(50_000, 2)}).items():
            series = np.ascontiguousarray(array.reshape(len(array), -1))
            if rows.quick:
                series = series[:5000]
            data = bbans.compress(series, SignalCoder())
            assert (bbans.decompress(data) == series).all()
            rows.add(f"{name}, bbans", 8 * len(data) / series.size, "bits/value")
            for coder, size in coders.items():
                if taken := size(series):
                    rows.add(f"{name}, {coder}", 8 * taken / series.size, "bits/value")
                else:
                    rows.skip(f"{name}, {coder}", "its types are too small")
            encode, decode = cycles(
                partial(bbans.compress, series, SignalCoder()),
                partial(bbans.decompress, data),
                repeats=3,
            )
            rows.add(f"{name}, bbans encode, {isa}", encode / series.size,
                     "cycles/value")  # fmt: skip
            rows.add(f"{name}, bbans decode, {isa}", decode / series.size,
                     "cycles/value")  # fmt: skip


if __name__ == "__main__":
    main()
