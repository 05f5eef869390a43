"""Floats and model weights: sizes and speeds, against pcodec, ZipNN, Huffman codes.

Of --data: the value columns of sensors/nab/*.csv and the daily temperatures of
Melbourne as float64, the drone's sensors in sensors/sample_log_small.ulg as float32
(needs pyulog) and those of sensors/imu_sample_17070x6_i32.npy over 1000; the tensors of
vae_weights/*.npz as bfloat16. Without it, made series. Besides, 2^27 weights drawn from
a Gaussian. Needs, each optional, pcodec and zipnn from PyPI. The size of DFloat11,
whose decoder needs CUDA, is computed: a Huffman code of exponents, and 8 bits. Speeds
are process time in one thread, medians, of 10,000 values or more. --quick takes few
values and weights.
"""

from __future__ import annotations

import csv
import heapq
import itertools
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from clock import seconds
from report import Report, parser, use_isa

import bbans
from bbans.formats import ByteCoder, SignalCoder

Array = np.ndarray[Any, np.dtype[Any]]
DEFAULT, BEST = 5, 9
FEW = 10_000  # of fewer values no speed is measured
GAUSSIAN, QUICK = 1 << 27, 1 << 22
# In GB of weights per second of a core, and size above the bound.
ENCODE, DECODE, ABOVE = 1.2, 2.0, 1.002


def column(path: Path) -> Array:
    """The second column of a CSV file with a header."""
    with path.open(newline="") as file:
        return np.array(
            [float(row[1]) for row in itertools.islice(csv.reader(file), 1, None)]
        )


def series(rows: Report) -> dict[str, Array]:
    """The known series, float64 and float32."""
    paths = rows.files("sensors/nab/*.csv", "NAB")
    paths += rows.files("sensors/melbourne*.csv", "Melbourne")
    found = {path.stem: column(path) for path in paths}
    for path in rows.files("sensors/sample_log_small.ulg", "the drone's log"):
        if rows.peer("pyulog", "the drone's log"):
            from pyulog import ULog

            topic = ULog(str(path)).get_dataset("sensor_combined").data
            for name in ("gyro_rad", "accelerometer_m_s2"):
                parts = [topic[f"{name}[{i}]"] for i in range(3)]
                found[f"IMU {name}, float32"] = np.stack(parts, axis=1)
    for path in rows.files("sensors/imu_sample_17070x6_i32.npy", "the drone's flight"):
        found["IMU in thousandths, float32"] = (np.load(path) / 1000).astype("f4")
    if not found:
        rng = np.random.default_rng(0)
        walk = rng.normal(size=20_000).cumsum()
        found = {
            "made, two decimals": walk.round(2),
            "made, float32": walk.astype("f4"),
        }
    return found


def pcodec(package: Any, x: Array) -> int:
    """Bytes at level 12, of all channels together or one by one."""
    config = package.ChunkConfig(compression_level=12)
    parts = [np.ascontiguousarray(part) for part in x.reshape(len(x), -1).T]
    code = package.standalone.simple_compress
    return min(
        len(code(np.ascontiguousarray(x).ravel(), config)),
        sum(len(code(part, config)) for part in parts),
    )


def check(x: Array, blob: bytes) -> None:
    found = bbans.decompress(blob)
    assert found.dtype == x.dtype
    assert found.tobytes() == x.tobytes()


def sizes(rows: Report) -> None:
    package = rows.peer("pcodec", "pcodec")
    below = total = 0
    for name, whole in series(rows).items():
        x = whole[:2000] if rows.quick else whole
        limit = pcodec(package, x) if package else None
        if limit is not None:
            rows.add(f"{name}, pcodec 12", limit, "bytes")
        for level in (1, DEFAULT, BEST):
            blob = bbans.compress(x, SignalCoder(level))
            check(x, blob)
            target = limit if level == DEFAULT and not rows.quick else None
            rows.add(f"{name}, level {level}", len(blob), "bytes", at_most=target)
            if level == DEFAULT and limit is not None and "thousandths" not in name:
                total += 1
                below += len(blob) <= limit
        if x.size >= FEW:
            _speed(rows, f"{name}, level {DEFAULT}", x, package)
    if package and not rows.quick and total > 10:
        rows.add(f"series not above pcodec 12, of {total}", below, "series",
                 at_least=total - 1)  # fmt: skip


def _speed(rows: Report, name: str, x: Array, package: Any) -> None:
    coder = SignalCoder(DEFAULT)
    blob = bbans.compress(x, coder)
    runs = [partial(bbans.compress, x, coder), partial(bbans.decompress, blob)]
    names = [f"{name}, encode", f"{name}, decode"]
    if package:
        flat = np.ascontiguousarray(x).ravel()
        config = package.ChunkConfig(compression_level=12)
        data = package.standalone.simple_compress(flat, config)
        runs.append(partial(package.standalone.simple_compress, flat, config))
        runs.append(partial(package.standalone.simple_decompress, data))
        names += [f"{name}, encode by pcodec 12", f"{name}, decode by pcodec 12"]
    for what, spent in zip(names, seconds(*runs, repeats=3), strict=True):
        rows.add(what, x.nbytes / spent / 1e6, "MB/s")


# ---- weights


def bfloat16(x: Array) -> Array:
    """The nearest bfloat16 of finite floats, ties to even, as uint16."""
    bits = x.astype("f4").view("u4")
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("u2")


def exponents(weights: Array) -> Array:
    return (weights >> 7 & 255).astype("u1")


