"""The static coder of bytes against htscodecs: speed of both, and sizes.

Inputs are htscodecs/q4, htscodecs/q40_dir and war_and_peace/*.txt of --data, and made
bytes of 1, 4 and 7 bits. htscodecs is the C library (libhtscodecs2). Each input is
repeated to 16 MiB (2 MiB with --quick) and coded in blocks of 1 MiB, and its first
block by itself, again and again. Process time in one thread, medians, all coders in
turns in one process. Each instruction set is held against the fastest of htscodecs'
kernels that need no more than it: with AVX2 its AVX2 ones and its scalar ones, with
AVX-512 those and the ones that it chooses by itself, and the portable kernels against
its scalar ones. Then the sizes of all files of --data, in blocks of 1 MiB, against
htscodecs with 4 lanes.
"""

from __future__ import annotations

import time
from ctypes.util import find_library
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI
from clock import seconds
from report import Report, parser, use_isa

import bbans
from bbans._lib import ffi, lib
from bbans.formats import ByteCoder

MIB = 1 << 20
X_32 = 4  # htscodecs' flag for 32 lanes
SCALAR, AVX2, AVX512, BEST = 0, 0x202, 0x404, -1  # its kernels, RANS_CPU_...
# By our kernels: theirs, by whether they need 32 lanes; the fastest counts.
FOR_ANY = {"scalar": (0, SCALAR)}
FOR_AVX2 = {**FOR_ANY, "32 lanes, AVX2": (X_32, AVX2)}
PEERS = {
    "portable": FOR_ANY,
    "avx2": FOR_AVX2,
    "avx512": {
        **FOR_AVX2,
        "32 lanes, AVX-512": (X_32, AVX512),
        "32 lanes, its choice": (X_32, BEST),  # not always its fastest
    },
    "neon": {**FOR_ANY, "32 lanes, its choice": (X_32, BEST)},
}
# Times as fast as htscodecs, to encode and to decode, in order 0 and order 1.
TARGETS = {
    "portable": ((1.05, 1.05), (1.05, 1.05)),
    "avx2": ((1.4, 1.3), (1.5, 1.15)),
}
HTSCODECS = """
const char *htscodecs_version(void);
void rans_set_cpu(int opts);
unsigned int rans_compress_bound_4x16(unsigned int size, int order);
unsigned char *rans_compress_to_4x16(unsigned char *in, unsigned int in_size,
    unsigned char *out, unsigned int *out_size, int order);
unsigned char *rans_uncompress_to_4x16(unsigned char *in, unsigned int in_size,
    unsigned char *out, unsigned int *out_size);
"""


def htscodecs(rows: Report) -> tuple[FFI, Any] | None:
    """The library, or None; if absent, says what it skips."""
    name = find_library("htscodecs")
    if name is None:
        rows.skip("htscodecs' rows", "no C library htscodecs (libhtscodecs2)")
        return None
    peer = FFI()
    peer.cdef(HTSCODECS)
    library = peer.dlopen(name)
    rows.used(f"htscodecs {peer.string(library.htscodecs_version()).decode()}")
    return peer, library


def geometric(bits: float) -> np.ndarray:
    """Probabilities in geometric progression, of the given entropy."""
    low, high = 0.0, 1.0
    for _ in range(100):
        ratio = (low + high) / 2
        p = ratio ** np.arange(256.0)
        p /= p.sum()
        q = p[p > 0]
        low, high = (ratio, high) if -(q * np.log2(q)).sum() < bits else (low, ratio)
    return p


