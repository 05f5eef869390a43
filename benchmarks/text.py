"""Bytes without a model: whole files and short pieces, beside PPMd, xz and others.

Of --data: texts (calgary, canterbury, war_and_peace, multilingual, messages, silesia),
logs/*, dna/* and binary files, each as `bbans.compress` writes it at levels 5, which is
the default, 3, 7 and 9; without --data, made ones. Ratios are of sizes, file by file;
targets are for their arithmetic mean, of texts and logs together. Peers, each optional
where Python does not have it: PPMd of 7-Zip (the package pyppmd, order 6, 64 MB, bare),
xz -9e, bzip2 -9, gzip -9, zstd -19 (zstandard), brotli 11. Then short pieces of sound,
texts and DNA, by themselves, with what frames them left out where a format can do
without; and inputs that nothing makes smaller. All that is coded is decoded and
compared. The pieces, as records, are coded too under a model that is trained on other
files of their kind. Speeds are those of one core, to which the process is bound where
the system can: process time, medians, in MB (10^6) of the plain data a second. --quick
takes few files, none of more than 200 kB, and binds nothing.
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import os
import pydoc_data.topics
import statistics
import time
import wave
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import made
import numpy as np
from clock import seconds
from report import Report, parser, use_isa

import bbans
from bbans.formats import ByteCoder, MixingCoder

DEFAULT, FAST = 5, 1
LEVELS = DEFAULT, 3, 7, 9
MIB = 1 << 20
QUICK_BYTES, QUICK_FILES = 200_000, 2
SPEED_BYTES = 2_000_000  # of the largest file whose coding is timed again and again
TEXTS, LOGS, DNA, BINARIES = "texts", "logs", "DNA", "binaries"
FILES = {
    TEXTS: (
        "calgary/bib", "calgary/book1", "calgary/news", "calgary/paper1",
        "calgary/paper3", "calgary/progc", "canterbury/*",
        "war_and_peace/war_and_peace_books*.txt", "multilingual/*", "messages/*.jsonl",
        "messages/*.tsv", "messages/*.txt", "silesia/dickens", "silesia/xml",
    ),
    LOGS: ("logs/*",),
    DNA: ("dna/*",),
    BINARIES: (
        "calgary/geo", "calgary/obj1", "calgary/pic", "messages/*.protodata",
        "sensors/sample_log_small.ulg", "sensors/100.dat", "vae_weights/*.npz",
        "htscodecs/q4", "htscodecs/q40_dir", "audio/jfk.wav", "silesia/mr",
    ),
}  # fmt: skip
PPMD, XZ, BZIP2 = "PPMd", "xz -9e", "bzip2 -9"
PPMD_ORDER = 6
# Mean ratios; bits a byte of War and Peace; MB/s there and back.
TO_PPMD, TO_XZ = 1.03, 1.1
NOVEL = 1.9
MB_S, MB_S_STRETCH, MB_S_FAST = 1, 3, 200
# Bytes of the short pieces, how many of each, and where they are from.
PIECES = 100, 300, 1000, 3000, 10_000
COUNT, QUICK_COUNT = 40, 4
SOURCES = {
    "sound": ("audio/fsdd/*_jackson_0.wav", "audio/jfk.wav"),
    "texts": ("canterbury/a*.txt", "calgary/paper*", "calgary/news"),
    "DNA": ("dna/lambda*", "dna/shew*"),
}
# What models of such pieces are trained on, by pieces as long as the longest.
TRAINING = {
    "sound": ("audio/fsdd/*_nicolas_*.wav", "audio/fsdd/*_theo_*.wav"),
    "texts": ("calgary/book1", "war_and_peace/war_and_peace_books*.txt"),
    "DNA": ("dna/ecoli*",),
}
QUICK_TRAINING, MODEL_BYTES = 20_000, 256 * 1024


class Codec(NamedTuple):
    """A format: bytes to bytes, and back to a number of bytes that is known."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes, int], bytes]


