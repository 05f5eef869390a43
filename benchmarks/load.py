"""Much of everything: gigabytes by pipes, millions of calls, records, and messages.

Pipes: text and noise over and over through `bbans -LEVEL | bbans -d`, in Python and in
C (built here by `make tool`); what comes out is compared, nothing is kept. 4 GB for
coders above 50 MB/s, 200 MB for the others. Growth: how much more the larger process
took at its end than after a quarter. Calls: a million of each; growth of the process
from a tenth of them on, and as Python counts it in a tenth more. Sequences: a million
of 20 symbols. Records: a file of ten million. A day: what a sensor says each second,
or a hundred times a second, there and back. With --quick all is a hundredth or less.

    python benchmarks/load.py [PART...]

PART is one of pipes, calls, sequences, records, day; all by default.
"""

from __future__ import annotations

import contextlib
import os
import pydoc_data.topics
import random
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from c_tool import build
from clock import peak_bytes
from report import Report, parser
from shell import BBANS, peak_of

import bbans
from bbans import distributions
from bbans.message import RangeDecoder, RangeEncoder
from bbans.records import batch, packets

MB, GB, MILLION = 10**6, 10**9, 10**6
#: Levels of bytes, and how much of a full run they are to take.
LEVELS = {"-1": 4 * GB, "-2": 4 * GB, "-5": 200 * MB}
LEAK_MB, PEAK_MB, DAY_S = 4, 400, 600
LENGTH = 20