def inputs(rows: Report, total: int) -> dict[str, bytes]:
    out = {}
    for name, pattern in [
        ("q4", "htscodecs/q4"),
        ("q40", "htscodecs/q40_dir"),
        ("text", "war_and_peace/war_and_peace_books*.txt"),
    ]:
        for path in rows.files(pattern, name):
            data = path.read_bytes()
            out[name] = (data * (total // len(data) + 1))[:total]
    rng = np.random.default_rng(1)
    for bits in (1, 4, 7):
        x = rng.choice(256, total, p=geometric(bits)).astype(np.uint8)
        out[f"iid {bits} b"] = x.tobytes()
    return out


class Ours:
    """bbans_bytes_*; `order` is 0 or 1."""

    ffi, kind = ffi, "uint8_t[]"

    def __init__(self, order: int, isa: str | None) -> None:
        self.order, self.isa = order, isa
        self.bound = lib.bbans_bytes_bound(MIB)
        self.work = np.empty(lib.bbans_bytes_work_bytes(MIB), np.uint8)
        self.c_work = ffi.from_buffer("uint8_t[]", self.work)
        self.size = ffi.new("size_t *")

    def prepare(self) -> None:
        use_isa(self.isa)

    def encode(self, source: Any, target: Any, n: int = MIB) -> int:
        status = lib.bbans_bytes_compress(
            source, n, self.order, target, self.bound, self.size, self.c_work,
            self.work.size,
        )  # fmt: skip
        assert status == lib.BBANS_OK
        return int(self.size[0])

    def decode(self, source: Any, size: int, target: Any) -> None:
        status = lib.bbans_bytes_decompress(
            source, size, target, MIB, self.size, self.c_work, self.work.size
        )
        assert status == lib.BBANS_OK


class Peer:
    """htscodecs' rANS 4x16, or 32x16, by some of its kernels."""

    kind = "unsigned char[]"

    def __init__(self, library: tuple[FFI, Any], order: int, cpu: int) -> None:
        self.ffi, self.lib = library
        self.order, self.cpu = order, cpu
        self.bound = self.lib.rans_compress_bound_4x16(MIB, order)
        self.size = self.ffi.new("unsigned int *")

    def prepare(self) -> None:
        self.lib.rans_set_cpu(self.cpu)

    def encode(self, source: Any, target: Any, n: int = MIB) -> int:
        self.size[0] = self.bound
        self.lib.rans_compress_to_4x16(source, n, target, self.size, self.order)
        return int(self.size[0])

    def decode(self, source: Any, size: int, target: Any) -> None:
        self.size[0] = MIB
        self.lib.rans_uncompress_to_4x16(source, size, target, self.size)


class Job:
    """One coder and the blocks of `data`, `repeats` times over."""

    def __init__(self, coder: Any, data: bytes, repeats: int) -> None:
        self.coder, self.data, self.repeats = coder, data, repeats
        blocks = len(data) // MIB
        self.back = np.zeros(len(data), np.uint8)
        packed = np.zeros(blocks * coder.bound, np.uint8)

        def pointers(array: np.ndarray, step: int) -> list[Any]:
            return [coder.ffi.from_buffer(coder.kind, array[k * step :])
                    for k in range(blocks)]  # fmt: skip

        self.source = pointers(np.frombuffer(data, np.uint8), MIB)
        self.target = pointers(self.back, MIB)
        self.packed = pointers(packed, coder.bound)
        self.sizes: list[int] = []

    def encode(self) -> None:
        self.coder.prepare()
        for _ in range(self.repeats):
            pairs = zip(self.source, self.packed, strict=True)
            self.sizes = [self.coder.encode(*pair) for pair in pairs]

    def decode(self) -> None:
        self.coder.prepare()
        for _ in range(self.repeats):
            for block in zip(self.packed, self.sizes, self.target, strict=True):
                self.coder.decode(*block)


def measure(
    coders: dict[str, Any], data: bytes, repeats: int, rounds: int
) -> dict[str, tuple[float, float, int]]:
    """MB/s to encode and to decode, and the bytes of all blocks, in turns."""
    jobs = [Job(coder, data, repeats) for coder in coders.values()]
    for job in jobs:
        job.encode()
        job.decode()
        assert job.back.tobytes() == data
    times = seconds(
        *(job.encode for job in jobs), *(job.decode for job in jobs), repeats=rounds
    )
    there, back = (
        [len(data) * repeats / 1e6 / taken for taken in part]
        for part in (times[: len(jobs)], times[len(jobs) :])
    )
    sizes = [sum(job.sizes) for job in jobs]
    return dict(zip(coders, zip(there, back, sizes, strict=True), strict=True))


def add_speeds(
    rows: Report, name: str, order: int, data: bytes, repeats: int, peer: Any
) -> None:
    ours = [isa for isa in PEERS if use_isa(isa)]
    coders: dict[str, Any] = {isa: Ours(order, isa) for isa in ours}
    peers = {key: lanes_cpu for isa in ours for key, lanes_cpu in PEERS[isa].items()}
    if peer:
        for key, (lanes, cpu) in peers.items():
            coders[key] = Peer(peer, order | lanes, cpu)
    found = measure(coders, data, repeats, 3 if rows.quick else 9)
    for k, verb in enumerate(("encode", "decode")):
        for isa in ours:
            rows.add(f"{name}: {verb}, {isa}", found[isa][k], "MB/s")
            if peer is None:
                continue
            fastest = max(found[key][k] for key in PEERS[isa])
            targets = TARGETS.get(isa)
            rows.add(f"{name}: {verb}, htscodecs for {isa}", fastest, "MB/s")
            rows.add(f"{name}: {verb}, {isa} to htscodecs", found[isa][k] / fastest,
                     "times as fast",
                     at_least=targets[order][k] if targets else None)  # fmt: skip
    size = found[ours[0]][2]
    rows.add(f"{name}: size", size, "bytes")
    if peer:
        rows.add(f"{name}: size to 4x16", size / found["scalar"][2], "times", at_most=1)


def add_containers(rows: Report, name: str, order: int, data: bytes) -> None:
    """Whole containers from Python, on one thread and on two."""
    isa, coder = use_isa(), ByteCoder(order)
    packed = bbans.compress(data, coder)
    out = bytearray(len(data))
    for threads in (1, 2):
        encode, decode = (
            partial(bbans.compress, data, coder, threads=threads),
            partial(bbans.decompress, packed, out=out, threads=threads),
        )
        assert encode() == packed
        assert decode() == data
        repeats = 3 if rows.quick else 9
        times = seconds(encode, decode, repeats=repeats, timer=time.perf_counter)
        for verb, taken in zip(("compress", "decompress"), times, strict=True):
            what = f"{name}: {verb}, {threads} thread{'s' * (threads > 1)}, {isa}"
            rows.add(what, len(data) / 1e6 / taken, "MB/s")
    rows.add(f"{name}: container", len(packed), "bytes")


def add_sizes(rows: Report, files: list[Path], peer: Any) -> None:
    """How many files are larger than with 4x16, and the worst of them."""
    for order in (0, 1):
        coders = [Ours(order, None), Peer(peer, order, SCALAR)]
        targets = [c.ffi.from_buffer(c.kind, bytearray(c.bound)) for c in coders]
        ratios = []
        for path in files:
            data, sizes = path.read_bytes(), [0, 0]
            for start in range(0, len(data), MIB):
                block = data[start : start + MIB]
                for k, (coder, target) in enumerate(zip(coders, targets, strict=True)):
                    source = coder.ffi.from_buffer(coder.kind, block)
                    sizes[k] += coder.encode(source, target, len(block))
            if data:
                ratios.append(sizes[0] / sizes[1])
        name = f"order {order}, {len(ratios)} files"
        larger = sum(ratio > 1 for ratio in ratios)
        rows.add(f"{name}, larger than with 4x16", larger, "files", at_most=0)
        rows.add(f"{name}, largest size to 4x16", max(ratios), "times", at_most=1)


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        peer = htscodecs(rows)
        total = (2 if rows.quick else 16) * MIB
        for name, data in inputs(rows, total).items():
            for order in (0, 1):
                run = f"{name}, order {order}"
                add_speeds(rows, run, order, data, 1, peer)
                add_speeds(rows, f"{run}, 1 MiB, hot", order, data[:MIB], 8, peer)
                add_containers(rows, run, order, data)
        files = rows.files("**/*", "sizes of files")
        if peer and files:
            add_sizes(rows, files, peer)


if __name__ == "__main__":
    main()
