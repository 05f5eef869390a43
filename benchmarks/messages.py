"""Bytes per record: models against zstd, zlib and brotli with what they learn from.

A record is a line of sms_spam*.tsv, urls*.txt or *.jsonl in messages of --data, of
logs/*.log, or of a made log, without its line feed. All learn from the first 80 % of
the lines (of a log from the first 500), and code each of the others by itself: all
bytes of a record count, and it is decoded and compared. A model counts as its packed
file. zstd has a trained dictionary, or the end of the training lines as one, whichever
is best, and frames without magic, checksum, dictionary number and size; zlib is bare
deflate with the last 32 KiB of the lines. brotli's Python package takes no
dictionary, and unishox2 has its own. Last, records that are like nothing in training.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Any

import made
import numpy as np
from report import Report, parser

import bbans

DICTIONARY = 112 * 1024
MAX_BYTES = 256 * 1024
LOG_LINES = 500
# What a record may take: bytes, or times the best peer with a dictionary.
TARGETS = {"sms_spam": 24.6, "urls": 18.0}
STRETCH = {"sms_spam": 24.0, "urls": 17.5}
# The same for mixers of this size.
MIXING_BYTES = (256 * 1024, 1 << 20, 1 << 22)
MIXING_TARGETS = {"sms_spam": 23.9, "urls": 16.9}
MIXING_STRETCH = {"sms_spam": 22.8, "urls": 15.8}
JSON, LOGS = 0.6, 0.5


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        peers = Peers(rows)
        known = {
            path.stem: lines_of(path)
            for pattern in ("sms_spam*.tsv", "urls*.txt", "*.jsonl")
            for path in rows.files(f"messages/{pattern}", pattern)
        } or {"made log": [line.rstrip(b"\n") for line in made.lines(2000)]}
        for name, lines in known.items():
            few = lines[:1000] if rows.quick else lines
            cut = len(few) * 4 // 5
            codec = measure(rows, peers, name, few[:cut], few[cut:])
            if name.startswith("sms_spam") or name == "made log":
                foreign(rows, codec)
        ratios = []
        for path in rows.files("logs/*.log", "logs")[: 1 if rows.quick else None]:
            lines = lines_of(path)
            few = lines[LOG_LINES:][: 300 if rows.quick else None]
            ratios.append(measure_log(rows, peers, path.stem, lines[:LOG_LINES], few))
        if ratios and peers.zstandard:
            rows.add(
                "logs, to the best of zstd and zlib, mean",
                float(np.mean(ratios)), "times", at_most=LOGS,
            )  # fmt: skip


def lines_of(path: Any) -> list[bytes]:
    return path.read_bytes().splitlines()


def trained(rows: Report, train: list[bytes]) -> tuple[bbans.RecordCodec, float]:
    """A codec of these records, and the seconds that its training took."""
    quick = {"order": 4, "n_states": 4} if rows.quick else {}
    start = time.perf_counter()
    codec = bbans.RecordCodec.train(train, max_bytes=MAX_BYTES, **quick)
    return codec, time.perf_counter() - start


def mean_bytes(codec: bbans.RecordCodec, records: list[bytes]) -> float:
    """Each record is coded by itself, decoded and compared."""
    total = 0
    for record in records:
        message = codec.encode(record)
        assert codec.decode(message) == record
        total += len(message)
    return total / len(records)


def measure(
    rows: Report, peers: Peers, name: str, train: list[bytes], test: list[bytes]
) -> bbans.RecordCodec:
    rows.add(f"{name}, measured", len(test), "records")
    plain = sum(map(len, test)) / len(test)
    rows.add(f"{name}, as they are", plain, "bytes/record")
    found = peers.measure(train, test)
    for peer, size in found.items():
        rows.add(f"{name}, {peer}", size, "bytes/record")
    codec, seconds = trained(rows, train)
    ours = mean_bytes(codec, test)
    stem = next((key for key in TARGETS if name.startswith(key)), None)
    limit = {} if stem is None or rows.quick else {"at_most": TARGETS[stem]}
    rows.add(f"{name}, bbans", ours, "bytes/record", **limit)
    if stem is not None and not rows.quick:
        rows.add(f"{name}, bbans, stretch", ours, "bytes/record", at_most=STRETCH[stem])
    rows.add(
        f"{name}, bbans' model", len(codec.model.to_bytes(packed=True)), "bytes",
        at_most=MAX_BYTES,
    )  # fmt: skip
    rows.add(f"{name}, bbans, training", seconds, "s")
    measure_mixing(rows, name, stem, train, test)
    if Peers.ZSTD in found:
        limit = {"at_most": JSON} if name.startswith("sba") and not rows.quick else {}
        rows.add(f"{name}, bbans, to zstd", ours / found[Peers.ZSTD], "times", **limit)
    return codec


def measure_mixing(
    rows: Report, name: str, stem: str | None, train: list[bytes], test: list[bytes]
) -> None:
    for size in MIXING_BYTES[:1] if rows.quick else MIXING_BYTES:
        start = time.perf_counter()
        codec = bbans.RecordCodec.train(train, model="mixing", max_bytes=size)
        seconds = time.perf_counter() - start
        label = f"{name}, bbans, mixing, {size >> 10} KiB"
        ours = mean_bytes(codec, test)
        counts = stem is not None and size == MIXING_BYTES[-1] and not rows.quick
        limit = {"at_most": MIXING_TARGETS[stem]} if counts and stem else {}
        rows.add(label, ours, "bytes/record", **limit)
        if counts and stem:
            rows.add(
                f"{label}, stretch", ours, "bytes/record", at_most=MIXING_STRETCH[stem]
            )
        rows.add(
            f"{label}, model", len(codec.model.to_bytes(packed=True)), "bytes",
            at_most=size,
        )  # fmt: skip
        rows.add(f"{label}, training", seconds, "s")


def measure_log(
    rows: Report, peers: Peers, name: str, train: list[bytes], test: list[bytes]
) -> float:
    """Bytes to those of the best peer with a dictionary."""
    found = peers.measure(train, test)
    codec, _ = trained(rows, train)
    ours = mean_bytes(codec, test)
    best = min(size for peer, size in found.items() if "dictionary" in peer)
    rows.add(f"{name}, best dictionary", best, "bytes/record")
    rows.add(f"{name}, bbans", ours, "bytes/record")
    size = len(codec.model.to_bytes(packed=True))
    rows.add(f"{name}, bbans' model", size, "bytes")
    measure_mixing(rows, name, None, train, test)
    return ours / best


def foreign(rows: Report, codec: bbans.RecordCodec) -> None:
    """What no record takes more than: of bytes unlike all that was trained on."""
    rng = np.random.default_rng(0)
    samples = {
        "random bytes": rng.bytes(1000),
        "0xff": b"\xff" * 1000,
        "Hindi": "नमस्ते दुनिया, आप कैसे हैं? ".encode() * 20,
        "Chinese": "今天天气很好我们去公园散步吧。".encode() * 20,
        "one byte": b"\x00",
    }
    for name, record in samples.items():
        message = codec.encode(record)
        assert codec.decode(message) == record
        over = len(message) - 1.02 * len(record)
        rows.add(f"foreign, {name}, over 1.02 times", over, "bytes", at_most=2)


class Peers:
    """Other compressors, as far as they are installed."""

    ZSTD = "zstd -19, dictionary"

    def __init__(self, rows: Report) -> None:
        self.zstandard = rows.peer("zstandard", "zstd's rows")
        self.brotli = rows.peer("brotli", "brotli's rows")
        self.unishox2 = rows.peer("unishox2", "unishox2's rows")

    def measure(self, train: list[bytes], test: list[bytes]) -> dict[str, float]:
        """Mean bytes of a record by each."""
        found = {"zlib, dictionary": self.mean(zlib_with(train), test)}
        if self.zstandard:
            found[self.ZSTD] = min(
                self.mean(coder, test) for coder in self.zstd_with(train)
            )
        if self.brotli:
            found["brotli -11"] = self.mean(self.brotli.compress, test)
        if self.unishox2 and all(map(is_text, test)):
            found["unishox2"] = self.mean(
                lambda record: self.unishox2.compress(record.decode())[0], test
            )
        return found

    @staticmethod
    def mean(encode: Callable[[bytes], bytes], records: list[bytes]) -> float:
        return sum(len(encode(record)) for record in records) / len(records)

    def zstd_with(self, train: list[bytes]) -> list[Callable[[bytes], bytes]]:
        bare = self.zstandard.ZstdCompressionParameters.from_level(
            19,
            format=self.zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )
        tail = b"\n".join(train)[-DICTIONARY:]
        dictionaries = [self.zstandard.ZstdCompressionDict(tail)]
        for options in ({}, {"k": 200, "d": 8}, {"k": 1000, "d": 8}):
            try:
                dictionaries.append(
                    self.zstandard.train_dictionary(
                        DICTIONARY, train, level=19, **options
                    )
                )
            except self.zstandard.ZstdError:
                continue  # too few samples for one
        return [
            self.zstandard.ZstdCompressor(
                dict_data=each, compression_params=bare
            ).compress
            for each in dictionaries
        ]


def zlib_with(train: list[bytes]) -> Callable[[bytes], bytes]:
    tail = b"\n".join(train)[-(1 << 15) :]

    def encode(record: bytes) -> bytes:
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=tail)
        return coder.compress(record) + coder.flush()

    return encode


def is_text(record: bytes) -> bool:
    try:
        return "\0" not in record.decode()
    except UnicodeDecodeError:
        return False


if __name__ == "__main__":
    main()