class Coded(NamedTuple):
    """A file as a codec left it."""

    size: int
    encode: float  # seconds
    decode: float


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        if not rows.quick:
            pin(rows)
        others = peers(rows)
        groups = inputs(rows)
        whole_files(rows, groups, others)
        for group, files in groups.items():
            speeds(rows, group, files, others)
        fast(rows, groups[TEXTS])
        short(rows)
        any_input(rows, groups[TEXTS])


def pin(rows: Report) -> None:
    """Bind this process to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    else:
        rows.skip("one core", "this system binds no process to one")


# ---- codecs


def ours(level: int) -> Codec:
    return Codec(
        partial(bbans.compress, level=level), lambda data, _: bbans.decompress(data)
    )


def bare() -> Codec:
    """A block of the default coder: its method, which is a byte, and its data."""
    coder = MixingCoder(DEFAULT)
    coders = {coder.method: coder, ByteCoder.method: ByteCoder()}

    def encode(data: bytes) -> bytes:
        method, block = coder.shortest(np.frombuffer(data, np.uint8))
        return bytes([method]) + bytes(block)

    def decode(data: bytes, length: int) -> bytes:
        if data[0] not in coders:  # stored
            return data[1:]
        out = np.empty(length, np.uint8)
        coders[data[0]].decode(data[1:], out)
        return out.tobytes()

    return Codec(encode, decode)


def peers(rows: Report) -> dict[str, Codec]:
    """As they write files, at their smallest."""
    found = ppmd(rows, 64 * MIB) | {
        XZ: Codec(
            partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
            lambda data, _: lzma.decompress(data),
        ),
        BZIP2: Codec(bz2.compress, lambda data, _: bz2.decompress(data)),
        "gzip -9": Codec(
            partial(gzip.compress, compresslevel=9),
            lambda data, _: gzip.decompress(data),
        ),
    }
    if package := rows.peer("zstandard", "zstd -19"):
        found["zstd -19"] = Codec(
            package.ZstdCompressor(19).compress,
            lambda data, _: package.ZstdDecompressor().decompress(data),
        )
    return found | brotli(rows)


def bare_peers(rows: Report) -> dict[str, Codec]:
    """Without header, checksum and length, as far as they can do without."""

    def deflate(data: bytes) -> bytes:
        coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        return coder.compress(data) + coder.flush()

    lzma1 = [
        {
            "id": lzma.FILTER_LZMA1,
            "preset": 9 | lzma.PRESET_EXTREME,
            "dict_size": 1 << 16,
        }
    ]
    return {
        "gzip -9, bare deflate": Codec(
            deflate, lambda data, _: zlib.decompress(data, -zlib.MAX_WBITS)
        ),
        "xz -9e, bare LZMA": Codec(
            partial(lzma.compress, format=lzma.FORMAT_RAW, filters=lzma1),
            lambda data, _: lzma.decompress(data, lzma.FORMAT_RAW, filters=lzma1),
        ),
        **ppmd(rows, MIB),
        **brotli(rows),
    }


def ppmd(rows: Report, memory: int) -> dict[str, Codec]:
    """Ppmd7, which has neither header nor end."""
    package = rows.peer("pyppmd", PPMD)
    if package is None:
        return {}

    def encode(data: bytes) -> bytes:
        coder = package.Ppmd7Encoder(PPMD_ORDER, memory)
        head: bytes = coder.encode(data)
        return head + bytes(coder.flush(endmark=False))

    def decode(data: bytes, length: int) -> bytes:
        return bytes(package.Ppmd7Decoder(PPMD_ORDER, memory).decode(data, length))

    return {PPMD: Codec(encode, decode)}


def brotli(rows: Report) -> dict[str, Codec]:
    package = rows.peer("brotli", "brotli 11")
    if package is None:
        return {}
    return {
        "brotli 11": Codec(package.compress, lambda data, _: package.decompress(data))
    }


def back(codec: Codec, data: bytes) -> bytes:
    """Code, decode and compare."""
    coded = codec.encode(data)
    assert codec.decode(coded, len(data)) == data
    return coded


# ---- whole files


def inputs(rows: Report) -> dict[str, dict[str, bytes]]:
    """The files of each group, by their names."""
    found = {}
    for group, patterns in FILES.items():
        paths = [path for pattern in patterns for path in rows.files(pattern, pattern)]
        if rows.quick:
            small = [path for path in paths if path.stat().st_size <= QUICK_BYTES]
            by_size = sorted(small, key=lambda path: path.stat().st_size)
            paths = by_size[-QUICK_FILES:]
        found[group] = {
            f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths
        } or {f"made {group}": made_file(group)}
    return found


def made_file(group: str) -> bytes:
    """The help of pydoc, a log, bases at random, and a recording."""
    if group == TEXTS:
        topics = pydoc_data.topics.topics
        return "\n".join(topics[key] for key in sorted(topics)).encode()[:QUICK_BYTES]
    if group == LOGS:
        return b"".join(made.lines(4000))
    if group == DNA:
        rng = np.random.default_rng(1)
        return bytes(rng.choice(np.frombuffer(b"ACGT", np.uint8), 50_000))
    return made.series(20_000, 2).astype("<i2").tobytes()


def whole_files(
    rows: Report, groups: dict[str, dict[str, bytes]], others: dict[str, Codec]
) -> None:
    """Sizes of all files by all codecs, and what their ratios are on the mean."""
    codecs = {named(level): ours(level) for level in LEVELS} | others
    coded: dict[str, dict[str, list[Coded]]] = {}
    for group, files in groups.items():
        coded[group] = defaultdict(list)
        for name, data in files.items():
            for codec, one in measured(codecs, data).items():
                coded[group][codec].append(one)
                rows.add(f"{name}, {codec}", one.size, "bytes")
        totals(rows, group, files.values(), coded[group])
        means(rows, group, coded[group], others)
    both = {codec: coded[TEXTS][codec] + coded[LOGS][codec] for codec in coded[TEXTS]}
    means(rows, "texts and logs", both, others)
    targets(rows, groups, coded, both)


def named(level: int) -> str:
    return f"level {level}"


def measured(codecs: dict[str, Codec], data: bytes) -> dict[str, Coded]:
    """A file by each of them, once."""
    found = {}
    for name, codec in codecs.items():
        start = time.process_time()
        coded = codec.encode(data)
        middle = time.process_time()
        assert codec.decode(coded, len(data)) == data
        end = time.process_time()
        found[name] = Coded(len(coded), middle - start, end - middle)
    return found


def totals(
    rows: Report,
    group: str,
    files: Iterable[bytes],
    coded: dict[str, list[Coded]],
) -> None:
    """MB of all files a second, each coded once."""
    mb = sum(map(len, files)) / 1e6
    for codec, many in coded.items():
        there, again = (sum(getattr(one, way) for one in many)
                        for way in ("encode", "decode"))  # fmt: skip
        rows.add(f"all {group}, {codec}, compress", mb / there, "MB/s")
        rows.add(f"all {group}, {codec}, decompress", mb / again, "MB/s")


def ratios(coded: dict[str, list[Coded]], codec: str, peer: str) -> list[float]:
    pairs = zip(coded[codec], coded[peer], strict=True)
    return [one.size / other.size for one, other in pairs]


def means(
    rows: Report, group: str, coded: dict[str, list[Coded]], others: Iterable[str]
) -> None:
    for level, peer in itertools.product(LEVELS, others):
        found = ratios(coded, named(level), peer)
        what = f"{group}, {named(level)}, to {peer}"
        rows.add(f"{what}, mean", statistics.mean(found), "times")
        if level == DEFAULT:
            rows.add(
                f"{what}, geometric mean", statistics.geometric_mean(found), "times"
            )


def targets(
    rows: Report,
    groups: dict[str, dict[str, bytes]],
    coded: dict[str, dict[str, list[Coded]]],
    both: dict[str, list[Coded]],
) -> None:
    """What the default level is to reach; fewer files say less, and have none."""
    binaries, level = coded[BINARIES], named(DEFAULT)
    real = not rows.quick and not any(name.startswith("made") for name in groups[TEXTS])
    if PPMD in both:
        rows.add(
            "default level, texts and logs, to PPMd",
            statistics.mean(ratios(both, level, PPMD)), "times",
            at_most=TO_PPMD if real else None,
        )  # fmt: skip
    found = ratios(both, level, BZIP2)
    rows.add(
        f"default level, larger than by bzip2, of {len(found)} texts and logs",
        sum(ratio > 1 for ratio in found), "files", at_most=0 if real else None,
    )  # fmt: skip
    rows.add("default level, texts and logs, to bzip2, largest", max(found), "times")
    rows.add(
        "default level, binaries, to xz", statistics.mean(ratios(binaries, level, XZ)),
        "times", at_most=TO_XZ if real else None,
    )  # fmt: skip
    for (name, data), one in zip(groups[TEXTS].items(), coded[TEXTS][level],
                                 strict=True):  # fmt: skip
        if name.startswith("war_and_peace"):
            rows.add(f"default level, {name}", 8 * one.size / len(data), "bits/byte",
                     at_most=NOVEL if real else None)  # fmt: skip


# ---- speeds


def speeds(
    rows: Report, group: str, files: dict[str, bytes], others: dict[str, Codec]
) -> None:
    """Of the largest file that is not too large, in turns."""
    name, data = max(
        ((name, data) for name, data in files.items() if len(data) <= SPEED_BYTES),
        key=lambda pair: len(pair[1]),
    )
    best = use_isa()
    others_too = () if rows.quick else ("avx2", "portable")
    isas = [isa for isa in (best, *others_too) if isa and use_isa(isa)]
    for isa in dict.fromkeys(isas):
        use_isa(isa)
        is_best = isa == best and not rows.quick
        codecs = {f"{named(DEFAULT)}, {isa}": ours(DEFAULT)}
        found = mb_s(codecs | (others if isa == best else {}), data, rows.quick)
        for codec, both in found.items():
            is_ours = is_best and codec in codecs
            for way, speed in zip(("compress", "decompress"), both, strict=True):
                what = f"speed, {name}, {codec}, {way}"
                rows.add(what, speed, "MB/s", at_least=MB_S if is_ours else None)
                if is_ours:
                    rows.add(f"{what}, stretch", speed, "MB/s", at_least=MB_S_STRETCH)
    use_isa()


def mb_s(
    codecs: dict[str, Codec], data: bytes, quick: bool
) -> dict[str, tuple[float, float]]:
    """There and back."""
    coded = [back(codec, data) for codec in codecs.values()]
    spent = seconds(
        *(partial(codec.encode, data) for codec in codecs.values()),
        *(partial(codec.decode, one, len(data))
          for codec, one in zip(codecs.values(), coded, strict=True)),
        repeats=1 if quick else 3,
    )  # fmt: skip
    speed = [len(data) / 1e6 / one for one in spent]
    n = len(codecs)
    return dict(zip(codecs, zip(speed[:n], speed[n:], strict=True), strict=True))


def fast(rows: Report, files: dict[str, bytes]) -> None:
    """The fast level and the byte coder, on a text again and again."""
    text = max((data for data in files.values() if len(data) <= SPEED_BYTES), key=len)
    size = (2 if rows.quick else 16) * MIB
    data = (text * (size // len(text) + 1))[:size]
    out, isa = bytearray(size), use_isa()
    for name, encode in {
        named(FAST): partial(bbans.compress, data, level=FAST),
        "byte coder": partial(bbans.compress, data, ByteCoder()),
    }.items():
        packed = encode()
        assert bbans.decompress(packed) == data
        decode = partial(bbans.decompress, packed, out=out)
        times = seconds(encode, decode, repeats=3 if rows.quick else 9)
        for way, spent in zip(("compress", "decompress"), times, strict=True):
            rows.add(
                f"speed, {size // MIB} MiB of text, {name}, {isa}, {way}",
                size / 1e6 / spent, "MB/s", at_least=None if rows.quick else MB_S_FAST,
            )  # fmt: skip


# ---- short pieces


def short(rows: Report) -> None:
    """Mean bytes of short pieces, each by itself."""
    codecs = {"container": ours(DEFAULT), "block": bare()} | bare_peers(rows)
    count = QUICK_COUNT if rows.quick else COUNT
    for kind, patterns in SOURCES.items():
        records, others = sources(rows, kind, patterns)
        model = {"record, trained model": trained(rows, kind, others)}
        for size in PIECES:
            cut = pieces(records, size, count)
            what = f"{kind}, {size} bytes"
            rows.add(f"{what}, measured", len(cut), "pieces")
            for name, codec in (codecs | model).items():
                mean = statistics.mean(len(back(codec, piece)) for piece in cut)
                rows.add(f"{what}, {name}", mean, "bytes/piece")


def sources(
    rows: Report, kind: str, patterns: Iterable[str]
) -> tuple[list[bytes], list[bytes]]:
    """Samples, texts or bases, without the headers of their files: those to cut pieces
    from, and those to train on."""
    found = [
        [content(path) for pattern in part for path in rows.files(pattern, pattern)]
        for part in (patterns, TRAINING[kind])
    ]
    if all(found):
        return found[0], found[1]
    data = made_file({"sound": BINARIES, "texts": TEXTS, "DNA": DNA}[kind])
    half = len(data) // 2
    return [data[:half]], [data[half:]]


def trained(rows: Report, kind: str, records: list[bytes]) -> Codec:
    """Records under a model that mixes, trained on pieces of these."""
    longest = max(PIECES)
    cut = [
        record[start : start + longest]
        for record in records
        for start in range(0, len(record), longest)
    ]
    if rows.quick:
        lengths = itertools.accumulate(map(len, cut), initial=0)
        cut = [piece for piece, start in zip(cut, lengths, strict=False)
               if start < QUICK_TRAINING]  # fmt: skip
    start = time.process_time()
    mixer = bbans.ContextMixer.fit(cut, max_bytes=MODEL_BYTES, progress=False)
    model = mixer.freeze()
    rows.add(
        f"{kind}, training, of {len(cut)} pieces", time.process_time() - start, "s"
    )
    rows.add(f"{kind}, trained model", len(model.to_bytes(packed=True)), "bytes")
    codec = bbans.RecordCodec(model)
    return Codec(codec.encode, lambda message, _: codec.decode(message))


def content(path: Path) -> bytes:
    if path.suffix == ".wav":
        with wave.open(str(path)) as file:
            return bytes(file.readframes(file.getnframes()))
    if path.parent.name == "dna":
        lines = path.read_bytes().splitlines()
        return b"".join(line for line in lines if not line.startswith(b">"))
    return path.read_bytes()


def pieces(records: list[bytes], size: int, count: int) -> list[bytes]:
    """At equal distances from the start of each record to its end."""
    enough = [record for record in records if len(record) >= size]
    each = -(-count // len(enough))
    return [
        record[start : start + size]
        for record in enough
        for start in (k * (len(record) - size) // each for k in range(each))
    ]


# ---- any input


def any_input(rows: Report, files: dict[str, bytes]) -> None:
    """How much longer than 1.02 times itself an input gets."""
    rng = np.random.default_rng(0)
    text = next(iter(files.values()))
    many = MIB >> 4 if rows.quick else MIB
    samples = {
        "nothing": b"",
        "one byte": b"\x00",
        "0xff, 1000 times": b"\xff" * 1000,
        f"zeros, {many} bytes": bytes(many),
        "a text by deflate": zlib.compress(text, 9),
        "a text by xz": lzma.compress(text),
        "a text by bbans": bbans.compress(text),
        **{f"random, {n} bytes": rng.bytes(n) for n in (2, 10, 100, 1000, many)},
    }
    whole, block = ours(DEFAULT), bare()
    for name, data in samples.items():
        bound = 1.02 * len(data)
        over = len(back(block, data)) - bound
        rows.add(f"any input, {name}, block, over 1.02 times", over, "bytes", at_most=2)
        over = len(back(whole, data)) - bound
        rows.add(f"any input, {name}, container, over 1.02 times", over, "bytes")


if __name__ == "__main__":
    main()
