"""Signals at levels 1, 5 and 9: sizes and speeds, against coders of arrays and audio.

Of --data: the integer series sensors/*.npy (steps x channels), audio/*.wav (16-bit PCM)
and audio/fsdd/*.wav; without it one made series. Sizes are of whole containers. A peer
gets one channel after the other where that is smaller. Needs, each optional, pcodec,
zstandard and blosc2 from PyPI and the programs flac and wavpack. Speeds are process
time in one thread with the kernels that the row names, by default AVX2, medians.
--quick takes the start of each series and of few files.
"""

from __future__ import annotations

import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import made
import numpy as np
from clock import cycles, seconds
from report import Report, first_line, parser, use_isa

import bbans
from bbans.formats import SignalCoder

LEVELS = FAST, DEFAULT, BEST = 1, 5, 9
# Bits per value to compare with: a linear prediction fitted in floats, its residuals
# under a hidden Markov model of their scale, 96 Gaussians with fixed transitions.
SWITCHING = {
    "ecg_100_650000x2_i16": 3.4360,
    "ecg_p10143_450000x2_i16": 2.5030,
    "ecg_v102s_75000x4_i16": 5.9730,
    "imu_sample_17070x6_i32": 3.7780,
    "imu_sample_log_small_1298x6_i32": 5.3280,
    "seis_BW_KW1_EHZ_first_468000_i32": 6.5460,
    "seis_CH_BALST_LHZ_86547_i32": 8.4100,
}
Array = np.ndarray[Any, np.dtype[Any]]


class Peer(NamedTuple):
    """Bytes of a series, shape (steps, channels), and again."""

    encode: Callable[[Array], Any]
    decode: Callable[[Any], object] | None

    def size(self, series: Array) -> int:
        return sum(map(len, self.parts(series)))

    def parts(self, series: Array) -> list[bytes]:
        together = [self.encode(series)]
        apart = [self.encode(column) for column in columns(series)]
        return min(together, apart, key=lambda parts: sum(map(len, parts)))


def columns(series: Array) -> list[Array]:
    return [np.ascontiguousarray(column)[:, None] for column in series.T]


class UnableError(Exception):
    """The peer cannot code such a series."""


def pcodec(package: Any, level: int) -> Peer:
    config = package.ChunkConfig(compression_level=level)
    simple = package.standalone
    return Peer(
        lambda x: simple.simple_compress(x.ravel(), config), simple.simple_decompress
    )


def flac(program: str) -> Peer:
    def encode(x: Array) -> bytes:
        if x.dtype.kind != "i" or x.shape[1] > 8:
            raise UnableError
        done = subprocess.run(
            [program, "-s", "-8", "--lax", "--no-padding", "--no-seektable",
             "--force-raw-format", "--endian=little", "--sign=signed",
             f"--channels={x.shape[1]}", f"--bps={8 * x.itemsize}",
             "--sample-rate=8000", "-c", "-"],
            input=np.ascontiguousarray(x).tobytes(), capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise UnableError
        return done.stdout

    def decode(data: bytes) -> bytes:
        return subprocess.run(
            [program, "-s", "-d", "-c", "-"],
            input=data,
            capture_output=True,
            check=True,
        ).stdout

    return Peer(encode, decode)


def wavpack(program: str) -> Peer:
    """At -hh, from and to pipes; a series of more than two channels one by one."""

    def encode(x: Array) -> bytes:
        if x.dtype.kind != "i" or x.shape[1] > 2:
            raise UnableError
        form = f"--raw-pcm=8000,{8 * x.itemsize}s,{x.shape[1]},le"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x.wv")
            done = subprocess.run(
                [program, "-hh", "-q", form, "-", "-o", path],
                input=np.ascontiguousarray(x).tobytes(), capture_output=True,
                check=False,
            )  # fmt: skip
            if done.returncode:
                raise UnableError
            return path.read_bytes()

    return Peer(encode, None)


def bytes_peer(
    encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]
) -> Peer:
    return Peer(lambda x: encode(np.ascontiguousarray(x).tobytes()), decode)


def peers(rows: Report) -> dict[str, Peer]:
    """The peers that are installed, by name."""
    found = {}
    if package := rows.peer("pcodec", "pcodec"):
        found |= {f"pcodec {level}": pcodec(package, level) for level in (8, 12)}
    if program := rows.program("flac", "FLAC"):
        rows.used(first_line(program, "--version"))
        found["FLAC -8"] = flac(program)
    if program := rows.program("wavpack", "WavPack"):
        rows.used(first_line(program, "--version"))
        found["WavPack -hh"] = wavpack(program)
    if package := rows.peer("zstandard", "zstd"):
        code = package.ZstdCompressor(19).compress
        found["zstd -19"] = bytes_peer(code, package.ZstdDecompressor().decompress)
    found["xz -9e"] = bytes_peer(
        partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME), lzma.decompress
    )
    if package := rows.peer("blosc2", "blosc2"):
        found["blosc2"] = Peer(
            lambda x: package.compress2(
                x, codec=package.Codec.ZSTD, clevel=9,
                filters=[package.Filter.BITSHUFFLE],
            ),
            package.decompress2,
        )  # fmt: skip
    return found


