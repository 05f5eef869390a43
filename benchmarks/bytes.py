"""The static coder of bytes against htscodecs: speed of both, and sizes.

    python benchmarks/bytes.py --data FOLDER [--json FILE]

FOLDER holds htscodecs/q4, htscodecs/q40_dir and war_and_peace/*.txt; what is missing
is left out. Needs htscodecs with its headers, which are built into a module in a
temporary folder. Each input is repeated to 16 MiB and coded in blocks of 1 MiB, and its
first block by itself, again and again. Times are process time, the least of several;
one thread; all coders in turns in one process. htscodecs runs the kernels that it
chooses, its AVX2 ones and its scalar ones: the fastest of the three counts, and against
the portable kernels its scalar ones. Then the sizes of all files below FOLDER, in
blocks of 1 MiB, against htscodecs with 4 lanes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import report
from cffi import FFI

from bbans._lib import ffi, lib

MIB = 1 << 20
TOTAL = 16 * MIB
X_32 = 4  # htscodecs' flag for 32 lanes
BEST, AVX2, SCALAR = -1, 0x202, 0  # its kernels, RANS_CPU_...
ROUNDS = 7


def build_htscodecs() -> Any:
    peer = FFI()
    peer.cdef("""
        void rans_set_cpu(int opts);
        unsigned int rans_compress_bound_4x16(unsigned int size, int order);
        unsigned char *rans_compress_to_4x16(unsigned char *in, unsigned int in_size,
            unsigned char *out, unsigned int *out_size, int order);
        unsigned char *rans_uncompress_to_4x16(unsigned char *in, unsigned int in_size,
            unsigned char *out, unsigned int *out_size);
    """)
    peer.set_source(
        "_bench_htscodecs",
        "#include <htscodecs/rANS_static4x16.h>",
        libraries=["htscodecs"],
        extra_compile_args=["-O2"],
    )
    path = peer.compile(tmpdir=tempfile.mkdtemp())
    spec = importlib.util.spec_from_file_location("_bench_htscodecs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HTS = build_htscodecs()


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


def inputs(folder: Path) -> dict[str, bytes]:
    out = {}
    for name, file in [
        ("q4", "htscodecs/q4"),
        ("q40", "htscodecs/q40_dir"),
        ("text", "war_and_peace/war_and_peace_books1-8.txt"),
    ]:
        if (folder / file).exists():
            data = (folder / file).read_bytes()
            out[name] = (data * (TOTAL // len(data) + 1))[:TOTAL]
    rng = np.random.default_rng(1)
    for bits in (1, 4, 7):
        x = rng.choice(256, TOTAL, p=geometric(bits)).astype(np.uint8)
        out[f"iid {bits} b"] = x.tobytes()
    return out


class Ours:
    """bbans_bytes_*; `order` is 0 or 1."""

    def __init__(self, order: int, isa: int) -> None:
        self.order, self.isa = order, isa
        self.bound = lib.bbans_bytes_bound(MIB)
        self.work = np.empty(lib.bbans_bytes_work_bytes(MIB), np.uint8)
        self.c_work = ffi.from_buffer("uint8_t[]", self.work)
        self.size = ffi.new("size_t *")

    def prepare(self) -> None:
        lib.bbans_isa_use(self.isa)

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

    def __init__(self, order: int, cpu: int) -> None:
        self.order, self.cpu = order, cpu
        self.bound = HTS.lib.rans_compress_bound_4x16(MIB, order)
        self.size = HTS.ffi.new("unsigned int *")

    def prepare(self) -> None:
        HTS.lib.rans_set_cpu(self.cpu)

    def encode(self, source: Any, target: Any, n: int = MIB) -> int:
        self.size[0] = self.bound
        HTS.lib.rans_compress_to_4x16(source, n, target, self.size, self.order)
        return int(self.size[0])

    def decode(self, source: Any, size: int, target: Any) -> None:
        self.size[0] = MIB
        HTS.lib.rans_uncompress_to_4x16(source, size, target, self.size)


def timed(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def measure(data: bytes, coders: list[Any], repeats: int) -> list[dict[str, float]]:
    """MB/s and bytes of each coder over the blocks of `data`, in turns."""
    blocks = len(data) // MIB
    best = [{"encode": 1e9, "decode": 1e9} for _ in coders]
    source = np.frombuffer(data, np.uint8)
    cap = max(coder.bound for coder in coders)
    packed = [np.zeros(blocks * cap, np.uint8) for _ in coders]
    back = np.zeros(len(data), np.uint8)

    def pointers(coder: Any, array: Any, step: int) -> list[Any]:
        f, kind = (
            (ffi, "uint8_t[]")
            if isinstance(coder, Ours)
            else (HTS.ffi, "unsigned char[]")
        )
        return [f.from_buffer(kind, array[k * step :]) for k in range(blocks)]

    sizes: list[list[int]] = [[] for _ in coders]
    for _ in range(ROUNDS):
        for index, coder in enumerate(coders):
            coder.prepare()
            ins = pointers(coder, source, MIB)
            outs = pointers(coder, packed[index], cap)
            backs = pointers(coder, back, MIB)

            def encode(coder=coder, ins=ins, outs=outs, index=index) -> None:  # type: ignore[no-untyped-def]
                for _ in range(repeats):
                    sizes[index] = [
                        coder.encode(i, o) for i, o in zip(ins, outs, strict=True)
                    ]

            def decode(coder=coder, outs=outs, backs=backs, index=index) -> None:  # type: ignore[no-untyped-def]
                for _ in range(repeats):
                    for o, size, b in zip(outs, sizes[index], backs, strict=True):
                        coder.decode(o, size, b)

            best[index]["encode"] = min(best[index]["encode"], timed(encode))
            back[:] = 0
            best[index]["decode"] = min(best[index]["decode"], timed(decode))
            assert back.tobytes() == data
    speed = len(data) * repeats / 1e6
    return [
        {"encode": speed / b["encode"], "decode": speed / b["decode"], "size": sum(s)}
        for b, s in zip(best, sizes, strict=True)
    ]


def sizes_of_files(folder: Path, isa: int) -> None:
    """How many files are larger than with 4x16, and the worst of them."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    for order in (0, 1):
        ours, peer = Ours(order, isa), Peer(order, SCALAR)
        target, other = bytearray(ours.bound), bytearray(peer.bound)
        to = ffi.from_buffer("uint8_t[]", target)
        to_other = HTS.ffi.from_buffer("unsigned char[]", other)
        ratios = []
        for path in files:
            data, size, other_size = path.read_bytes(), 0, 0
            for start in range(0, len(data), MIB):
                block = data[start : start + MIB]
                source = ffi.from_buffer("uint8_t[]", block)
                size += ours.encode(source, to, len(block))
                source = HTS.ffi.from_buffer("unsigned char[]", block)
                other_size += peer.encode(source, to_other, len(block))
            if data:
                ratios.append((size / other_size, path.name))
        larger = sum(ratio > 1 for ratio, _ in ratios)
        print(f"order {order}: {larger} of {len(ratios)} files larger than with 4x16; "
              f"largest ratio {max(ratios)[0]:.5f}, {max(ratios)[1]}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    isa = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    rows = []
    print(
        "MB/s, encode / decode; bytes of all blocks; 4x16 is htscodecs with 4 lanes\n"
    )
    print("| input | order | run | bbans | htscodecs best | ratio | bbans portable "
          "| htscodecs scalar | ratio | size | 4x16 size |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, data in inputs(options.data).items():
        for order in (0, 1):
            # What it chooses is not always its fastest.
            coders = [
                Ours(order, isa),
                Ours(order, lib.BBANS_ISA_PORTABLE),
                Peer(order, SCALAR),
                Peer(order | X_32, BEST),
                Peer(order | X_32, AVX2),
            ]
            for run, part, repeats in [
                ("16 MiB", data, 1),
                ("1 MiB, hot", data[:MIB], 8),
            ]:
                ours, portable, scalar, *peers = measure(part, coders, repeats)
                fastest = {
                    k: max(peer[k] for peer in [scalar, *peers])
                    for k in ("encode", "decode")
                }
                cells = [name, str(order), run]
                for a, b in [(ours, fastest), (portable, scalar)]:
                    cells += [
                        f"{a['encode']:.0f} / {a['decode']:.0f}",
                        f"{b['encode']:.0f} / {b['decode']:.0f}",
                        f"{a['encode'] / b['encode']:.2f} / "
                        f"{a['decode'] / b['decode']:.2f}",
                    ]
                cells += [f"{ours['size']}", f"{scalar['size']}"]
                print("| " + " | ".join(cells) + " |", flush=True)
                rows.append(
                    {"input": name, "order": order, "run": run, "bbans": ours,
                     "htscodecs": fastest, "bbans portable": portable,
                     "htscodecs scalar": scalar}
                )  # fmt: skip
    print()
    sizes_of_files(options.data, isa)
    if options.json:
        version = subprocess.run(
            ["pkg-config", "--modversion", "htscodecs"], capture_output=True, text=True
        ).stdout.strip()
        result = {**report.machine(), "isa": isa, "htscodecs": version or "unknown"}
        options.json.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
