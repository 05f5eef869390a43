"""Bytes per message: models against zstd with a trained dictionary.

Each line of sms_spam*.tsv and urls*.txt in messages of --data, or of a made log, is a
message. Models and dictionaries are trained on the first 80 % of the lines; each of the
others becomes a message that decodes by itself, and is decoded. All its bytes count:
for the models the line ends with a line feed, which is coded, so that nobody needs to
know how long it is; zstd's frames have no magic, no checksum, no dictionary number and
no size, and no separate length either. `bits over` is for these lines as one sequence:
over the information content of the frozen model.
"""

from __future__ import annotations

import time
from typing import Any

import made
import numpy as np
from report import Report, parser

import bbans
from bbans.models import information_content

DICTIONARY = 112 * 1024
# With these the frozen tables take less than 256 KiB.
CONTEXT_BYTES, STATES, ORDER = 232_000, 16, 5


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        zstandard = rows.peer("zstandard", "zstd's rows")
        known = {
            path.stem: path.read_bytes().splitlines(keepends=True)
            for pattern in ("messages/sms_spam*.tsv", "messages/urls*.txt")
            for path in rows.files(pattern, pattern)
        } or {"made log": made.lines(2000)}
        for name, lines in known.items():
            measure(rows, zstandard, name, lines[:1000] if rows.quick else lines)


def measure(rows: Report, zstandard: Any, name: str, lines: list[bytes]) -> None:
    cut = len(lines) * 4 // 5
    train, test = lines[:cut], lines[cut:]
    rows.add(f"{name}, measured", len(test), "messages")
    zstd = None
    if zstandard:
        zstd, size = best_zstd(
            zstandard,
            *([line.rstrip(b"\n") for line in part] for part in (train, test)),
        )
        rows.add(f"{name}, zstd -19, dictionary", zstd, "bytes/message")
        rows.add(f"{name}, zstd's dictionary", size, "bytes")

    def add(model: bbans.frozen.FrozenHMM, kind: str, seconds: float) -> None:
        mean, x = per_message(test, model), b"".join(test)
        over = 8 * len(bbans.encode(x, model)) - information_content(x, model)
        rows.add(f"{name}, {kind}", mean, "bytes/message")
        if zstd is not None:
            rows.add(f"{name}, {kind}, to zstd", 100 * mean / zstd - 100, "%")
        rows.add(f"{name}, {kind}, model", len(model.to_bytes()), "bytes")
        rows.add(f"{name}, {kind}, training", seconds, "s")
        rows.add(f"{name}, {kind}, over", over, "bits")

    rounds = {"n_iter": 5} if rows.quick else {}
    start = time.process_time()
    autoregressive = bbans.ARHMM.fit(
        train, STATES, order=ORDER, max_bytes=CONTEXT_BYTES, progress=False, **rounds
    ).freeze(16)
    add(autoregressive, f"AR-HMM, {STATES} states", time.process_time() - start)
    states, iterations = (32, 10) if rows.quick else (256, 70)
    start = time.process_time()
    plain = bbans.HMM.fit(
        train, states, n_iter=iterations, dtype=np.float32, progress=False
    ).freeze()
    add(plain, f"HMM, {states} states", time.process_time() - start)


def best_zstd(
    zstandard: Any, train: list[bytes], test: list[bytes]
) -> tuple[float, int]:
    """Mean bytes per message, and the dictionary's size: the best of some ways."""
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


def per_message(test: list[bytes], model: bbans.frozen.FrozenHMM) -> float:
    """Mean bytes; each message is decoded by itself, and compared."""
    model, total = model.with_mode("predictive"), 0
    for line in test:
        ended = line.removesuffix(b"\n") + b"\n"  # the last may lack it
        message = bbans.encode(ended, model)
        assert bbans.decode(message, model, until=b"\n") == ended
        total += len(message)
    return total / len(test)


if __name__ == "__main__":
    main()