def bound(weights: Array) -> float:
    """Bits a weight: the entropy of exponents, and 8."""
    counts = np.bincount(exponents(weights))
    p = counts[counts > 0] / weights.size
    return 8 - float((p * np.log2(p)).sum())


def huffman(weights: Array) -> float:
    """Bits a weight: exponents by a Huffman code, and 8."""
    counts = np.bincount(exponents(weights))
    heap = [int(n) for n in counts[counts > 0]]
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return 8 + bits / weights.size


def trained(rows: Report) -> None:
    """A VAE's weights, all tensors after each other."""
    for path in rows.files("vae_weights/*.npz", "trained weights"):
        with np.load(path) as file:
            flat = np.concatenate([file[name].ravel() for name in file.files])
        w = bfloat16(flat)
        least = bound(w)
        rows.add("trained bf16, order-0 bound", least, "bits/weight")
        rows.add("trained bf16, DFloat11, computed", huffman(w), "bits/weight")
        for what, coder, limit in (
            ("order 0", ByteCoder(order=0), ABOVE * least),
            ("order 1", ByteCoder(order=1), least),
            ("level 9", ByteCoder(level=9), least),
        ):
            blob = bbans.compress(w, coder, dtype="bfloat16")
            assert np.array_equal(np.asarray(bbans.decompress(blob)).view("u2"), w)
            rows.add(f"trained bf16, {what}", 8 * len(blob) / w.size, "bits/weight",
                     at_most=limit)  # fmt: skip
        _zipnn(rows, "trained bf16", w)


def _zipnn(rows: Report, name: str, w: Array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = rows.peer("zipnn", f"{name}, ZipNN")
        if package is None:
            return
        code = package.ZipNN(input_format="byte", bytearray_dtype="bfloat16", threads=1)
    raw = w.tobytes()

    def encode() -> bytes:
        return bytes(code.compress(bytearray(raw)))  # it overwrites what it is given

    blob = encode()
    assert bytes(code.decompress(blob)) == raw
    rows.add(f"{name}, ZipNN", 8 * len(blob) / w.size, "bits/weight")
    for way, spent in zip(
        ("encode", "decode"),
        seconds(encode, partial(code.decompress, blob), repeats=3),
        strict=True,
    ):
        rows.add(f"{name}, ZipNN, {way}", w.nbytes / spent / 1e9, "GB/s")


def gaussian(rows: Report) -> None:
    """Many weights of one distribution."""
    n = QUICK if rows.quick else GAUSSIAN
    rng = np.random.default_rng(0)
    part = 1 << 22
    w = np.concatenate(
        [bfloat16(0.02 * rng.standard_normal(part, "f4")) for _ in range(n // part)]
    )
    name = f"2^{n.bit_length() - 1} Gaussian bf16"
    least = bound(w)
    rows.add(f"{name}, order-0 bound", least, "bits/weight")
    _zipnn(rows, name, w[: 1 << 24])
    isas = {isa for isa in ("avx2", use_isa()) if use_isa(isa)}
    for isa in sorted(map(str, isas)):
        use_isa(isa)
        coder = ByteCoder(order=0)
        encode: Callable[[], bytes] = partial(
            bbans.compress, w, coder, dtype="bfloat16"
        )
        blob = encode()
        assert np.array_equal(np.asarray(bbans.decompress(blob)).view("u2"), w)
        out = np.empty_like(w)
        runs = (
            encode,
            partial(bbans.decompress, blob),
            partial(bbans.decompress, blob, out=out),
        )
        times = seconds(*runs, repeats=5)
        rows.add(f"{name}, order 0, {isa}", 8 * len(blob) / w.size, "bits/weight",
                 at_most=ABOVE * least)  # fmt: skip
        best = isa == use_isa() and not rows.quick
        use_isa(isa)
        ways = "encode", "decode", "decode into an array"
        for way, spent, at_least in zip(
            ways, times, (ENCODE, DECODE, DECODE), strict=True
        ):
            rows.add(f"{name}, order 0, {way}, {isa}", w.nbytes / spent / 1e9, "GB/s",
                     at_least=at_least if best else None)  # fmt: skip
    use_isa()
    start = time.perf_counter()
    copy = w.copy()
    spent = time.perf_counter() - start
    rows.add(f"{name}, a copy of them", copy.nbytes / spent / 1e9, "GB/s")


# ---- bit patterns


def patterns(rows: Report) -> None:
    """Every float16, and patterns at random of the others: how many come back."""
    rng = np.random.default_rng(1)
    n = 1 << (12 if rows.quick else 18)
    exact = total = 0
    every = np.arange(1 << 16, dtype="u2").view("f2")
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], "f8")
    tried = [every, special, special.astype("f4"), np.arange(1 << 16, dtype="u2")]
    tried += [rng.integers(0, 1 << 32, n, "u4").view("f4"), rng.bytes(8 * n)]
    tried[-1] = np.frombuffer(tried[-1], "f8")
    payloads = (0x7FF0000000000001 + rng.integers(0, 1 << 51, n, "u8")).view("f8")
    tried.append(payloads)
    for i, x in enumerate(tried):
        dtype = "bfloat16" if i == 3 else None
        found = np.asarray(bbans.decompress(bbans.compress(x, dtype=dtype)))
        same = np.frombuffer(found.tobytes(), "u1") == np.frombuffer(x.tobytes(), "u1")
        exact += int(same.reshape(x.size, -1).all(axis=1).sum())
        total += x.size
    rows.add("bit patterns that come back", exact / total, "of all", at_least=1)


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        patterns(rows)
        sizes(rows)
        trained(rows)
        gaussian(rows)


if __name__ == "__main__":
    main()