def text_and_noise() -> bytes:
    """Some 16 MB."""
    text = "\n".join(pydoc_data.topics.topics.values()).encode()
    found = bytearray()
    while len(found) < 16 * MB:
        found += text + os.urandom(len(text) // 9)
    return bytes(found)


def pipe(
    first: Sequence[str], second: Sequence[str], data: bytes, size: int
) -> tuple[float, list[float]]:
    """`size` bytes of the data, over and over, through two programs: MB/s, and the peak
    memory of the larger one after each quarter, in MB."""

    def feed() -> None:
        with one.stdin:
            for start in range(0, size, len(data)):
                one.stdin.write(data[: size - start])

    start, done, peak, peaks = time.perf_counter(), 0, 0.0, []
    one: Any = subprocess.Popen(first, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    two: Any = subprocess.Popen(second, stdin=one.stdout, stdout=subprocess.PIPE)
    one.stdout.close()
    feeder = threading.Thread(target=feed)
    feeder.start()
    while part := two.stdout.read(1 << 20):
        at = done % len(data)
        again = data[at : at + len(part)]
        assert part == again + data[: len(part) - len(again)]
        done += len(part)
        peak = max(peak, peak_of(one) / MB, peak_of(two) / MB)
        while 4 * done >= (len(peaks) + 1) * size:
            peaks.append(peak)
    feeder.join()
    assert done == size
    assert one.wait() == two.wait() == 0
    return size / MB / (time.perf_counter() - start), peaks


def pipes(rows: Report, folder: Path) -> None:
    programs = {"bbans": BBANS}
    if rows.program("cc", "C") and rows.program("make", "C"):
        programs["bbans in C"] = str(build(folder, rows.quick))
    data = text_and_noise()
    for level, whole in LEVELS.items():
        size = whole // 100 if rows.quick else whole
        for name, program in programs.items():
            speed, peaks = pipe([program, level], [program, "-d"], data, size)
            what = f"{size / MB:g} MB < {name} {level} | {name} -d"
            rows.add(what, speed, "MB/s")
            rows.add(f"{what}, peak", peaks[-1], "MB", at_most=PEAK_MB)
            rows.add(f"{what}, growth", peaks[-1] - peaks[0], "MB", at_most=LEAK_MB)


# ---- Calls that must not keep anything ----------------------------------------------


def resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def hot_calls() -> dict[str, Callable[[], object]]:
    """Public functions that programs call all the time."""
    rng = np.random.default_rng(1)
    hmm = bbans.HMM.random(4, 8, seed=1).freeze()
    x = [int(k) for k in rng.integers(0, 8, LENGTH)]
    line = b"state 3, 21.5 C"
    fitted = bbans.HMM.fit([line] * 9, 4, ends=True, n_iter=2, progress=False)
    codec = bbans.RecordCodec(fitted.freeze())
    coded, record = hmm.encode(x), codec.encode(line)
    message = bbans.Message.seeded(rng.bytes(4000), 8)
    values = np.zeros(100)
    law, laws = distributions.Gaussian(0.0, 3.0), distributions.Gaussian(values, 3.0)
    table = distributions.Categorical(distributions.Table.from_masses([2.0, 1.0, 1.0]))
    wire = message.to_bytes()
    block = bbans.compress(line)

    def there_and_back(law: Any) -> Callable[[], object]:
        return lambda: law.push(message, law.pop(message))

    def ranged() -> object:
        encoder = RangeEncoder()
        encoder.encode(table, 1)
        return RangeDecoder(encoder.finish())

    def refused() -> None:
        with contextlib.suppress(bbans.SymbolError):
            hmm.encode([99])

    return {
        "encode": lambda: hmm.encode(x),
        "decode": lambda: hmm.decode(coded, LENGTH),
        "encode, refused": refused,
        "costs": lambda: bbans.costs(x, hmm),
        "RecordCodec.encode": lambda: codec.encode(line),
        "RecordCodec.decode": lambda: codec.decode(record),
        "Gaussian, pop and push": there_and_back(law),
        "Gaussian, pop and push of 100": there_and_back(laws),
        "Categorical, pop and push": there_and_back(table),
        "Gaussian(..)": lambda: distributions.Gaussian(1.0, 2.0),
        "Categorical(..)": lambda: distributions.Categorical(
            distributions.Table.from_masses([2.0, 1.0, 1.0])
        ),
        "Message.to_bytes": message.to_bytes,
        "Message.from_bytes": lambda: bbans.Message.from_bytes(wire, 8),
        "RangeEncoder and RangeDecoder": ranged,
        "compress": lambda: bbans.compress(line),
        "decompress": lambda: bbans.decompress(block),
    }


def repeat(call: Callable[[], object], count: int) -> None:
    for _ in range(count):
        call()


def calls(rows: Report, folder: Path) -> None:
    count = MILLION // 500 if rows.quick else MILLION
    for name, call in hot_calls().items():
        repeat(call, count // 10)
        before, start = resident(), time.perf_counter()
        repeat(call, count - count // 10)
        took, grown = time.perf_counter() - start, resident() - before
        tracemalloc.start()
        repeat(call, 100)
        counted = tracemalloc.get_traced_memory()[0]
        repeat(call, count // 10)
        counted = tracemalloc.get_traced_memory()[0] - counted
        tracemalloc.stop()
        what = f"{count} calls, {name}"
        rows.add(what, took / (count - count // 10) * 1e6, "us/call")
        rows.add(f"{what}, growth", grown, "MB", at_most=LEAK_MB)
        rows.add(f"{what}, growth in Python", counted, "bytes", at_most=10_000)


# ---- Short sequences -----------------------------------------------------------------


def sequences(rows: Report, folder: Path) -> None:
    """A million, one by one and all at once."""
    count = MILLION // 200 if rows.quick else MILLION
    rng = np.random.default_rng(1)
    model = bbans.HMM.random(8, 16, seed=1).freeze(12)
    x = rng.integers(0, 16, (count, LENGTH)).astype(np.uint8)
    lines = [row.tobytes() for row in x]
    fitted = bbans.HMM.fit(lines[:1000], 8, ends=True, n_iter=2, progress=False)
    codec = bbans.RecordCodec(fitted.freeze())
    each = [row.tolist() for row in x]
    lengths = [LENGTH] * count

    def row(what: str, start: float) -> None:
        took = time.perf_counter() - start
        rows.add(f"{count} sequences, {what}", count / took / 1e3, "thousands/s")

    start = time.perf_counter()
    coded = [model.encode(one) for one in each]
    row("encode", start)
    start = time.perf_counter()
    for one, message in zip(each, coded, strict=True):
        assert model.decode(message, LENGTH).tolist() == one
    row("decode", start)
    start = time.perf_counter()
    data, ends = batch.encode_batch(x, model)
    row("encode_batch", start)
    assert data == b"".join(coded)
    start = time.perf_counter()
    assert np.array_equal(batch.decode_batch(data, ends, lengths, model), x)
    row("decode_batch", start)
    start = time.perf_counter()
    packed = batch.chain(x, model)
    row("chain", start)
    start = time.perf_counter()
    assert np.array_equal(batch.unchain(packed, lengths, model), x)
    row("unchain", start)
    start = time.perf_counter()
    sent = packets.encode(x.ravel(), model)
    row("packets.encode", start)
    start = time.perf_counter()
    got = [packets.decode(packet, model) for packet in sent]
    row("packets.decode", start)
    assert np.array_equal(np.concatenate(got), x.ravel())
    start = time.perf_counter()
    messages = codec.encode_many(lines)
    row("RecordCodec.encode_many", start)
    start = time.perf_counter()
    assert codec.decode_many(messages) == lines
    row("RecordCodec.decode_many", start)


# ---- Records -------------------------------------------------------------------------

#: In processes of their own, whose peak counts.
LINE = """
import sys, time, random, bbans
path, count = sys.argv[1], int(sys.argv[2])
words = [b"on", b"off", b"21.5", b"21.6", b"low"]
def line(k):
    return b"%d %s" % (k % 1000, words[k * 7 % 5])
bbans.Records  # loads what it needs
start = time.perf_counter()
"""
WRITE = f"""{LINE}
model = bbans.HMM.fit([*map(line, range(1000))], 4, ends=True, progress=False)
start = time.perf_counter()
bbans.Records.write(path, map(line, range(count)), model.freeze())
print(time.perf_counter() - start)
"""
READ = f"""{LINE}
records = bbans.Records(path)
assert len(records) == count
print(time.perf_counter() - start)
random.seed(1)
numbers = [random.randrange(count) for _ in range(10_000)]
start = time.perf_counter()
for number in numbers:
    assert records[number] == line(number)
print((time.perf_counter() - start) / len(numbers))
records.append(line(count))
assert len(records) == count + 1 and records[count] == line(count)
"""
VERIFY = f"""{LINE}
with bbans.Records(path) as records:
    for k, record in enumerate(records):
        if record != line(k):
            raise SystemExit(f"record {{k}} is {{record!r}}")
assert k == count
print(time.perf_counter() - start)
"""


def records(rows: Report, folder: Path) -> None:
    count = 10 * MILLION // 500 if rows.quick else 10 * MILLION
    path = folder / "records.bbr"
    what = f"{count} records"

    def run(code: str) -> list[float]:
        peak, found = peak_bytes(code, str(path), str(count))
        return [peak / MB, *map(float, found)]

    peak, took = run(WRITE)
    rows.add(f"{what}, write", count / took / 1e3, "thousands/s")
    rows.add(f"{what}, write, peak", peak, "MB", at_most=PEAK_MB)
    rows.add(f"{what}, the file", path.stat().st_size / count, "bytes/record")
    peak, opened, get = run(READ)
    rows.add(f"{what}, open", 1e3 * opened, "ms")
    rows.add(f"{what}, record k", 1e6 * get, "us")
    rows.add(f"{what}, open and read, peak", peak, "MB", at_most=PEAK_MB)
    peak, took = run(VERIFY)
    rows.add(f"{what}, read and compare all", count / took / 1e3, "thousands/s")
    rows.add(f"{what}, read all, peak", peak, "MB", at_most=PEAK_MB)


# ---- A day ---------------------------------------------------------------------------


def day(rows: Report, folder: Path) -> None:
    """A temperature as text each second, by a call each; and a hundred times a second,
    by a call for each second."""
    seconds = 86_400 // 100 if rows.quick else 86_400
    random.seed(1)
    value, lines = 2150, []
    for _ in range(seconds + 100):
        value += random.randrange(-2, 3)
        lines.append(b"%d.%02d" % divmod(abs(value), 100))
    codec = bbans.RecordCodec.train(lines[:2000], n_states=4, order=2)
    start, n_bytes = time.perf_counter(), 0
    for line in lines[:seconds]:
        message = codec.encode(line)
        n_bytes += len(message)
        assert codec.decode(message) == line
    took = time.perf_counter() - start
    rows.add(f"a day at 1 Hz, {seconds} messages, there and back", took, "s",
             at_most=DAY_S)  # fmt: skip
    rows.add("a day at 1 Hz, a message", n_bytes / seconds, "bytes")
    start, before = time.perf_counter(), resident()
    for second in range(seconds):
        said = lines[second : second + 100]
        assert codec.decode_many(codec.encode_many(said, threads=1), threads=1) == said
    took = time.perf_counter() - start
    rows.add(f"a day at 100 Hz, {100 * seconds} messages, there and back", took, "s",
             at_most=DAY_S)  # fmt: skip
    rows.add("a day at 100 Hz, growth", resident() - before, "MB", at_most=LEAK_MB)


PARTS = {each.__name__: each for each in (pipes, calls, sequences, records, day)}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("parts", metavar="PART", nargs="*", help=", ".join(PARTS))
    found = options.parse_args()
    if unknown := set(found.parts) - PARTS.keys():
        options.error(f"no part {', '.join(sorted(unknown))}")
    with Report(found) as rows, TemporaryDirectory() as folder:
        for name in found.parts or PARTS:
            PARTS[name](rows, Path(folder))


if __name__ == "__main__":
    main()