def size(series: Array, level: int) -> int:
    """Bytes of a container, which is decoded and compared."""
    blob = bbans.compress(series, SignalCoder(level))
    assert np.array_equal(bbans.decompress(blob), series)
    return len(blob)


def sizes(rows: Report, known: dict[str, Array], others: dict[str, Peer]) -> None:
    """Of each series, at each level and by each peer."""
    ours: dict[tuple[str, int], int] = {}
    near = below_flac = before = after = 0.0
    flacs = 0
    for name, x in known.items():
        was = None if rows.quick else SWITCHING.get(name)
        taken = {}
        for other, peer in others.items():
            try:
                taken[other] = peer.size(x)
            except UnableError:
                rows.skip(f"{name}, {other}", "it does not take such values")
        for level in LEVELS:
            ours[name, level] = n = size(x, level)
            limit = None if was is None else {FAST: 1.13 * was, DEFAULT: was}.get(level)
            if level == BEST:
                limit = 8 * ours[name, DEFAULT] / x.size
            rows.add(f"{name}, level {level}", 8 * n / x.size, "bits/value",
                     at_most=limit)  # fmt: skip
        for other, n in taken.items():
            rows.add(f"{name}, {other}", 8 * n / x.size, "bits/value")
        fast = ours[name, FAST]
        if "pcodec 12" in taken:
            rows.add(f"{name}, level 1 to pcodec 12", fast / taken["pcodec 12"],
                     "times", at_most=1)  # fmt: skip
        if "FLAC -8" in taken:
            flacs += 1
            below_flac += fast < taken["FLAC -8"]
        if was is not None:
            near += 8 * fast / x.size <= 1.06 * was
            before += was * x.size / 8
            after += ours[name, DEFAULT]
    if before:
        rows.add("series at level 1 within 1.06 of the switching model", near, "series",
                 at_least=5)  # fmt: skip
        rows.add("all series, level 5 to the switching model", after / before, "times",
                 at_most=0.97)  # fmt: skip
    if flacs:
        rows.add("series at level 1 below FLAC -8", below_flac, "series",
                 at_least=5 if flacs >= 7 else None)  # fmt: skip


def speeds(rows: Report, known: dict[str, Array], others: dict[str, Peer]) -> None:
    """Of one channel, and of peers in the same run."""
    isa = "avx2" if use_isa("avx2") else str(use_isa("portable"))
    encoded, decoded = (10, 2, 0.5), (15, 5, 1)
    for name, whole in known.items():
        x = np.ascontiguousarray(whole[: 1 << 18, :1])
        repeats = 3 if rows.quick else 5
        for level, least_in, least_out in zip(LEVELS, encoded, decoded, strict=True):
            coder = SignalCoder(level)
            blob = bbans.compress(x, coder)
            runs = partial(bbans.compress, x, coder), partial(bbans.decompress, blob)
            times, spent = (
                cycles(*runs, repeats=repeats),
                seconds(*runs, repeats=repeats),
            )
            ways = ("encode", "decode")
            least = (least_in, least_out)
            for way, c, s, at_least in zip(ways, times, spent, least, strict=True):
                what = f"{name}, one channel, level {level}, {way}, {isa}"
                rows.add(what + ", cycles", c / x.size, "cycles/value")
                rows.add(what, x.size / s / 1e6, "M values/s",
                         at_least=None if rows.quick else at_least)  # fmt: skip
        for other, peer in others.items():
            try:
                part = peer.encode(x)
            except UnableError:
                continue
            # Programs are processes of their own: by the clock on the wall.
            timer = time.perf_counter if "-" in other else time.process_time
            theirs: list[Callable[[], object]] = [partial(peer.encode, x)]
            if peer.decode is not None:
                theirs.append(partial(peer.decode, part))
            spent = seconds(*theirs, repeats=2, timer=timer)
            for way, s in zip(("encode", "decode"), spent, strict=False):
                rows.add(f"{name}, one channel, {other}, {way}", x.size / s / 1e6,
                         "M values/s")  # fmt: skip
    use_isa()


def many_channels(rows: Report) -> None:
    """Sixteen channels, by one thread and by two."""
    isa = use_isa()
    x = made.series(1 << (14 if rows.quick else 18), 16)
    block = x.size // 8
    code = partial(bbans.compress, x, block_size=block)
    (spent,) = seconds(code, repeats=3)
    rows.add(f"16 channels, level 5, encode, {isa}", x.size / spent / 1e6, "M values/s",
             at_least=None if rows.quick else 3)  # fmt: skip
    one, two = seconds(code, partial(code, threads=2), repeats=5,
                       timer=time.perf_counter)  # fmt: skip
    rows.add("16 channels, two threads to one", one / two, "times",
             at_least=None if rows.quick else 1.8)  # fmt: skip


