"""Samples in packets of 32 bytes: HMMs of 8, 16 and 32 states against Huffman's code.

Of each series in sensors/*.npy of --data, or a made one, the first channel. It is
quantised, its differences are the symbols; both codes are trained on the first four
fifths, and fill packets with the last. A packet begins with a byte that counts.
"""

from __future__ import annotations

import heapq

import made
import numpy as np
from report import Report, parser

from bbans import HMM
from bbans.records import packets

SIZE, SYMBOLS = 32, 64
TRAIN, TEST = 40_000, 10_000


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
    with Report(parser(__doc__).parse_args()) as rows:
        known = {p.stem: np.load(p) for p in rows.files("sensors/*.npy", "sensors")}
        if not known:
            known["made"] = made.series(TRAIN + TEST, 1)
        part, states, rounds = (5, (8,), 10) if rows.quick else (1, (8, 16, 32), 60)
        for name, array in known.items():
            series = array.reshape(len(array), -1)[: (TRAIN + TEST) // part, 0]
            x = differences(series.astype(np.int64))
            train, test = np.split(x, [x.size * TRAIN // (TRAIN + TEST)])
            counts = 1 + np.bincount(train, minlength=SYMBOLS)
            huffman = test.size / huffman_packets(test, huffman_lengths(counts))
            rows.add(f"{name}, Huffman", huffman, "samples/packet")
            for n_states in states:
                model = HMM.fit(
                    train, n_states, alphabet=SYMBOLS, n_iter=rounds, progress=False
                ).freeze(15)
                count = len(packets.encode(test, model, SIZE))
                rows.add(f"{name}, {n_states} states", test.size / count,
                         "samples/packet")  # fmt: skip


if __name__ == "__main__":
    main()
