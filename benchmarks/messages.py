"""Bytes a message: models against zstd with a trained dictionary.

    pip install zstandard
    python benchmarks/messages.py FILE ...

Each line of a file is a message.  Models and dictionaries are trained on the first 80 %
of the lines; each of the other lines becomes a message that decodes by itself, and is
decoded.  Counted are all its bytes: for the models the line ends with a line feed, which
is coded, so that nobody needs to know how long it is; zstd's frames have no magic, no
checksum, no dictionary number and no size, and no separate length either.
"""

import argparse
import time

import numpy as np
import zstandard

import bbans

DICTIONARY = 112 * 1024
CONTEXT_BYTES, STATES, ORDER = 232_000, 16, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument("--states", type=int, default=256, help="of the plain HMM")
    parser.add_argument("--iterations", type=int, default=70, help="of its training")
    options = parser.parse_args()
    print(
        f"| {'messages':24} | bytes a message | of zstd | model, bytes | training, s |"
    )
    print("|---|---:|---:|---:|---:|")
    for name in options.files:
        measure(name, options.states, options.iterations)


def measure(name: str, states: int, iterations: int) -> None:
    with open(name, "rb") as file:
        lines = file.read().splitlines(keepends=True)
    cut = len(lines) * 4 // 5
    train, test = lines[:cut], lines[cut:]
    zstd, size = best_zstd(
        [line.rstrip(b"\n") for line in train], [line.rstrip(b"\n") for line in test]
    )

    def row(what: str, mean: float, size: int, seconds: float) -> None:
        print(
            f"| {what:24} | {mean:.2f} | {100 * mean / zstd - 100:+.1f} % | {size} "
            f"| {seconds:.0f} |",
            flush=True,
        )

    print(
        f"| **{name.rsplit('/', 1)[-1]}**, {len(test)} of {len(lines)} lines | | | | |"
    )
    row("zstd -19, dictionary", zstd, size, 0)
    start = time.perf_counter()
    autoregressive = bbans.ARHMM.fit(
        train, STATES, order=ORDER, max_bytes=CONTEXT_BYTES, n_iter=100, progress=False
    ).freeze(16)
    seconds = time.perf_counter() - start
    mean = per_message(test, autoregressive)
    row(f"AR-HMM, {STATES} states", mean, len(autoregressive.to_bytes()), seconds)
    start = time.perf_counter()
    plain = bbans.HMM.fit(
        train, states, n_iter=iterations, dtype=np.float32, progress=False
    ).freeze()
    seconds = time.perf_counter() - start
    mean = per_message(test, plain)
    row(f"HMM, {states} states", mean, len(plain.to_bytes()), seconds)
    for what, model in (("AR-HMM", autoregressive), ("HMM", plain)):
        x = b"".join(test)
        bits = 8 * len(bbans.encode(x, model)) - model.information_content(x)
        print(
            f"\n{what}, one sequence of {len(x)}: {bits:.1f} bits over the information "
            f"content, {bits / len(x):.1e} a symbol"
        )


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
        line = line.removesuffix(b"\n") + b"\n"  # the last may lack it
        message = bbans.encode(line, model, predictive=True)
        assert bytes(bbans.decode(message, model, until=b"\n").astype(np.uint8)) == line
        total += len(message)
    return total / len(test)


if __name__ == "__main__":
    main()