CPU = """
import time, numpy, bbans
rng = numpy.random.default_rng(0)
x = rng.integers(-9, 9, (1 << 16, 2)).cumsum(axis=0)
start = time.process_time()
for _ in range(5):
    bbans.compress(x)
print(time.process_time() - start)
"""


def blas(rows: Report) -> None:
    """Process time does not depend on the threads of BLAS."""
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    held = {**free, "OPENBLAS_NUM_THREADS": "1"}

    def spent(environment: dict[str, str]) -> float:
        command = [sys.executable, "-I", "-c", CPU]
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              check=True)  # fmt: skip
        return float(done.stdout)

    ratio = statistics.median(spent(free) / spent(held) for _ in range(3))
    rows.add("processor time, OPENBLAS_NUM_THREADS unset to set", ratio, "times",
             at_most=1.1)  # fmt: skip


def samples(path: Path) -> Array:
    """Of a file of 16-bit PCM, shape (steps, channels)."""
    with wave.open(str(path)) as file:
        frames = file.readframes(file.getnframes())
        return np.frombuffer(frames, "<i2").reshape(-1, file.getnchannels())


def audio(rows: Report, others: dict[str, Peer]) -> None:
    """Whole files of speech and music."""
    names = {p.stem: [p] for p in rows.files("audio/*.wav", "audio")}
    if spoken := rows.files("audio/fsdd/*.wav", "spoken digits"):
        names["fsdd"] = spoken
    wanted = [n for n in ("FLAC -8", "WavPack -hh") if n in others]
    for name, paths in names.items():
        series = [samples(path) for path in (paths[:20] if rows.quick else paths)]
        if rows.quick:
            series = [x[:20_000] for x in series]
        values = sum(x.size for x in series)
        taken = {n: sum(others[n].size(x) for x in series) for n in wanted}
        for n, total in taken.items():
            rows.add(f"{name}, {n}", 8 * total / values, "bits/value")
        for level in LEVELS:
            limit = None
            if level == DEFAULT and "FLAC -8" in taken:
                limit = taken["FLAC -8"]
            elif level == BEST and taken:
                limit = min(taken.values())
            total = sum(size(x, level) for x in series)
            rows.add(f"{name}, level {level}", 8 * total / values, "bits/value",
                     at_most=None if limit is None else 8 * limit / values)  # fmt: skip


def lattices(rows: Report, known: dict[str, Array], others: dict[str, Peer]) -> None:
    """Values of few kinds, and series scaled and rounded."""
    wanted = [n for n in ("pcodec 12", "FLAC -8", "xz -9e") if n in others]
    found = {n: x for n, x in known.items() if n.startswith(("ecg_p10143", "ecg_100"))}
    found |= {
        f"{n}, times 0.37": np.rint(x * 0.37).astype(x.dtype)
        for n, x in known.items()
        if "KW1" in n
    }
    paths = rows.files("audio/lyra_sample1_16kHz.wav", "speech on a lattice")
    found |= {path.stem: samples(path) for path in paths}
    rng = np.random.default_rng(2)
    if not found:
        kinds = np.sort(rng.choice(40_000, 1000, replace=False)).astype(np.int32)
        walk = np.abs(rng.integers(-9, 10, (20_000, 1)).cumsum(axis=0)) % 1000
        found["1000 kinds in a range of 40,000"] = kinds[walk]
    for name, x in found.items():
        best = min(others[n].size(x) for n in wanted) if wanted else None
        rows.add(f"{name}, level 5, to the best of {', '.join(wanted)}",
                 size(x, DEFAULT) / best if best else 1.0, "times",
                 at_most=0.97 if best else None)  # fmt: skip


def time_stamps(rows: Report) -> None:
    """Regular ones, in blocks; the second one brings the line, which those behind it
    share."""
    start, steps = 1_700_000_000, 1 << 14
    for unit, ticks in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        stamps = (start + 300 * np.arange(8 * steps)) * ticks

        def taken(blocks: int, stamps: Array = stamps) -> int:
            return len(bbans.compress(stamps[: blocks * steps], block_size=steps))

        what = f"regular time stamps in {unit}"
        rows.add(f"{what}, one block", taken(1), "bytes", at_most=64)
        rows.add(f"{what}, two blocks", taken(2), "bytes", at_most=64 + 16)
        rows.add(f"{what}, each block behind them", (taken(8) - taken(2)) / 6, "bytes",
                 at_most=16)  # fmt: skip


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        others = peers(rows)
        known = {p.stem: np.load(p) for p in rows.files("sensors/*.npy", "sensors")}
        if not known:
            known = {"made": made.series(50_000, 2)}
        known = {
            n: np.ascontiguousarray(x.reshape(len(x), -1)) for n, x in known.items()
        }
        if rows.quick:
            known = {n: x[:5000] for n, x in known.items()}
        single = {n: x for n, x in known.items() if rows.quick or len(x) > 1 << 16}
        sizes(rows, known, others)
        speeds(rows, dict([*single.items()][: 2 if rows.quick else None]), others)
        many_channels(rows)
        blas(rows)
        audio(rows, others)
        lattices(rows, known, others)
        time_stamps(rows)


if __name__ == "__main__":
    main()
