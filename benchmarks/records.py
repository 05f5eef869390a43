"""Short records from Python: a call, many calls, record k of a million, a model's life.

Records are the lines of messages/sms_spam*.tsv of --data, or of a made log; the models
learn from the first 80 %. A call codes a record of 20 bytes; zstd with a trained
dictionary takes turns. A file of a million records holds the test lines again and
again: it is read in a process of its own, whose peak memory counts, at random numbers.
The corpus of a fit is 200 kB of these lines.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import made
import numpy as np
from clock import peak_bytes, seconds
from report import Report, parser, use_isa

import bbans

LENGTH = 20
MODEL_BYTES = 250_000
CORPUS = 200_000
DICTIONARY = 112 * 1024

# In a process of its own: records at random numbers, microseconds each (median of
# batches), of a file that was opened by this process.
READ = """
import sys, time, statistics
import bbans
path, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
import random
Records = bbans.Records  # imports what it needs
start = time.perf_counter()
records = Records(path)
opened = time.perf_counter() - start
random.seed(seed)
found = []
for _ in range(9):
    numbers = [random.randrange(len(records)) for _ in range(count)]
    start = time.process_time()
    for number in numbers:
        records[number]
    found.append((time.process_time() - start) / count)
print(1e6 * statistics.median(found))
print(1e3 * opened)
"""


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        paths = rows.files("messages/sms_spam*.tsv", "SMS")
        lines = (
            paths[0].read_bytes().splitlines()
            if paths
            else [line.rstrip(b"\n") for line in made.lines(2000)]
        )
        cut = len(lines) * 4 // 5
        train, test = lines[:cut], lines[cut:]
        quick: dict[str, Any] = {"n_states": 4, "order": 4} if rows.quick else {}
        codec = bbans.RecordCodec.train(train, max_bytes=MODEL_BYTES, **quick)
        hmm = bbans.RecordCodec(
            bbans.HMM.fit(
                train, 64, ends=True, n_iter=5 if rows.quick else 20, progress=False
            ).freeze()
        )
        zstandard = rows.peer("zstandard", "zstd's rows")
        calls(rows, zstandard, hmm, codec, train, test)
        many(rows, codec, test)
        life(rows, codec, train)
        with TemporaryDirectory() as folder:
            million(rows, "SMS, AR-HMM", codec, test, Path(folder), 60)
            short = [line[:LENGTH] for line in test]
            million(rows, "20 bytes, AR-HMM", codec, short, Path(folder), 20)
            million(rows, "20 bytes, HMM", hmm, short, Path(folder), 20)
            columns(rows, codec, test, Path(folder))


def calls(
    rows: Report,
    zstandard: Any,
    hmm: bbans.RecordCodec,
    codec: bbans.RecordCodec,
    train: list[bytes],
    test: list[bytes],
) -> None:
    """One record a call, on average over many."""
    short = [line[:LENGTH] for line in test if len(line) >= LENGTH][:500]
    coders: dict[str, tuple[Any, Any, float | None, float | None]] = {
        "HMM, 64 states": (hmm.encode, hmm.decode, 7, 6),
        "AR-HMM": (codec.encode, codec.decode, 8, 12),
    }
    if zstandard:
        dictionary = zstandard.train_dictionary(DICTIONARY, train, level=3)
        packer = zstandard.ZstdCompressor(level=3, dict_data=dictionary)
        reader = zstandard.ZstdDecompressor(dict_data=dictionary)
        coders["zstd -3"] = (packer.compress, reader.decompress, None, None)
    runs, names = [], []
    for name, (encode, decode, most, least) in coders.items():
        packed = [encode(record) for record in short]
        assert [decode(message) for message in packed] == short
        rows.add(f"20 bytes, {name}", np.mean([*map(len, packed)]), "bytes/record")
        runs += [lambda e=encode: [*map(e, short)],
                 lambda d=decode, p=packed: [*map(d, p)]]  # fmt: skip
        names += [(f"one call, {name}, encode", most),
                  (f"one call, {name}, decode", least)]  # fmt: skip
    found = seconds(*runs, repeats=9 if rows.quick else 49)
    for (name, target), taken in zip(names, found, strict=True):
        isa = f", {use_isa()}" if target else ""
        rows.add(f"{name}{isa}", 1e6 * taken / len(short), "us", at_most=target)


def many(rows: Report, codec: bbans.RecordCodec, test: list[bytes]) -> None:
    """encode_many and decode_many of 100,000 records on one thread."""
    count = 10_000 if rows.quick else 100_000
    records = (test * (count // len(test) + 1))[:count]
    messages = codec.encode_many(records, threads=1)
    assert codec.decode_many(messages, threads=1) == records
    encode, decode = seconds(
        lambda: codec.encode_many(records, threads=1),
        lambda: codec.decode_many(messages, threads=1),
        repeats=3,
    )
    scale = 100_000 / count
    rows.add("100,000 records, encode_many, one thread", scale * encode, "s",
             at_most=2.5)  # fmt: skip
    rows.add("100,000 records, decode_many, one thread", scale * decode, "s")
    start = time.perf_counter()
    codec.encode_many(records, threads=2)
    wall = scale * (time.perf_counter() - start)
    rows.add("100,000 records, encode_many, two threads, wall", wall, "s")


def life(rows: Report, codec: bbans.RecordCodec, train: list[bytes]) -> None:
    """Loading, freezing and training a model of 250 KB."""
    packed = codec.model.to_bytes(packed=True)
    corpus, size = [], 0
    for line in train * (CORPUS // sum(map(len, train)) + 1):
        corpus.append(line)
        size += len(line) + 1
        if size >= CORPUS:
            break
    # A plain file of about as many bytes as the goal names.
    small = bbans.RecordCodec.train(
        train, max_bytes=MODEL_BYTES // 6, n_states=4 if rows.quick else 16, order=5
    ).model.to_bytes(packed=False)
    load = bbans.frozen.FrozenModel.from_bytes
    plain_s, packed_s = seconds(
        lambda: load(small).start_length, lambda: load(packed).start_length, repeats=25
    )
    rows.add("plain model", len(small), "bytes")
    rows.add("plain model, loading", 1e3 * plain_s, "ms", at_most=1)
    rows.add("packed model", len(packed), "bytes")
    rows.add("packed model, loading", 1e3 * packed_s, "ms", at_most=20)
    quick: dict[str, Any] = {"n_states": 4, "order": 4} if rows.quick else {
        "n_states": 16, "order": "auto"
    }  # fmt: skip
    quick = {"max_bytes": MODEL_BYTES, "ends": True, "progress": False} | quick
    wall, process = time.perf_counter(), time.process_time()
    model = bbans.ARHMM.fit(corpus, **quick)
    wall, process = time.perf_counter() - wall, time.process_time() - process
    rows.add("fit of 200 kB, wall", wall, "s", at_most=4)
    rows.add("fit of 200 kB, of the process", process, "s")
    (freeze,) = seconds(lambda: model.freeze(), repeats=5)
    rows.add("freeze", freeze, "s", at_most=0.1)


def million(
    rows: Report,
    name: str,
    codec: bbans.RecordCodec,
    test: list[bytes],
    folder: Path,
    target: float,
) -> None:
    """Record k of a file of a million records."""
    count = 50_000 if rows.quick else 1_000_000
    path = folder / "records.bbr"
    bbans.Records.write(path, (test * (count // len(test) + 1))[:count], codec.model)
    with bbans.Records(path) as records:
        assert len(records) == count
        assert records[count - 1] == test[(count - 1) % len(test)]
    size = path.stat().st_size
    rows.add(f"{name}, a file of {count}", size / count, "bytes/record")
    peak, (get, opened) = peak_bytes(READ, str(path), "2000", "1")
    rows.add(f"{name}, record k of {count}", float(get), "us", at_most=target)
    rows.add(f"{name}, opening", float(opened), "ms")
    rows.add(f"{name}, peak memory", peak / 1e6, "MB", at_most=100)
    path.unlink()


def columns(
    rows: Report, codec: bbans.RecordCodec, test: list[bytes], folder: Path
) -> None:
    """The test lines once: a record file, and a column of Parquet."""
    path = folder / "records.bbr"
    bbans.Records.write(path, test, codec.model, embed=False)
    size = path.stat().st_size / len(test)
    rows.add("test records, in a file, model outside", size, "bytes/record")
    pyarrow = rows.peer("pyarrow", "Parquet's rows")
    if pyarrow:
        parquet = rows.peer("pyarrow.parquet", "Parquet's rows")
        table = pyarrow.table({"record": pyarrow.array(test, pyarrow.binary())})
        file = folder / "records.parquet"
        parquet.write_table(
            table, file, compression="zstd", compression_level=19, use_dictionary=False
        )
        size = file.stat().st_size / len(test)
        rows.add("test records, Parquet with zstd -19", size, "bytes/record")
        packed = pyarrow.array(codec.encode_many(test), pyarrow.binary())
        parquet.write_table(
            pyarrow.table({"record": packed}), file, compression="none",
            use_dictionary=False,
        )  # fmt: skip
        size = file.stat().st_size / len(test)
        rows.add("test records, Parquet of bbans' messages", size, "bytes/record")


if __name__ == "__main__":
    main()
