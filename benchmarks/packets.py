"""Samples in packets of 32 bytes: HMMs of 8, 16 and 32 states against Huffman's code.

    python benchmarks/packets.py [DATA]

DATA is a folder of integer series (*.npy, one channel a column). Each channel is
quantised, its differences are the symbols; both codes are trained on the first half of
the series and fill packets with the second. A packet begins with a byte that counts.
"""

from __future__ import annotations

import argparse
import heapq
from pathlib import Path

import numpy as np

import bbans
from bbans import HMM

SIZE, SYMBOLS, TRAIN, TEST = 32, 64, 40_000, 10_000


def differences(series: np.ndarray) -> np.ndarray:
    """Differences as symbols 0 .. 63, quantised so that one in 1000 saturates; the
    error does not add up, because the encoder follows what the decoder knows."""
    step = max(1.0, np.quantile(np.abs(np.diff(series)), 0.999) / (SYMBOLS // 2 - 1))
    known, symbols = float(series[0]), []
    for value in series[1:].tolist():
        level = round((value - known) / step)
        level = min(max(level, -SYMBOLS // 2), SYMBOLS // 2 - 1)
        known += level * step
        symbols.append(level + SYMBOLS // 2)
    return np.array(symbols)


def huffman_lengths(counts: np.ndarray) -> np.ndarray:
    heap = [(int(count), k, [k]) for k, count in enumerate(counts)]
    lengths = np.zeros(counts.size, int)
    heapq.heapify(heap)
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        lengths[a[2] + b[2]] += 1
        heapq.heappush(heap, (a[0] + b[0], a[1], a[2] + b[2]))
    return lengths


def huffman_packets(x: np.ndarray, lengths: np.ndarray) -> int:
    packets, bits, count = 1, 0, 0
    for length in lengths[x].tolist():
        if bits + length > 8 * (SIZE - 1) or count == 255:
            packets, bits, count = packets + 1, 0, 0
        bits, count = bits + length, count + 1
    return packets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default="../shared/data/sensors")
    folder = parser.parse_args().data
    print("Samples in a packet of 32 bytes")
    print("| series | Huffman | 8 states | 16 states | 32 states |")
    print("|---|---:|---:|---:|---:|")
    for path in sorted(folder.glob("*.npy")):
        series = np.load(path).reshape(len(np.load(path)), -1)[:, 0].astype(np.int64)
        x = differences(series[: TRAIN + TEST])
        train, test = np.split(x, [x.size * TRAIN // (TRAIN + TEST)])
        counts = 1 + np.bincount(train, minlength=SYMBOLS)
        results = [test.size / huffman_packets(test, huffman_lengths(counts))]
        for n_states in (8, 16, 32):
            hmm = HMM.fit(
                train, n_states, alphabet=SYMBOLS, n_iter=60, progress=False
            )  # fmt: skip
            packets = bbans.encode_packets(test, hmm.freeze(15), SIZE)
            results.append(test.size / len(packets))
        print(f"| {path.stem} | {' | '.join(f'{r:.1f}' for r in results)} |")


if __name__ == "__main__":
    main()
