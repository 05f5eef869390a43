"""Series of sensors: what each model gains, against pcodec, FLAC and xz.

    python benchmarks/signals.py [FOLDER]

FOLDER holds integer series (*.npy, steps x channels). Bits per value, everything
counted, but of the first three columns, which are of messages alone. Every peer gets
one channel after the other where that is smaller. Needs pcodec from PyPI
and the program flac. Times are the least of three, one thread.
"""

from __future__ import annotations

import argparse
import lzma
import subprocess
import time
from pathlib import Path

import numpy as np
from pcodec import ChunkConfig, standalone

import bbans
from bbans import Message, Shape, signals
from bbans.shapes import fixed_locations, fixed_scales

BLOCK = signals.BLOCK_DEFAULT
LATENTS, TRAINING = 8, 20_000


def columns(series: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(column) for column in series.T]


def pcodec(series: np.ndarray) -> int:
    config = ChunkConfig(compression_level=12)
    return sum(len(standalone.simple_compress(c, config)) for c in columns(series))


def xz(series: np.ndarray) -> int:
    def size(data: bytes) -> int:
        return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))

    return min(size(series.tobytes()), size(series.T.tobytes()))


def flac(series: np.ndarray) -> int:
    """With all channels together, each as it is; 0 if it does not fit its types."""

    def size(data: np.ndarray) -> int:
        bits = 8 * data.dtype.itemsize
        done = subprocess.run(
            ["flac", "-s", "-8", "-e", "-p", "--lax", "--no-padding", "--no-seektable",
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
            message.push_located(Shape.gaussian(), at, scale, channel)
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


def timed(call, *arguments):
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        result = call(*arguments)
        best = min(best, time.process_time() - start)
    return result, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("| series | LGSSM | AR | switching scale | both: bbans | pcodec | FLAC | xz "
          "| encode, decode, values/s |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for path in sorted(folder.glob("*.npy")):
        series = np.load(path)
        series = np.ascontiguousarray(series.reshape(len(series), -1))
        data, encode = timed(bbans.signal_compress, series)
        back, decode = timed(bbans.signal_decompress, data)
        assert (back == series).all()
        sizes = (
            linear_gaussian(series), autoregressive(series), switching(series),
            len(data),
            pcodec(series), flac(series), xz(series),
        )  # fmt: skip
        bits = [f"{8 * n / series.size:.3f}" if n else "-" for n in sizes]
        speed = f"{series.size / encode:,.0f}, {series.size / decode:,.0f}"
        print(f"| {path.stem} | {' | '.join(bits)} | {speed} |", flush=True)


if __name__ == "__main__":
    main()
