"""Bytes a message: models against zstd with a trained dictionary.

    pip install zstandard
    python benchmarks/messages.py FILE ...

Each line of a file is a message.  Models and dictionaries are trained on the first
80 % of the lines; each of the others becomes a message that decodes by itself, and is
decoded.  All its bytes count: for the models the line ends with a line feed, which is
coded, so that nobody needs to know how long it is; zstd's frames have no magic, no
checksum, no dictionary number and no size, and no separate length either.  The last
column is for these lines as one sequence: bits over the information content of the
frozen model.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import zstandard

import bbans

DICTIONARY = 112 * 1024
# With these the frozen tables take less than 256 KiB.
CONTEXT_BYTES, STATES, ORDER = 232_000, 16, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument("--states", type=int, default=256, help="of the plain HMM")
    parser.add_argument("--iterations", type=int, default=70, help="of its training")
    options = parser.parse_args()
    print("| | bytes a message | to zstd | model, bytes | training, s | bits over |")
    print("|---|---:|---:|---:|---:|---:|")
    for path in options.files:
        measure(path, options.states, options.iterations)


def measure(path: Path, states: int, iterations: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    cut = len(lines) * 4 // 5
    train, test = lines[:cut], lines[cut:]
    zstd, size = best_zstd(
        [line.rstrip(b"\n") for line in train], [line.rstrip(b"\n") for line in test]
    )

    def row(what: str, model: bbans.FrozenHMM, seconds: float) -> None:
        mean, x = per_message(test, model), b"".join(test)
        over = 8 * len(bbans.encode(x, model)) - model.information_content(x)
        print(
            f"| {what} | {mean:.2f} | {100 * mean / zstd - 100:+.1f} % "
            f"| {len(model.to_bytes())} | {seconds:.0f} | {over:.1f} |",
            flush=True,
        )

    print(f"| **{path.name}**, {len(test)} of {len(lines)} lines | | | | | |")
    print(f"| zstd -19, dictionary | {zstd:.2f} | | {size} | | |", flush=True)
    start = time.perf_counter()
    autoregressive = bbans.ARHMM.fit(
        train, STATES, order=ORDER, max_bytes=CONTEXT_BYTES, progress=False
    ).freeze(16)
    row(f"AR-HMM, {STATES} states", autoregressive, time.perf_counter() - start)
    start = time.perf_counter()
    plain = bbans.HMM.fit(
        train, states, n_iter=iterations, dtype=np.float32, progress=False
    ).freeze()
    row(f"HMM, {states} states", plain, time.perf_counter() - start)


def best_zstd(train: list[bytes], test: list[bytes]) -> tuple[float, int]:
    """Mean bytes a message, and the dictionary's size: the best of some ways."""
    found = []
    bare = zstandard.ZstdCompressionParameters.from_level(
        19,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
        write_dict_id=False,
    )
    for data in (
        zstandard.train_dictionary(DICTIONARY, train, level=19),
        zstandard.train_dictionary(DICTIONARY, train, level=19, k=200, d=8),
        zstandard.train_dictionary(DICTIONARY, train, level=19, k=1000, d=8),
        zstandard.ZstdCompressionDict(b"\n".join(train)[-DICTIONARY:]),
    ):
        coder = zstandard.ZstdCompressor(dict_data=data, compression_params=bare)
        sizes = [len(coder.compress(message)) for message in test]
        found.append((sum(sizes) / len(sizes), len(data.as_bytes())))
    return min(found)


def per_message(test: list[bytes], model: bbans.FrozenHMM) -> float:
    """Mean bytes; each message is decoded by itself, and compared."""
    total = 0
    for line in test:
        ended = line.removesuffix(b"\n") + b"\n"  # the last may lack it
        message = bbans.encode(ended, model, predictive=True)
        restored = bbans.decode(message, model, until=b"\n")
        assert restored.astype(np.uint8).tobytes() == ended
        total += len(message)
    return total / len(test)


if __name__ == "__main__":
    main()
